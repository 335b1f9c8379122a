/** Token check for servers without one: follows the jose documentation, on every request. */
import { ALGORITHMS } from './workload.mjs';

/** @returns a function from the `authorization` header to the claims, or to an error for an invalid token. */
export function bearerCheck({ createRemoteJWKSet, jwtVerify }, { issuer, audience }) {
  const keys = createRemoteJWKSet(new URL(`${issuer}/jwks`));
  const expected = { issuer, audience, algorithms: ALGORITHMS, typ: 'at+jwt' };
  return async (header) => {
    if (!header?.startsWith('Bearer ')) throw new Error('no token');
    const { payload } = await jwtVerify(header.slice('Bearer '.length), keys, expected);
    return payload;
  };
}
