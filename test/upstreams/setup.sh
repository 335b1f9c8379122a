#!/usr/bin/env bash
# Installs published MCP servers at the versions of the lock file, and Chromium for playwright. Skips installed ones.
set -euo pipefail
cd "$(dirname "$0")"

# A second process waits for the first.
if command -v flock >/dev/null; then
  exec 9>>.setup.lock
  flock 9
fi

# A copy of the installed lock file; npm writes its own record in another format.
if ! cmp -s package-lock.json node_modules/.installed-lock.json; then
  npm ci --ignore-scripts --no-audit --no-fund
  cp package-lock.json node_modules/.installed-lock.json
fi

if ! command -v "${CHROMIUM_PATH:-chromium}" >/dev/null; then
  if command -v apt-get >/dev/null && [ "$(id -u)" = 0 ]; then
    apt-get update -qq
    DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends chromium >/dev/null
  else
    echo "there is no Chromium: install the package 'chromium', or name the program with CHROMIUM_PATH" >&2
  fi
fi
