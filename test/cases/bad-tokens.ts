/** Tokens and their expected results, one per row; the server accepts only ES256 of one issuer. */
import { createPublicKey, KeyObject } from 'node:crypto';
import type { Claims, SigningKey, TestIssuer } from '../support/issuer.js';
import { forge, forgeHmac, segment, signingInput } from './forge.js';
import { accessTokenClaims } from '../support/principals.js';

export interface World {
  readonly issuer: TestIssuer;
  /** The ES256 key of the issuer. */
  readonly key: SigningKey;
  /** An RS256 key that the issuer also publishes. */
  readonly rsa: SigningKey;
  /** An attacker's issuer with its own server, keys and name. */
  readonly attacker: TestIssuer;
  readonly resource: string;
}

export interface TokenCase {
  readonly name: string;
  readonly token: (world: World) => string;
  /** The reason of the rejection, or `accepted`. */
  readonly expected: string;
}

/** Seconds since the epoch; `seconds` is the offset from now. */
export const soon = (seconds: number) => Math.floor(Date.now() / 1000) + seconds;

export function usualClaims({ issuer, resource }: Pick<World, 'issuer' | 'resource'>): Claims {
  return accessTokenClaims({ iss: issuer.url, aud: resource, scope: 'probe', jti: 'token-1' });
}

export function usualHeader({ key }: Pick<World, 'key'>): Record<string, unknown> {
  return { alg: key.alg, kid: key.kid, typ: 'at+jwt' };
}

type Change = Claims | ((world: World) => Claims);

const changed = (usual: Claims, change: Change, world: World): Claims => ({
  ...usual,
  ...(typeof change === 'function' ? change(world) : change),
});

/** A valid token of the issuer with these claims in place of the default ones; `undefined` removes a claim. */
const claims = (name: string, change: Change, expected: string): TokenCase => ({
  name,
  expected,
  token: (world) =>
    forge({ header: usualHeader(world), claims: changed(usualClaims(world), change, world) }, world.key),
});

/** The same with the claims as text, for content that JSON.stringify cannot produce. */
const claimsText = (name: string, change: (json: string) => string, expected: string): TokenCase => ({
  name,
  expected,
  token: (world) =>
    forge({ header: usualHeader(world), claims: change(JSON.stringify(usualClaims(world))) }, world.key),
});

/** A token with these header fields, signed with the key of the issuer or with another key. */
const header = (
  name: string,
  change: Change,
  expected: string,
  signer: (world: World) => SigningKey = ({ key }) => key,
): TokenCase => ({
  name,
  expected,
  token: (world) =>
    forge({ header: changed(usualHeader(world), change, world), claims: usualClaims(world) }, signer(world)),
});

const text = (name: string, token: TokenCase['token'], expected: string): TokenCase => ({
  name,
  token,
  expected,
});

const valid = (world: World) => forge({ header: usualHeader(world), claims: usualClaims(world) }, world.key);
const foreign = ({ attacker }: World) => attacker.key;
const nested = (levels: number): Claims =>
  levels === 0 ? {} : { act: { sub: `agent-${levels}`, ...nested(levels - 1) } };

/** Base64url has several encodings of the same bytes; a JWS has one canonical form (RFC 7515 section 2). */
const lastCharacterRespelled = (token: string) => {
  const alphabet = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_';
  return token.slice(0, -1) + alphabet[alphabet.indexOf(token.at(-1) as string) | 1];
};

export const FORM: readonly TokenCase[] = [
  text('the valid reference token', valid, 'accepted'),
  text('a text that is not a JWT', () => 'secret', 'token_malformed'),
  text('two segments', (world) => valid(world).split('.').slice(0, 2).join('.'), 'token_malformed'),
  text('four segments', (world) => `${valid(world)}.x`, 'token_malformed'),
  text('three dots', () => '...', 'token_malformed'),
  text('empty signature', (world) => `${valid(world).split('.').slice(0, 2).join('.')}.`, 'token_signature'),
  text('empty claims', (world) => valid(world).replace(/\..*\./, '..'), 'token_malformed'),
  text(
    'header that is not JSON',
    (world) => `bm9wZQ.${valid(world).split('.').slice(1).join('.')}`,
    'token_malformed',
  ),
  text(
    'header that is a list',
    (world) => forge({ header: [], claims: usualClaims(world) }, world.key),
    'token_malformed',
  ),
  text(
    'claims that are a list',
    (world) => forge({ header: usualHeader(world), claims: [] }, world.key),
    'token_malformed',
  ),
  text(
    'claims that are null',
    (world) => forge({ header: usualHeader(world), claims: 'null' }, world.key),
    'token_malformed',
  ),
  text('signature with padding', (world) => `${valid(world)}==`, 'token_malformed'),
  text('signature with unused bits set', (world) => lastCharacterRespelled(valid(world)), 'token_malformed'),
  text(
    'encrypted token',
    () => [segment({ alg: 'RSA-OAEP', enc: 'A256GCM', typ: 'at+jwt' }), 'AA', 'AA', 'AA', 'AA'].join('.'),
    'token_malformed',
  ),
  text(
    'encrypted token with alg ES256',
    (world) => [segment(usualHeader(world)), 'AA', 'AA', 'AA', 'AA'].join('.'),
    'token_malformed',
  ),
  text('15,000 characters', () => 'a'.repeat(15_000), 'token_malformed'),
];

export const SIGNATURE: readonly TokenCase[] = [
  text(
    'alg none without a signature',
    (world) =>
      `${signingInput({ header: { ...usualHeader(world), alg: 'none' }, claims: usualClaims(world) })}.`,
    'token_algorithm',
  ),
  header('alg none with a signature', { alg: 'none' }, 'token_algorithm'),
  header('alg NONE', { alg: 'NONE' }, 'token_algorithm'),
  header('alg missing', { alg: undefined }, 'token_algorithm'),
  header('alg a list', { alg: ['ES256'] }, 'token_algorithm'),
  header('alg in lower case', { alg: 'es256' }, 'token_algorithm'),
  text(
    'HS256 keyed with the public key as PEM',
    (world) =>
      forgeHmac(
        { header: { ...usualHeader(world), alg: 'HS256' }, claims: usualClaims(world) },
        pem(world.key),
      ),
    'token_algorithm',
  ),
  text(
    'HS256 with alg ES256',
    (world) => forgeHmac({ header: usualHeader(world), claims: usualClaims(world) }, pem(world.key)),
    'token_signature',
  ),
  header(
    'valid RS256 of the issuer when only ES256 is accepted',
    ({ rsa }) => ({ alg: 'RS256', kid: rsa.kid }),
    'token_algorithm',
    ({ rsa }) => rsa,
  ),
  header('RS256 signature with alg ES256', {}, 'token_signature', ({ rsa }) => rsa),
  header('kid of an RSA key with alg ES256', ({ rsa }) => ({ kid: rsa.kid }), 'token_signature'),
  header('unknown key under the key id of the issuer', {}, 'token_signature', foreign),
  header('unknown key under its own key id', { kid: 'key-2' }, 'token_signature', foreign),
  header('no kid, key of the issuer', { kid: undefined }, 'accepted'),
  header('no kid, unknown key', { kid: undefined }, 'token_signature', foreign),
  text(
    'claims exchanged after signing',
    (world) => {
      const [head, , signature] = valid(world).split('.');
      return [head, segment({ ...usualClaims(world), sub: 'bob' }), signature].join('.');
    },
    'token_signature',
  ),
  text(
    'signature of zeros (CVE-2022-21449)',
    (world) =>
      `${signingInput({ header: usualHeader(world), claims: usualClaims(world) })}.${Buffer.alloc(64).toString('base64url')}`,
    'token_signature',
  ),
  header('embedded jwk', ({ attacker }) => ({ jwk: attacker.key.jwk }), 'token_signature', foreign),
  header(
    'embedded jwk, no kid',
    ({ attacker }) => ({ jwk: attacker.key.jwk, kid: undefined }),
    'token_signature',
    foreign,
  ),
  header(
    'jku of the attacker',
    ({ attacker }) => ({ jku: `${attacker.url}/jwks` }),
    'token_signature',
    foreign,
  ),
  header(
    'jku of the attacker, no kid',
    ({ attacker }) => ({ jku: `${attacker.url}/jwks`, kid: undefined }),
    'token_signature',
    foreign,
  ),
  header(
    'x5u of the attacker',
    ({ attacker }) => ({ x5u: `${attacker.url}/cert.pem` }),
    'token_signature',
    foreign,
  ),
  header('x5c of the attacker', { x5c: ['MIIB'] }, 'token_signature', foreign),
  header(
    'jku is ignored beside the key of the issuer',
    ({ attacker }) => ({ jku: `${attacker.url}/jwks` }),
    'accepted',
  ),
  ...[
    '../../../../etc/passwd',
    '/dev/null',
    "key-1' OR '1'='1",
    'key-1; DROP TABLE keys',
    '__proto__',
    'constructor',
    'toString',
    '',
    'key-1\u0000',
    'KEY-1',
    'http://127.0.0.1/jwks',
    'k'.repeat(2000),
  ].map((kid) => header(`kid ${JSON.stringify(kid.slice(0, 40))}`, { kid }, 'token_signature', foreign)),
  ...[1, null, ['key-1'], { kid: 'key-1' }, true].map((kid) =>
    header(`kid ${JSON.stringify(kid)}`, { kid }, 'token_signature', foreign),
  ),
  header('crit b64', { crit: ['b64'], b64: true }, 'token_malformed'),
  header('crit of an unknown extension', { crit: ['exp'], exp: 1 }, 'token_malformed'),
  header('crit empty', { crit: [] }, 'token_malformed'),
  header('crit null', { crit: null }, 'token_malformed'),
];

export const TYPE: readonly TokenCase[] = [
  header('typ missing', { typ: undefined }, 'token_type'),
  header('typ JWT', { typ: 'JWT' }, 'token_type'),
  header('typ at+JWT', { typ: 'at+JWT' }, 'accepted'),
  header('typ application/at+jwt', { typ: 'application/at+jwt' }, 'accepted'),
  header('typ Application/AT+JWT', { typ: 'Application/AT+JWT' }, 'accepted'),
  ...[
    'dpop+jwt',
    'logout+jwt',
    'secevent+jwt',
    'oauth-id-jag+jwt',
    'rfc7523+jwt',
    'client-authentication+jwt',
    'token-introspection+jwt',
    'oauth-authz-req+jwt',
    'entity-statement+jwt',
    'vc+sd-jwt',
    'kb+jwt',
    'id+jwt',
    'none',
    '',
    'at+jwt ',
    'at+jwt; charset=utf-8',
    'application/application/at+jwt',
  ].map((typ) => header(`typ ${JSON.stringify(typ)}`, { typ }, 'token_type')),
  header('typ null', { typ: null }, 'token_type'),
  header('typ a list', { typ: ['at+jwt'] }, 'token_type'),
  header('typ an object', { typ: { toString: 'at+jwt' } }, 'token_type'),
  ...['nonce', 'at_hash', 'c_hash', 's_hash'].map((claim) =>
    claims(`ID token: ${claim}`, { [claim]: 'n-0S6_WzA2Mj' }, 'token_type'),
  ),
  claims(
    'logout token',
    { events: { 'http://schemas.openid.net/event/backchannel-logout': {} }, sid: '1' },
    'token_type',
  ),
  claims('security event', { sub_id: { format: 'opaque', id: '1' } }, 'token_type'),
  ...['htm', 'htu', 'ath'].map((claim) => claims(`DPoP proof: ${claim}`, { [claim]: 'POST' }, 'token_type')),
  claims(
    'bound to a DPoP key',
    { cnf: { jkt: '0ZcOCORZNYy-DWpqq30jZyJGHTN0d2HglBV3uiguA4I' } },
    'token_binding',
  ),
  claims(
    'bound to a certificate',
    { cnf: { 'x5t#S256': 'bwcK0esc3ACC3DB2Y5_lESsXE8o9ltc05O89jdN-dg2' } },
    'token_binding',
  ),
  ...[{}, 'x', [], { jkt: null }].map((cnf) =>
    claims(`cnf ${JSON.stringify(cnf)}`, { cnf }, 'token_binding'),
  ),
  claims('cnf null', { cnf: null }, 'accepted'),
];

export const ISSUER_AND_AUDIENCE: readonly TokenCase[] = [
  text(
    'an attacker with its own keys and issuer',
    (world) =>
      forge(
        {
          header: { ...usualHeader(world), kid: world.attacker.key.kid },
          claims: { ...usualClaims(world), iss: world.attacker.url },
        },
        world.attacker.key,
      ),
    'token_issuer',
  ),
  claims('key of the issuer, iss of the attacker', ({ attacker }) => ({ iss: attacker.url }), 'token_issuer'),
  claims('iss with a trailing slash', ({ issuer }) => ({ iss: `${issuer.url}/` }), 'token_issuer'),
  claims('iss in upper case', ({ issuer }) => ({ iss: issuer.url.toUpperCase() }), 'token_issuer'),
  claims(
    'iss under another name of the same host',
    ({ issuer }) => ({ iss: issuer.url.replace('127.0.0.1', 'localhost') }),
    'token_issuer',
  ),
  claims(
    'iss with the issuer as a prefix',
    ({ issuer }) => ({ iss: `${issuer.url}.evil.example` }),
    'token_issuer',
  ),
  claims('iss missing', { iss: undefined }, 'token_issuer'),
  claims('iss null', { iss: null }, 'token_issuer'),
  claims('iss a list that contains the issuer', ({ issuer }) => ({ iss: [issuer.url] }), 'token_issuer'),
  claims('aud missing', { aud: undefined }, 'token_audience'),
  claims('aud an empty list', { aud: [] }, 'token_audience'),
  claims('aud empty', { aud: '' }, 'token_audience'),
  claims('aud another', { aud: 'https://other.example/mcp' }, 'token_audience'),
  claims('aud others', { aud: ['https://other.example/mcp', 'https://third.example'] }, 'token_audience'),
  claims(
    'aud a list that contains the gateway',
    ({ resource }) => ({ aud: ['https://other.example/mcp', resource] }),
    'accepted',
  ),
  claims('aud with a trailing slash', ({ resource }) => ({ aud: `${resource}/` }), 'token_audience'),
  claims(
    "aud that is a prefix of the gateway's",
    ({ resource }) => ({ aud: new URL(resource).origin }),
    'token_audience',
  ),
  claims(
    'aud with the gateway as a prefix',
    ({ resource }) => ({ aud: `${resource}/admin` }),
    'token_audience',
  ),
  claims('aud in upper case', ({ resource }) => ({ aud: resource.toUpperCase() }), 'token_audience'),
  claims('aud a wildcard', { aud: '*' }, 'token_audience'),
  claims('aud an object', ({ resource }) => ({ aud: { [resource]: true } }), 'token_audience'),
  claims('aud a list in a list', ({ resource }) => ({ aud: [[resource]] }), 'token_audience'),
  claims(
    'aud two values in one string',
    ({ resource }) => ({ aud: `${resource} https://other.example` }),
    'token_audience',
  ),
  claims('aud null', { aud: null }, 'token_audience'),
  claims('aud the client', { aud: 'agent' }, 'token_audience'),
];

/** Clock tolerance: 5 seconds. Maximum lifetime: 3600 seconds. */
export const TIMES: readonly TokenCase[] = [
  claims('exp missing', { exp: undefined }, 'token_claims'),
  claims('exp null', { exp: null }, 'token_claims'),
  claims('exp a string', { exp: '9999999999' }, 'token_claims'),
  claims('exp a list', () => ({ exp: [soon(300)] }), 'token_claims'),
  claims('exp in milliseconds', () => ({ exp: soon(300) * 1000 }), 'token_lifetime'),
  claims('exp an hour ago', () => ({ iat: soon(-3900), exp: soon(-3600) }), 'token_expired'),
  claims('exp now, within the tolerance', () => ({ iat: soon(-300), exp: soon(0) }), 'accepted'),
  claims('exp at the edge of the tolerance', () => ({ iat: soon(-300), exp: soon(-5) }), 'token_expired'),
  claims('exp inside the tolerance', () => ({ iat: soon(-300), exp: soon(-3) }), 'accepted'),
  claims('exp zero', { iat: -300, exp: 0 }, 'token_expired'),
  claims('exp negative', { iat: -600, exp: -300 }, 'token_expired'),
  claims('exp before iat', () => ({ iat: soon(3), exp: soon(2) }), 'token_claims'),
  claims('exp equal to iat', () => ({ iat: soon(3), exp: soon(3) }), 'token_claims'),
  claims('maximum lifetime', () => ({ exp: soon(3600) }), 'accepted'),
  claims(
    'lifetime one second above the maximum',
    () => ({ iat: soon(0), exp: soon(3601) }),
    'token_lifetime',
  ),
  claims('lifetime of a hundred years', () => ({ exp: soon(3_153_600_000) }), 'token_lifetime'),
  claims('issued in 1970', { iat: 0 }, 'token_lifetime'),
  claims('issued before 1970', { iat: -1 }, 'token_lifetime'),
  claimsText('exp NaN', (json) => json.replace(/"exp":\d+/, '"exp":NaN'), 'token_malformed'),
  claimsText('exp 1e400', (json) => json.replace(/"exp":\d+/, '"exp":1e400'), 'token_lifetime'),
  claimsText(
    'exp 1e400, iat -1e400',
    (json) => json.replace(/"exp":\d+/, '"exp":1e400').replace(/"iat":\d+/, '"iat":-1e400'),
    'token_lifetime',
  ),
  claimsText('iat 1e400', (json) => json.replace(/"iat":\d+/, '"iat":1e400'), 'token_not_yet_valid'),
  claimsText('nbf -1e400', (json) => json.replace('{', '{"nbf":-1e400,'), 'accepted'),
  claims('nbf in the future', () => ({ nbf: soon(60) }), 'token_not_yet_valid'),
  claims('nbf inside the tolerance', () => ({ nbf: soon(5) }), 'accepted'),
  claims('nbf outside the tolerance', () => ({ nbf: soon(7) }), 'token_not_yet_valid'),
  claims('nbf a string', { nbf: '0' }, 'token_claims'),
  claims('nbf null', { nbf: null }, 'accepted'),
  claims('iat missing', { iat: undefined }, 'token_lifetime'),
  claims('iat null', { iat: null }, 'token_lifetime'),
  claims('iat a string', { iat: '0' }, 'token_claims'),
  claims('iat inside the tolerance', () => ({ iat: soon(5) }), 'accepted'),
  claims('iat outside the tolerance', () => ({ iat: soon(7) }), 'token_not_yet_valid'),
  claims('iat tomorrow', () => ({ iat: soon(86_400), exp: soon(86_700) }), 'token_not_yet_valid'),
];

export const IDENTITY: readonly TokenCase[] = [
  ...[undefined, null, '', '  ', 7, ['alice'], { id: 'alice' }, true].map((sub) =>
    claims(`sub ${JSON.stringify(sub)}`, { sub }, 'token_claims'),
  ),
  ...[undefined, null, '', 7, ['agent'], {}].map((client_id) =>
    claims(`client_id ${JSON.stringify(client_id)}`, { client_id }, 'token_claims'),
  ),
  claims('azp in place of client_id', { client_id: undefined, azp: 'agent' }, 'accepted'),
  claims('client_id null, azp valid', { client_id: null, azp: 'agent' }, 'accepted'),
  claims('client_id a number, azp valid', { client_id: 7, azp: 'agent' }, 'token_claims'),
  ...[7, {}, ['x'], '', true].map((jti) => claims(`jti ${JSON.stringify(jti)}`, { jti }, 'token_claims')),
  ...[7, {}, ['x'], ''].map((tenant) =>
    claims(`tenant ${JSON.stringify(tenant)}`, { tenant }, 'token_claims'),
  ),
  ...[{ probe: true }, 7, true, [['probe']], ['probe', 7], [{ probe: 1 }], ['probe', null]].map((scope) =>
    claims(`scope ${JSON.stringify(scope)}`, { scope }, 'token_claims'),
  ),
  claims('scope null, scp valid', { scope: null, scp: ['probe'] }, 'accepted'),
  claims('scope a list of strings', { scope: ['probe'] }, 'accepted'),
  claims('scope with double spaces', { scope: '  other   probe  ' }, 'accepted'),
  claims('scope twice', { scope: 'probe probe' }, 'accepted'),
  claims('scp in place of scope', { scope: undefined, scp: ['probe'] }, 'accepted'),
  ...['admin', { admin: true }, [['admin']], 7, ['admin', 7], ['admin', null], [{ name: 'admin' }]].map(
    (roles) => claims(`roles ${JSON.stringify(roles)}`, { roles }, 'token_claims'),
  ),
  claims(
    'optional claims that are null',
    { roles: null, acr: null, auth_time: null, act: null, jti: null, tenant: null, sid: null, nonce: null },
    'accepted',
  ),
  claims('act null in an act', { act: { sub: 'a', iss: null, act: null } }, 'accepted'),
  claims('roles empty', { roles: [] }, 'accepted'),
  claims('act one agent', nested(1), 'accepted'),
  claims('act ten agents deep', nested(10), 'accepted'),
  claims('act eleven agents deep', nested(11), 'accepted'),
  claims('act three hundred agents deep', nested(300), 'accepted'),
  ...[
    'agent',
    ['agent'],
    7,
    { sub: null },
    {},
    { sub: '' },
    { sub: 7 },
    { sub: 'a', iss: 7 },
    { sub: 'a', act: 'b' },
    { sub: 'a', act: { iss: 'x' } },
  ].map((act) => claims(`act ${JSON.stringify(act)}`, { act }, 'token_claims')),
];

function pem({ privateKey }: SigningKey): string {
  return createPublicKey(KeyObject.from(privateKey as never) as never)
    .export({ type: 'spki', format: 'pem' })
    .toString();
}
