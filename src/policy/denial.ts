/** Renders a denial as an error. Pure. */
import { AppError } from '../core/app-error.js';
import type { Assurance, Deny } from '../core/decision.js';
import type { Message, Operation } from '../core/request-context.js';
import type { Reason } from '../core/reasons.js';
import { redactTokens } from '../lib/redact-tokens.js';
import { RpcCode } from '../core/rpc-code.js';

const NOT_FOUND = { tool: 'Unknown tool', resource: 'Unknown resource', prompt: 'Unknown prompt' } as const;

type CallOperation = Extract<Operation, { kind: 'call' }>;

/** @param detail `conceal`: a denial by role equals the error for an unknown target. */
export function denialError(
  denial: Deny,
  operation: CallOperation,
  era: Message['era'],
  detail: 'explain' | 'conceal',
): AppError {
  const concealed = detail === 'conceal' && denial.reason === 'role_missing';
  if (denial.reason === 'tool_unknown' || denial.reason === 'tool_not_allowed' || concealed) {
    return notFoundError(denial.reason, operation, era);
  }
  switch (denial.reason) {
    case 'scope_missing':
      return new AppError('scope_missing', `The token lacks scope: ${denial.missing.scopes.join(' ')}`, {
        status: 403,
        data: { required_scopes: denial.required.scopes, missing_scopes: denial.missing.scopes },
        challenge: {
          error: 'insufficient_scope',
          errorDescription: 'The token lacks a scope that this operation needs',
          scope: denial.required.scopes,
        },
      });
    case 'assurance_insufficient':
      return assuranceError(denial.required.assurance as Assurance, denial.required.scopes);
    case 'role_missing': {
      const wanted = denial.missing.roles.map((group) => group.join(' or ')).join(', and ');
      return new AppError('role_missing', `This operation requires the role ${wanted}`, {
        status: 403,
        data: { missing_roles: denial.missing.roles },
      });
    }
    case 'human_required':
      return new AppError(
        'human_required',
        'This operation requires a user: the token belongs to a workload',
        {
          status: 403,
        },
      );
    case 'condition_failed':
      return new AppError('condition_failed', denial.message ?? 'A condition of the policy is not met', {
        status: 403,
      });
    default:
      return new AppError(denial.reason, 'Access denied', { status: 403 });
  }
}

/** Error for an unknown target. @param recordedReason reason in the record. */
export function notFoundError(
  recordedReason: Reason,
  { target, arguments: asked }: CallOperation,
  era: Message['era'],
): AppError {
  return new AppError('tool_unknown', NOT_FOUND[target.kind], {
    status: 404,
    rpcCode:
      target.kind === 'resource' && era === 'legacy' ? RpcCode.ResourceNotFound : RpcCode.InvalidParams,
    // The error repeats the requested URI (MCP 2026-07-28, server/resources, "Error Handling").
    data: target.kind === 'resource' ? uriOf(asked) : {},
    recordedReason,
  });
}

/** RFC 9470 section 3: all requirements of the new token; otherwise it could lack the others. */
function assuranceError({ acr, maxAgeSeconds }: Assurance, scope: readonly string[]): AppError {
  const level = acr.length > 0 ? ` of level ${acr.join(' or ')}` : '';
  const age = maxAgeSeconds === null ? '' : ` not older than ${maxAgeSeconds} s`;
  return new AppError(
    'assurance_insufficient',
    `This operation requires an authentication${level}${level && age && ','}${age}`,
    {
      status: 401,
      data: {
        ...(acr.length > 0 && { required_acr: acr }),
        ...(maxAgeSeconds !== null && { max_age: maxAgeSeconds }),
      },
      challenge: {
        error: 'insufficient_user_authentication',
        errorDescription: 'The authentication of the user is too weak or too old for this operation',
        ...(acr.length > 0 && { acrValues: acr }),
        ...(maxAgeSeconds !== null && { maxAge: maxAgeSeconds }),
        scope,
      },
    },
  );
}

function uriOf(asked: unknown): { uri?: string } {
  const uri = (asked as { uri?: unknown } | undefined)?.uri;
  return typeof uri === 'string' ? { uri: redactTokens(uri) } : {};
}
