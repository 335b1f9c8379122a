/** Public API for tool authors and for programs that embed the server. Other files are private. */
export { createApp } from './create-app.js';
export type { App, CreateAppOptions } from './create-app.js';
export { ConfigurationError } from './config/load-settings.js';
export type { Environment } from './config/load-settings.js';
export type { Settings } from './config/settings.js';
export type { DelegationLink, Principal, PrincipalKind } from './core/principal.js';
export type { JsonObject } from './lib/json.js';
export {
  AllowWorkload,
  AnyPrincipal,
  Audit,
  RequireAssurance,
  RequireRoles,
  RequireScopes,
} from './policy/decorators.js';
export type { AssuranceRequirement, AuditOptions } from './policy/decorators.js';
export { Prompt, PromptCompletion, Resource, Tool } from './tools/decorators.js';
export type {
  PromptCompletionOptions,
  PromptOptions,
  ResourceOptions,
  ToolAnnotations,
  ToolOptions,
} from './tools/decorators.js';
export type { ResourceRequest } from './tools/definitions.js';
export { NoInput } from './tools/no-input.js';
export { InputRequired, ToolError, ToolResult, ToolUnavailable } from './tools/results.js';
export type { Content, PromptMessage, ResourceContents } from './tools/results.js';
export type { LogLevel, ToolCall } from './tools/tool-call.js';
export { DeclarationError } from './tools/tool-registry.js';
