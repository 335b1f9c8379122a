#!/usr/bin/env bash
# Published MCP servers, each at the version of the lock file, and a Chromium for the one that drives it.
# Does nothing where all of it is there.
set -euo pipefail
cd "$(dirname "$0")"

# Whoever comes second waits for the first.
if command -v flock >/dev/null; then
  exec 9>>.setup.lock
  flock 9
fi

# The lock file as it was installed; npm writes its own note in another form.
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
