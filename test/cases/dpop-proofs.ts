/** DPoP proofs and their expected error text, one per row; all except the valid ones are rejected. */
import { createHash, webcrypto } from 'node:crypto';
import { exportJWK } from 'jose';
import { makeKey, type Claims, type SigningKey } from '../support/issuer.js';
import { forge, forgeHmac, segment, signingInput } from './forge.js';

export interface ProofWorld {
  /** The key of the client. */
  readonly key: SigningKey;
  readonly rsa: SigningKey;
  readonly ed25519: SigningKey;
  /** RSA with 1024 bits. */
  readonly weak: SigningKey;
  /** The key of another client. */
  readonly foreign: SigningKey;
  /** The request that carries the proof. */
  readonly method: string;
  readonly url: string;
  readonly accessToken: string;
  /** Seconds since the epoch. */
  readonly now: number;
}

export interface ProofCase {
  readonly name: string;
  readonly proof: (world: ProofWorld) => string;
  /** Part of the public error text, or `accepted`. */
  readonly says: string;
}

export async function proofWorld(
  request: Pick<ProofWorld, 'method' | 'url' | 'accessToken' | 'now'>,
): Promise<ProofWorld> {
  const [key, foreign, rsa, ed25519, weak] = await Promise.all([
    makeKey('client'),
    makeKey('stranger'),
    makeKey('rsa', 'RS256'),
    makeKey('ed25519', 'EdDSA'),
    weakKey(),
  ]);
  return { ...request, key, foreign, rsa, ed25519, weak };
}

async function weakKey(): Promise<SigningKey> {
  const { privateKey, publicKey } = await webcrypto.subtle.generateKey(
    {
      name: 'RSASSA-PKCS1-v1_5',
      hash: 'SHA-256',
      modulusLength: 1024,
      publicExponent: Uint8Array.of(1, 0, 1),
    },
    true,
    ['sign', 'verify'],
  );
  return {
    alg: 'RS256',
    kid: 'weak',
    privateKey: privateKey as SigningKey['privateKey'],
    jwk: await exportJWK(publicKey),
  };
}

/** The public key as a client library sends it: only the members of the key itself. */
export function bareJwk({ jwk: { kty, crv, x, y, n, e } }: SigningKey): Claims {
  return JSON.parse(JSON.stringify({ kty, crv, x, y, n, e })) as Claims;
}

export function usualProofHeader(key: SigningKey): Claims {
  return { typ: 'dpop+jwt', alg: key.alg, jwk: bareJwk(key) };
}

export function usualProofClaims({ method, url, accessToken, now }: ProofWorld): Claims {
  const ath = createHash('sha256').update(accessToken).digest('base64url');
  return { jti: 'proof-1', htm: method, htu: url, iat: now, ath };
}

type Change = Claims | ((world: ProofWorld) => Claims);
const changes = (change: Change, world: ProofWorld) =>
  typeof change === 'function' ? change(world) : change;

/** A valid proof with these claims in place of the default ones; `undefined` removes a claim. */
const claims = (name: string, change: Change, says: string): ProofCase => ({
  name,
  says,
  proof: (world) =>
    forge(
      {
        header: usualProofHeader(world.key),
        claims: { ...usualProofClaims(world), ...changes(change, world) },
      },
      world.key,
    ),
});

/** A proof with these header fields, signed with this key. */
const header = (
  name: string,
  change: Change,
  says: string,
  signer: (world: ProofWorld) => SigningKey = ({ key }) => key,
): ProofCase => ({
  name,
  says,
  proof: (world) =>
    forge(
      {
        header: { ...usualProofHeader(signer(world)), ...changes(change, world) },
        claims: usualProofClaims(world),
      },
      signer(world),
    ),
});

/** The same with changes to the jwk. */
const jwk = (
  name: string,
  change: Change,
  says: string,
  signer?: (world: ProofWorld) => SigningKey,
): ProofCase =>
  header(
    name,
    (world) => ({ jwk: { ...bareJwk(signer?.(world) ?? world.key), ...changes(change, world) } }),
    says,
    signer,
  );

const text = (name: string, proof: ProofCase['proof'], says: string): ProofCase => ({ name, proof, says });

/** Signs the given JSON text, for content that JSON.stringify cannot produce. */
const json = (
  name: string,
  write: (header: string, claims: string) => [string, string],
  says: string,
): ProofCase =>
  text(
    name,
    (world) => {
      const [head, body] = write(
        JSON.stringify(usualProofHeader(world.key)),
        JSON.stringify(usualProofClaims(world)),
      );
      return forge({ header: head, claims: body }, world.key);
    },
    says,
  );

export const validProof = (world: ProofWorld) =>
  forge({ header: usualProofHeader(world.key), claims: usualProofClaims(world) }, world.key);

const ALPHABET = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_';
const respelled = (base64url: string) =>
  base64url.slice(0, -1) + ALPHABET[ALPHABET.indexOf(base64url.at(-1) as string) | 1];
const joined = (world: ProofWorld) =>
  signingInput({ header: usualProofHeader(world.key), claims: usualProofClaims(world) });

const NO_JWT = 'not a signed JWT';
const FORM: readonly ProofCase[] = [
  text('a text that is not a JWT', () => 'secret', NO_JWT),
  text('nothing', () => '', NO_JWT),
  text('three dots', () => '...', NO_JWT),
  text('two segments', (world) => joined(world), NO_JWT),
  text('four segments', (world) => `${validProof(world)}.x`, NO_JWT),
  text('a list of two proofs', (world) => `${validProof(world)}, ${validProof(world)}`, NO_JWT),
  text('space before', (world) => ` ${validProof(world)}`, NO_JWT),
  text('signature with padding', (world) => `${validProof(world)}==`, NO_JWT),
  text('signature with unused bits set', (world) => respelled(validProof(world)), NO_JWT),
  text('header that is not base64url', (world) => `+${validProof(world)}`, NO_JWT),
  text('8193 characters', () => 'a'.repeat(8193), 'too long'),
  claims('huge claim', { extra: 'x'.repeat(8000) }, 'too long'),
  jwk('huge key', { x: 'A'.repeat(8000) }, 'too long'),
  json('header that is not JSON', (_, body) => ['nope', body], NO_JWT),
  json('header that is a list', (_, body) => ['[]', body], NO_JWT),
  json('header that is null', (_, body) => ['null', body], NO_JWT),
  json('claims that are a list', (head) => [head, '[]'], NO_JWT),
  json('claims that are a string', (head) => [head, '"htm"'], NO_JWT),
  json('claims that are null', (head) => [head, 'null'], NO_JWT),
  json('claims with a byte order mark', (head, body) => [head, `\ufeff${body}`], NO_JWT),
  json('claims with a comment', (head, body) => [head, `${body}//`], NO_JWT),
  json('htm twice', (head, body) => [head, body.replace('{', '{"htm":"GET",')], NO_JWT),
  json(
    'htm twice, once with escapes',
    (head, body) => [head, body.replace('{', '{"\\u0068tm":"GET",')],
    NO_JWT,
  ),
  json('alg twice', (head, body) => [head.replace('{', '{"alg":"none",'), body], NO_JWT),
  json('jwk twice', (head, body) => [head.replace('{', '{"jwk": {"kty":"oct"},'), body], NO_JWT),
  json('x of the key twice', (head, body) => [head.replace('"kty"', '"x" :"AA","kty"'), body], NO_JWT),
  json('a header __proto__', (head, body) => [head.replace('{', '{"__proto__":{"crit":[]},'), body], NO_JWT),
  json('the jwk only in a __proto__', (head, body) => [head.replace('"jwk"', '"__proto__"'), body], NO_JWT),
  json('a claim __proto__', (head, body) => [head, body.replace('{', '{"__proto__":{"nonce":"n"},')], NO_JWT),
  json('a claim constructor', (head, body) => [head, body.replace('{', '{"constructor":{},')], NO_JWT),
  text(
    'claims that are not UTF-8',
    (world) => {
      const input = `${segment(usualProofHeader(world.key))}.${Buffer.from('7b22ff223a317d', 'hex').toString('base64url')}`;
      return `${input}.${validProof(world).split('.')[2]}`;
    },
    NO_JWT,
  ),
];

const TYPE: readonly ProofCase[] = [
  undefined,
  null,
  1,
  ['dpop+jwt'],
  '',
  'JWT',
  'at+jwt',
  'dpop',
  'dpop+jwt ',
  'dpop+jwt;v=1',
  'text/dpop+jwt',
].map((typ) => header(`typ ${JSON.stringify(typ)}`, { typ }, 'not of type dpop+jwt'));

const EXTENSION = 'unknown extension';
const ALGORITHM: readonly ProofCase[] = [
  ...[
    undefined,
    null,
    1,
    ['ES256'],
    '',
    'none',
    'NONE',
    'es256',
    'ES256K',
    'HS256',
    '__proto__',
    'constructor',
  ].map((alg) => header(`alg ${JSON.stringify(alg)}`, { alg }, 'algorithm that is not accepted')),
  text(
    'alg none without a signature',
    (world) =>
      `${signingInput({ header: { ...usualProofHeader(world.key), alg: 'none' }, claims: usualProofClaims(world) })}.`,
    'algorithm that is not accepted',
  ),
  text(
    'HS256 keyed with the public key',
    (world) =>
      forgeHmac(
        { header: { ...usualProofHeader(world.key), alg: 'HS256' }, claims: usualProofClaims(world) },
        JSON.stringify(bareJwk(world.key)),
      ),
    'algorithm that is not accepted',
  ),
  header('crit b64', { crit: ['b64'], b64: true }, EXTENSION),
  header('crit b64 false', { crit: ['b64'], b64: false }, EXTENSION),
  header('crit empty', { crit: [] }, EXTENSION),
  header('crit null', { crit: null }, EXTENSION),
];

const NO_KEY = 'no public key';
const NOT_PUBLIC = 'a key that is not public';
const MISFIT = 'does not fit its algorithm';
const rsa = ({ rsa: key }: ProofWorld) => key;
const ed25519 = ({ ed25519: key }: ProofWorld) => key;
const bytesOf = (base64url: unknown) => Buffer.from(base64url as string, 'base64url');
const padded = (base64url: unknown) =>
  Buffer.concat([Buffer.alloc(1), bytesOf(base64url)]).toString('base64url');

const KEY: readonly ProofCase[] = [
  ...[undefined, null, 'ES256', 1, []].map((key) =>
    header(`jwk ${JSON.stringify(key)}`, { jwk: key }, NO_KEY),
  ),
  header(
    'kid, jku and x5u in place of jwk',
    { jwk: undefined, kid: 'client', jku: 'https://a.example/k', x5u: 'https://a.example/c' },
    NO_KEY,
  ),
  ...['d', 'p', 'q', 'dp', 'dq', 'qi', 'oth', 'k', 'priv'].map((member) =>
    jwk(`jwk with ${member}`, { [member]: 'AQAB' }, NOT_PUBLIC),
  ),
  jwk('jwk with an empty d', { d: '' }, NOT_PUBLIC),
  jwk('jwk with d null', { d: null }, NOT_PUBLIC),
  jwk('jwk oct', () => ({ kty: 'oct', k: 'c2VjcmV0' }), NOT_PUBLIC),
  header('jwk empty', { jwk: {} }, MISFIT),
  jwk('jwk without kty', { kty: undefined }, MISFIT),
  jwk('jwk without crv', { crv: undefined }, MISFIT),
  jwk('jwk without x', { x: undefined }, MISFIT),
  jwk('jwk without y', { y: undefined }, MISFIT),
  jwk('x a number', { x: 1 }, MISFIT),
  jwk('x a list', ({ key }) => ({ x: [key.jwk.x] }), MISFIT),
  jwk('x with padding', ({ key }) => ({ x: `${key.jwk.x}=` }), MISFIT),
  jwk('x with unused bits set', ({ key }) => ({ x: respelled(key.jwk.x as string) }), MISFIT),
  jwk('x with a leading zero', ({ key }) => ({ x: padded(key.jwk.x) }), MISFIT),
  jwk('x and y empty', { x: '', y: '' }, MISFIT),
  jwk('another curve by name', { crv: 'P-384' }, MISFIT),
  jwk('secp256k1 by name', { crv: 'secp256k1' }, MISFIT),
  jwk('kty of an RSA key', { kty: 'RSA' }, MISFIT),
  jwk('kty in lower case', { kty: 'ec' }, MISFIT),
  header('Ed25519 key with alg ES256', ({ ed25519: key }) => ({ jwk: bareJwk(key) }), MISFIT),
  header('RSA key with alg ES256', ({ rsa: key }) => ({ jwk: bareJwk(key) }), MISFIT),
  header('EC key with alg EdDSA', { alg: 'EdDSA' }, MISFIT),
  header('EC key with alg RS256', { alg: 'RS256' }, MISFIT),
  jwk('X25519 for EdDSA', { crv: 'X25519' }, MISFIT, ed25519),
  jwk('Ed448 for EdDSA', { crv: 'Ed448' }, MISFIT, ed25519),
  jwk(
    'Ed25519 with 31 bytes',
    ({ ed25519: key }) => ({ x: bytesOf(key.jwk.x).subarray(1).toString('base64url') }),
    MISFIT,
    ed25519,
  ),
  jwk('Ed25519 with 33 bytes', ({ ed25519: key }) => ({ x: padded(key.jwk.x) }), MISFIT, ed25519),
  header('RSA with 1024 bits', {}, MISFIT, ({ weak }) => weak),
  jwk(
    'RSA with 1024 bits after zeros',
    ({ weak }) => ({ n: Buffer.concat([Buffer.alloc(128), bytesOf(weak.jwk.n)]).toString('base64url') }),
    MISFIT,
    ({ weak }) => weak,
  ),
  jwk(
    'RSA with 2047 bits',
    { n: Buffer.concat([Buffer.of(0x7f), Buffer.alloc(255, 1)]).toString('base64url') },
    MISFIT,
    rsa,
  ),
  jwk('RSA with a leading zero', ({ rsa: key }) => ({ n: padded(key.jwk.n) }), MISFIT, rsa),
  jwk('RSA with 8200 bits', { n: Buffer.alloc(1025, 255).toString('base64url') }, MISFIT, rsa),
  ...['', 'AA', 'AQ', 'Ag', 'AAEAAQ', 'AQAA', 'AQAAAAE'].map((e) =>
    jwk(`RSA with the exponent ${e}`, { e }, MISFIT, rsa),
  ),
  jwk('jwk for another algorithm', { alg: 'ES384' }, MISFIT),
  jwk('jwk with alg null', { alg: null }, MISFIT),
  jwk('jwk for encryption', { use: 'enc' }, MISFIT),
  ...[
    [],
    ['sign'],
    ['encrypt'],
    ['verify', 'sign'],
    ['verify', 'verify'],
    [['verify']],
    'verify',
    null,
    {},
  ].map((ops) => jwk(`jwk with key_ops ${JSON.stringify(ops)}`, { key_ops: ops }, MISFIT)),
];

const FORGED = 'signature of the DPoP proof does not match';
const SIGNATURE: readonly ProofCase[] = [
  header('jwk of another client', ({ foreign }) => ({ jwk: bareJwk(foreign) }), FORGED),
  jwk('point outside the curve', ({ key }) => ({ y: key.jwk.x }), FORGED),
  jwk('point at zero', { x: 'A'.repeat(43), y: 'A'.repeat(43) }, FORGED),
  header('RS256 signature with alg PS256', { alg: 'PS256' }, FORGED, rsa),
  text('empty signature', (world) => `${joined(world)}.`, FORGED),
  text(
    'signature of zeros (CVE-2022-21449)',
    (world) => `${joined(world)}.${Buffer.alloc(64).toString('base64url')}`,
    FORGED,
  ),
  text(
    'signature cut short',
    (world) =>
      `${joined(world)}.${bytesOf(validProof(world).split('.')[2]).subarray(1).toString('base64url')}`,
    FORGED,
  ),
  text(
    'claims exchanged after signing',
    (world) =>
      [
        segment(usualProofHeader(world.key)),
        segment({ ...usualProofClaims(world), jti: 'proof-2' }),
        validProof(world).split('.')[2],
      ].join('.'),
    FORGED,
  ),
  text(
    'header exchanged after signing',
    (world) =>
      [segment({ ...usualProofHeader(world.key), kid: 'x' }), ...validProof(world).split('.').slice(1)].join(
        '.',
      ),
    FORGED,
  ),
];

/** Another URL or no URL. `ours` is the URL of the request. */
const elsewhere = (name: string, change: (ours: URL, url: string) => string): ProofCase =>
  claims(`htu ${name}`, ({ url }) => ({ htu: change(new URL(url), url) }), 'made for another address');

const CLAIMS: readonly ProofCase[] = [
  ...[undefined, null, '', 1, [], { a: 1 }, 'j'.repeat(257)].map((jti) =>
    claims(`jti ${JSON.stringify(jti)?.slice(0, 20)}`, { jti }, 'no valid jti'),
  ),
  ...[undefined, null, '', 'GET', 'post', 'POST ', ['POST'], 1].map((htm) =>
    claims(`htm ${JSON.stringify(htm)}`, { htm }, 'made for another method'),
  ),
  ...[undefined, null, 1, ''].map((htu) =>
    claims(`htu ${JSON.stringify(htu)}`, { htu }, 'made for another address'),
  ),
  claims('htu a list that contains the URL', ({ url }) => ({ htu: [url] }), 'made for another address'),
  elsewhere('of another host', ({ protocol, pathname }) => `${protocol}//other.example${pathname}`),
  elsewhere(
    "of a host with the gateway's host as a prefix",
    ({ protocol, hostname, pathname }) => `${protocol}//${hostname}.evil.example${pathname}`,
  ),
  elsewhere(
    'of another port',
    ({ protocol, hostname, pathname }) => `${protocol}//${hostname}:81${pathname}`,
  ),
  elsewhere('of another scheme', (_, url) =>
    url.replace(/^https?/, (scheme) => (scheme === 'http' ? 'https' : 'http')),
  ),
  elsewhere('of a scheme other than HTTP', (_, url) => url.replace(/^https?/, 'ftp')),
  elsewhere('of another path', (_, url) => `${url}/more`),
  elsewhere('with a trailing slash', (_, url) => `${url}/`),
  elsewhere('with two slashes', ({ origin, pathname }) => `${origin}/${pathname}`),
  elsewhere('in upper case', ({ origin, pathname }) => `${origin}${pathname.toUpperCase()}`),
  elsewhere('with an encoded slash', ({ origin, pathname }) => `${origin}/%2f${pathname.slice(1)}`),
  elsewhere('with a user', ({ protocol, host, pathname }) => `${protocol}//user@${host}${pathname}`),
  elsewhere('with an empty user', ({ protocol, host, pathname }) => `${protocol}//@${host}${pathname}`),
  elsewhere(
    "with the gateway's host as the user",
    ({ protocol, host, pathname }) => `${protocol}//${host}@evil.example${pathname}`,
  ),
  elsewhere('without scheme', ({ host, pathname }) => `//${host}${pathname}`),
  elsewhere('that is only a path', ({ pathname }) => pathname),
  elsewhere('with backslashes', (_, url) => url.replaceAll('/', '\\')),
  elsewhere('with one slash', (_, url) => url.replace('//', '/')),
  elsewhere('with a leading space', (_, url) => ` ${url}`),
  elsewhere('with a line break', (_, url) => `${url.slice(0, -1)}\n${url.slice(-1)}`),
  elsewhere('with a broken percent-encoding', (_, url) => `${url}?%zz`),
  elsewhere(
    'with an invalid port',
    ({ protocol, hostname, pathname }) => `${protocol}//${hostname}:99999${pathname}`,
  ),
  ...[undefined, null, '', 'x', []].map((ath) =>
    claims(`ath ${JSON.stringify(ath)}`, { ath }, 'made for another access token'),
  ),
  claims(
    'ath of another token',
    { ath: createHash('sha256').update('other').digest('base64url') },
    'made for another access token',
  ),
  claims(
    'ath in hex',
    ({ accessToken }) => ({ ath: createHash('sha256').update(accessToken).digest('hex') }),
    'made for another access token',
  ),
  claims(
    'ath with padding',
    (world) => ({ ath: `${String(usualProofClaims(world).ath)}=` }),
    'made for another access token',
  ),
  claims('ath is the token', ({ accessToken }) => ({ ath: accessToken }), 'made for another access token'),
  ...[null, 1, ['n'], {}].map((nonce) =>
    claims(`nonce ${JSON.stringify(nonce)}`, { nonce }, 'nonce of the DPoP proof is not'),
  ),
];

/** The tolerance of every case is five seconds. */
const TIMES: readonly ProofCase[] = [
  ...[undefined, null, '1', [1], true].map((iat) =>
    claims(`iat ${JSON.stringify(iat)}`, { iat }, 'no valid iat'),
  ),
  json(
    'iat above the range of numbers',
    (head, body) => [head, body.replace(/"iat":\d+/, '"iat":1e999')],
    'no valid iat',
  ),
  claims('iat 66 seconds ago', ({ now }) => ({ iat: now - 66 }), 'too old'),
  claims('iat 0', { iat: 0 }, 'too old'),
  claims('iat in 6 seconds', ({ now }) => ({ iat: now + 6 }), 'from the future'),
  claims('iat in milliseconds', ({ now }) => ({ iat: now * 1000 }), 'from the future'),
  claims('exp 5 seconds ago', ({ now }) => ({ exp: now - 5 }), 'has expired'),
  claims('exp a string', ({ now }) => ({ exp: `${now + 60}` }), 'has expired'),
  claims('exp null', { exp: null }, 'has expired'),
  claims('nbf in 6 seconds', ({ now }) => ({ nbf: now + 6 }), 'not valid yet'),
  claims('nbf null', { nbf: null }, 'not valid yet'),
];

const GENUINE = text('the valid reference proof', validProof, 'accepted');

export const BAD_PROOFS: readonly ProofCase[] = [
  ...FORM,
  ...TYPE,
  ...ALGORITHM,
  ...KEY,
  ...SIGNATURE,
  ...CLAIMS,
  ...TIMES,
];

/** Unusual but valid proofs: each is accepted. */
export const GOOD_PROOFS: readonly ProofCase[] = [
  GENUINE,
  header('RS256', {}, 'accepted', rsa),
  header('EdDSA', {}, 'accepted', ed25519),
  header('Ed25519', { alg: 'Ed25519' }, 'accepted', ed25519),
  header('typ in upper case', { typ: 'DPOP+JWT' }, 'accepted'),
  header('typ with application/', { typ: 'application/dpop+jwt' }, 'accepted'),
  header(
    'kid, jku and x5u beside jwk are ignored',
    { kid: '../../etc/passwd', jku: 'http://127.0.0.1:1', x5u: 'x' },
    'accepted',
  ),
  jwk(
    'jwk with use and key_ops',
    { alg: 'ES256', use: 'sig', key_ops: ['verify'], kid: 'k', ext: true },
    'accepted',
  ),
  claims('an unknown claim', { extra: { deep: ['"a": 1', 1] } }, 'accepted'),
  claims('a claim name at two depths', { extra: { jti: [{ jti: 1 }] } }, 'accepted'),
  json(
    'spaces in the JSON',
    (head, body) => [head.replaceAll(':', ' : '), body.replaceAll(',"', ',\n  "')],
    'accepted',
  ),
  claims('jti of 256 characters', { jti: 'j'.repeat(256) }, 'accepted'),
  claims('iat 65 seconds ago', ({ now }) => ({ iat: now - 65 }), 'accepted'),
  claims('iat in 5 seconds', ({ now }) => ({ iat: now + 5 }), 'accepted'),
  claims('iat with a fraction', ({ now }) => ({ iat: now - 0.5 }), 'accepted'),
  claims('exp and nbf within the tolerance', ({ now }) => ({ exp: now - 4, nbf: now + 5 }), 'accepted'),
  claims('htu with query and fragment', ({ url }) => ({ htu: `${url}?a=b#/c?d` }), 'accepted'),
  claims(
    'htu with a scheme and a host in upper case',
    ({ url }) => ({ htu: url.replace(new URL(url).origin, (origin) => origin.toUpperCase()) }),
    'accepted',
  ),
  claims(
    'htu with dot segments',
    ({ url }) => ({ htu: url.replace(/([^/])\/([^/])/, '$1/./a/../$2') }),
    'accepted',
  ),
  claims(
    'htu with a needless percent-encoding',
    ({ url }) => ({ htu: url.replace(/[a-z]$/, (last) => `%${last.charCodeAt(0).toString(16)}`) }),
    'accepted',
  ),
  claims('an unrequested nonce', { nonce: 'n' }, 'accepted'),
];
