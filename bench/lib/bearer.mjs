/** The token check of every server that has none of its own: what the documentation of jose says, on every request. */
import { ALGORITHMS } from './workload.mjs';

/** @returns a function of the `authorization` header: the claims, or an error where the token is not good. */
export function bearerCheck({ createRemoteJWKSet, jwtVerify }, { issuer, audience }) {
  const keys = createRemoteJWKSet(new URL(`${issuer}/jwks`));
  const expected = { issuer, audience, algorithms: ALGORITHMS, typ: 'at+jwt' };
  return async (header) => {
    if (!header?.startsWith('Bearer ')) throw new Error('no token');
    const { payload } = await jwtVerify(header.slice('Bearer '.length), keys, expected);
    return payload;
  };
}
