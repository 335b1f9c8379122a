/** Principal of a token: verified with its issuer, otherwise decoded with a warning. */
import { NestFactory } from '@nestjs/core';
import { readFileSync } from 'node:fs';
import { claimsToPrincipal } from '../../auth/verify/claims-to-principal.js';
import { readJwt } from '../../auth/verify/read-jwt.js';
import { TokenVerifier } from '../../auth/verify/token-verifier.js';
import type { AppError } from '../../core/app-error.js';
import type { Principal } from '../../core/principal.js';
import { quote } from '../../lib/format-text.js';
import { loadSettings, type Environment } from '../../config/load-settings.js';
import type { Settings } from '../../config/settings.js';
import { DoctorModule } from '../doctor/doctor.module.js';
import { verify, type Answer } from '../doctor/verify-with-server-code.js';

export interface PrincipalOfToken {
  readonly principal: Principal;
  /** Result of the verification, without data of the token. */
  readonly origin: string;
  readonly refused: boolean;
}

/**
 * Fetches the keys of the issuer; sends the token only to the introspection endpoint of its issuer.
 * @throws Error if the token names no configured issuer or is unreadable. The message contains no data of the token.
 * @throws ConfigurationError
 */
export async function principalOfToken(token: string, env: Environment): Promise<PrincipalOfToken> {
  const settings = loadSettings({ TOOL_ALLOW_LIST: '*', ...env }, (path) => readFileSync(path, 'utf8'));
  const answer = await verified(token, settings);
  if ('principal' in answer) {
    return { principal: answer.principal, origin: 'the token is verified', refused: false };
  }
  const principal = decoded(token, settings);
  const { code } = answer.error;
  if (code === 'identity_unavailable') {
    const origin =
      'the token is NOT verified because its issuer is unavailable; the command uses its claims unverified';
    return { principal, origin, refused: false };
  }
  const origin = `the server rejects this token (${code}); the command uses its claims unverified. Run mcp-gate doctor for the cause`;
  return { principal, origin, refused: true };
}

async function verified(token: string, settings: Settings): Promise<Answer> {
  const app = await NestFactory.createApplicationContext(DoctorModule.forRoot(settings), {
    logger: false,
    abortOnError: false,
  });
  try {
    const verifier = app.get(TokenVerifier, { strict: false });
    return await verify(token, undefined, { verifier });
  } finally {
    await app.close();
  }
}

function decoded(token: string, { auth }: Settings): Principal {
  const claims = readJwt(token)?.claims;
  if (!claims) throw new Error('--as -: the token is opaque or damaged, and only its issuer can read it.');
  const issuer = auth.issuers.find((one) => one.issuer === claims.iss);
  if (!issuer) {
    const name = typeof claims.iss === 'string' ? quote(claims.iss) : 'no issuer';
    throw new Error(`--as -: the token is from ${name}, which is not a configured issuer.`);
  }
  try {
    return claimsToPrincipal(claims, issuer);
  } catch (error) {
    throw new Error(`--as -: ${(error as AppError).message}.`);
  }
}
