/** Verifies the sender of a bound token at each use (RFC 9449, RFC 8705). */
import { Injectable, Optional } from '@nestjs/common';
import { ConfigService } from '@nestjs/config';
import type { AuthScheme } from '../../core/challenge.js';
import type { ServerSettings, Settings } from '../../config/settings.js';
import { checkBound, confirm } from './confirmation.js';
import { DpopNonces, requireNonce } from './dpop-nonces.js';
import { refuseProof, verifyProof, type VerifiedProof } from './dpop-proof.js';
import { idOfProof, ProofReplay } from './proof-replay.js';
import { invalidTokenError } from '../token-errors.js';
import { DpopReplayStore } from './dpop-replay-store.js';
import type { VerifiedToken } from '../verify/verified-tokens.js';
import { isJsonObject } from '../../lib/json.js';

/** A token and the proofs of its request. */
export interface Presented {
  readonly scheme: AuthScheme;
  readonly token: string;
  /** Request that the proof must match; the path as clients use it. */
  readonly request: { readonly method: string; readonly path: string };
  /** All values of the `DPoP` header. */
  readonly proofs: readonly string[];
  /** Thumbprint of the client certificate (`x5t#S256`). Called only for a certificate-bound token. */
  certificate(): string | undefined;
}

/** Accepted signature algorithms of proofs; those of browsers, agents and hardware keys. */
export const PROOF_ALGORITHMS = ['ES256', 'ES384', 'ES512', 'EdDSA', 'Ed25519', 'PS256', 'RS256'];

@Injectable()
export class SenderBinding {
  private readonly server: ServerSettings;
  private readonly nonces: DpopNonces | undefined;
  private readonly replay = new ProofReplay();

  /** @param shared undefined for the doctor, which only inspects tokens. */
  constructor(
    config: ConfigService<Settings, true>,
    @Optional() private readonly shared?: DpopReplayStore,
  ) {
    this.server = config.get('server', { infer: true });
    const secret = config.get('auth', { infer: true }).dpopNonceSecret;
    this.nonces = secret === undefined ? undefined : new DpopNonces(secret);
  }

  /** Nonce for the next proof. Undefined without a nonce requirement. */
  nonce(): string | undefined {
    return this.nonces?.current(Date.now() / 1000);
  }

  /**
   * @throws AppError `token_binding` (401) if the proof or certificate of a bound token is missing, wrong or used
   * before; if the issuer requires bound tokens; or if a bearer token is sent in the DPoP scheme. The challenge names
   * the scheme that helps.
   */
  verifyBinding(verified: VerifiedToken, presented: Presented): void | Promise<void> {
    if (presented.scheme === 'DPoP' && binds(verified.claims.cnf, 'jkt')) {
      return this.verifyDpop(verified, presented);
    }
    this.check(verified, presented, undefined);
    // A bearer token is invalid in the DPoP scheme (RFC 9449 section 7.1); the Bearer scheme accepts it.
    if (presented.scheme === 'DPoP') {
      throw invalidTokenError(
        'token_binding',
        'The token is not bound to a key: present it as a Bearer token',
        undefined,
        'Bearer',
      );
    }
  }

  private async verifyDpop(verified: VerifiedToken, presented: Presented): Promise<void> {
    const proof = await this.readProof(presented, verified.issuer.clockToleranceSeconds);
    this.check(verified, presented, proof);
    // Last check: a proof that failed another check may be sent again.
    if (!(await this.isFirstUse(proof))) throw refuseProof('The DPoP proof was used before');
  }

  private check(
    { claims, issuer }: VerifiedToken,
    presented: Presented,
    proof: VerifiedProof | undefined,
  ): void {
    if (!proof && binds(claims.cnf, 'jkt')) {
      throw invalidTokenError(
        'token_binding',
        'The token is bound to a key and must be sent with a DPoP proof',
        undefined,
        'DPoP',
      );
    }
    const bound = confirm(claims.cnf, {
      proofThumbprint: proof?.thumbprint,
      certificateThumbprint: binds(claims.cnf, 'x5t#S256') ? presented.certificate() : undefined,
    });
    checkBound(bound, claims.token_type, issuer);
  }

  private async isFirstUse(proof: VerifiedProof): Promise<boolean> {
    if (!this.replay.firstUse(proof, Date.now() / 1000)) return false;
    return (await this.shared?.firstUse(idOfProof(proof), proof.validUntil)) ?? true;
  }

  private async readProof(
    { token, request, proofs }: Presented,
    toleranceSeconds: number,
  ): Promise<VerifiedProof> {
    const [proof, ...more] = proofs;
    if (proof === undefined) throw refuseProof('The DPoP scheme needs a DPoP header with a proof');
    if (more.length > 0) throw refuseProof('More than one DPoP header');
    const now = Date.now() / 1000;
    const verified = await verifyProof(proof, {
      method: request.method,
      url: this.server.publicUrl + request.path,
      accessToken: token,
      algorithms: PROOF_ALGORITHMS,
      now,
      toleranceSeconds,
    });
    if (this.nonces) requireNonce(this.nonces, verified, now);
    return verified;
  }
}

function binds(cnf: unknown, method: string): boolean {
  return isJsonObject(cnf) && Object.hasOwn(cnf, method);
}
