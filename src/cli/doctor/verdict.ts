/** Verdict on a token, from the verifier of the server. Pure. */
import type { ErrorCode } from '../../core/app-error.js';
import type { Principal } from '../../core/principal.js';
import { reasonOf, type CheckReport } from './checks.js';
import type { Answer } from './verify-with-server-code.js';
import type { Provider } from './providers.js';

export interface Verdict {
  readonly good: boolean;
  readonly verdict: string;
  readonly reason: ErrorCode | null;
  /** Accepted principal. */
  readonly principal: Principal | undefined;
}

/** @param provider probable provider of the token, for a link to its page. */
export function verdictOf(checkReport: CheckReport, answer: Answer, provider: Provider | undefined): Verdict {
  const found = reasonOf(checkReport.outcomes);
  const { principal, bound } = checkReport;
  // The doctor does not have the key of the client, so a missing proof alone is not a failure.
  const lacksProof =
    found === null && bound.dpop && 'error' in answer && answer.error.code === 'token_binding';
  if (lacksProof) {
    return {
      good: true,
      reason: null,
      principal,
      verdict:
        'good, if the client sends a DPoP proof with the bound key on each request. The server rejects the token without that proof, or with the Bearer scheme (token_binding).',
    };
  }
  const said = 'error' in answer ? answer.error.code : null;
  const doubt =
    said === found
      ? ''
      : ` The checks disagree (${found ?? 'good'}): the doctor has a bug. Please report it.`;
  if ('error' in answer) {
    const { code, status, message } = answer.error;
    const page = provider ? ` More: docs/guides/providers/${provider}.md.` : '';
    return {
      good: false,
      reason: code,
      principal: undefined,
      verdict: `rejected: ${status} ${code}, "${message}".${page}${doubt}`,
    };
  }
  const from = bound.mtls ? ' from a client that connects with the bound certificate' : '';
  return {
    good: doubt === '',
    reason: null,
    principal: answer.principal,
    verdict: `good: the server accepts the token${from}. The access rule of each tool decides about calls.${doubt}`,
  };
}
