/** Patterns of names that configuration, policy, tools and upstreams share. */

/** RFC 6749 section 3.3, `scope-token`. Roles and authentication contexts (RFC 9470 section 3) have the same form. */
export const SCOPE_TOKEN = /^[\x21\x23-\x5b\x5d-\x7e]+$/;

/** Name of a tool, a prompt or a resource (MCP 2026-07-28, server/tools, "Tool Names"). */
export const TARGET_NAME = /^[A-Za-z0-9_.-]{1,128}$/;

/** {@link TARGET_NAME} with `*` for any characters. */
export const TARGET_NAME_PATTERN = /^[A-Za-z0-9_.*-]{1,128}$/;

/** A target on allow-lists: the name of a tool, `resource:NAME` or `prompt:NAME`. */
export const TARGET_LABEL = /^((resource|prompt):)?[A-Za-z0-9_.-]{1,128}$/;

/** {@link TARGET_LABEL} with `*` for any characters of the name. */
export const TARGET_LABEL_PATTERN = /^((resource|prompt):)?[A-Za-z0-9_.*-]{1,128}$/;

/** A text without white space and control characters. */
export const TEXT_WITHOUT_SPACES = /^[^\s\p{Cc}]+$/u;
