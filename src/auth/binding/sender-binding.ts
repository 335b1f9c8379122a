/** Is the one who presents a token the one that it was given to (RFC 9449, RFC 8705)? Asked at each use. */
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

/** A token, and what came with it. */
export interface Presented {
  readonly scheme: AuthScheme;
  readonly token: string;
  /** The request that it came with, which a proof must be made for: its path as clients see it. */
  readonly request: { readonly method: string; readonly path: string };
  /** Every value of the `DPoP` header. */
  readonly proofs: readonly string[];
  /** Thumbprint of the client's certificate (`x5t#S256`); asked for only where a token is bound to one. */
  certificate(): string | undefined;
}

/** Signatures that a proof may have: those that browsers, agents and hardware keys make. */
export const PROOF_ALGORITHMS = ['ES256', 'ES384', 'ES512', 'EdDSA', 'Ed25519', 'PS256', 'RS256'];

@Injectable()
export class SenderBinding {
  private readonly server: ServerSettings;
  private readonly nonces: DpopNonces | undefined;
  private readonly replay = new ProofReplay();

  /** @param shared not there where tokens are only looked at (the doctor). */
  constructor(
    config: ConfigService<Settings, true>,
    @Optional() private readonly shared?: DpopReplayStore,
  ) {
    this.server = config.get('server', { infer: true });
    const secret = config.get('auth', { infer: true }).dpopNonceSecret;
    this.nonces = secret === undefined ? undefined : new DpopNonces(secret);
  }

  /** What the next proof must carry; undefined where none is asked for. */
  nonce(): string | undefined {
    return this.nonces?.current(Date.now() / 1000);
  }

  /**
   * @throws AppError `token_binding` (401) where the token is bound to a key or a certificate that was not shown, where
   *   a proof is wrong or used before, where the issuer's tokens must be bound and this one is not, or where a token
   *   without a key is sent in the DPoP scheme. The challenge names the scheme that cures it, where one does.
   */
  verifyBinding(verified: VerifiedToken, presented: Presented): void | Promise<void> {
    if (presented.scheme === 'DPoP' && binds(verified.claims.cnf, 'jkt')) {
      return this.verifyDpop(verified, presented);
    }
    this.check(verified, presented, undefined);
    // No proof makes this token good in the DPoP scheme (RFC 9449 section 7.1); the Bearer scheme does.
    if (presented.scheme === 'DPoP') {
      throw invalidTokenError(
        'token_binding',
        'The token is bound to no key: present it as a Bearer token',
        undefined,
        'Bearer',
      );
    }
  }

  private async verifyDpop(verified: VerifiedToken, presented: Presented): Promise<void> {
    const proof = await this.readProof(presented, verified.issuer.clockToleranceSeconds);
    this.check(verified, presented, proof);
    // Last: a proof that was refused for another reason may be sent again.
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
