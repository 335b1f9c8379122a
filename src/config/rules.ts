/** Validation rules for variables and YAML documents. Values are strings unless a rule states another type. */
import { ValidateBy, type ValidationArguments } from 'class-validator';
import { isIP } from 'node:net';
import { SCOPE_TOKEN } from '../core/patterns.js';
import { isJsonObject } from '../lib/json.js';

/** Accepted signature algorithms (RFC 8725 section 3.1: no symmetric ones, no `none`). */
export const ASYMMETRIC = [
  'RS256',
  'RS384',
  'RS512',
  'PS256',
  'PS384',
  'PS512',
  'ES256',
  'ES384',
  'ES512',
  'EdDSA',
  'Ed25519',
];

/** Variables with a password, which a file can hold instead. */
export const SECRET_URLS = {
  DATABASE_URL: { form: /^postgres(ql)?:\/\/\S+$/, message: 'must be a postgres:// URL' },
  SMTP_URL: { form: /^smtps?:\/\/\S+$/, message: 'must be an smtp:// or smtps:// URL' },
} as const;

/** `localhost`, `127.0.0.0/8` or `::1`: traffic stays on the machine, so plain HTTP is accepted. */
export function isLoopbackHost(hostname: string): boolean {
  return (
    hostname === 'localhost' ||
    hostname === '[::1]' ||
    hostname === '::1' ||
    /^127(\.\d{1,3}){3}$/.test(hostname)
  );
}

export function splitList(text: string): string[] {
  return [...new Set(text.split(',').map((item) => item.trim()))].filter((item) => item !== '');
}

/**
 * Scopes separated by commas, spaces or both. RFC 6749 section 3.3 excludes spaces in a scope; this list also
 * excludes commas.
 */
export function splitScopes(text: string): string[] {
  return [...new Set(text.split(/[\s,]+/))].filter((scope) => scope !== '');
}

const SCOPE_WORDS = ['allowed', 'minimal'];

/** One keyword, or a list of scopes without a keyword: `Allowed` is a typing error. */
export function IsChallengeScopes() {
  return rule(
    'challengeScopes',
    (text) => {
      if (SCOPE_WORDS.includes(text.trim())) return true;
      const scopes = splitScopes(text);
      return (
        scopes.length > 0 &&
        scopes.every((scope) => SCOPE_TOKEN.test(scope) && !SCOPE_WORDS.includes(scope.toLowerCase()))
      );
    },
    'must be allowed, minimal, or a list of scopes, separated by commas or spaces',
  );
}

function rule(name: string, validate: (text: string) => boolean, message: string) {
  return test(name, (value) => typeof value === 'string' && validate(value), message);
}

function test(
  name: string,
  validate: (value: unknown, args?: ValidationArguments) => boolean,
  message: string,
) {
  return ValidateBy({ name, validator: { validate, defaultMessage: () => message } });
}

export function IsWholeNumber(min: number, max: number) {
  return rule(
    'wholeNumber',
    (text) => /^\d{1,9}$/.test(text) && Number(text) >= min && Number(text) <= max,
    `must be a whole number from ${min} to ${max}`,
  );
}

export function IsBooleanString() {
  return rule('truth', (text) => text === 'true' || text === 'false', 'must be true or false');
}

const NAMED_RANGES = ['loopback', 'linklocal', 'uniquelocal'];

/** `false`, a number of hops, or ranges. A range of all addresses would trust every client. */
export function IsTrustedProxies() {
  return rule(
    'trustedProxies',
    (text) =>
      splitList(text).length > 0 &&
      splitList(text).every((one) => one === 'false' || /^\d{1,2}$/.test(one) || isRange(one)),
    'must be false, one number of hops, or a comma-separated list of addresses and CIDRs, none of them of all addresses',
  );
}

function isRange(text: string): boolean {
  if (NAMED_RANGES.includes(text)) return true;
  const [address = '', bits, ...more] = text.split('/');
  const family = isIP(address);
  if (family === 0 || more.length > 0) return false;
  return (
    bits === undefined ||
    (/^\d{1,3}$/.test(bits) && Number(bits) >= 1 && Number(bits) <= (family === 4 ? 32 : 128))
  );
}

export function IsPath() {
  return rule('path', (text) => !text.includes('\0'), 'must be a path');
}

export function IsList(item: RegExp, what: string) {
  return rule(
    'list',
    (text) => splitList(text).length > 0 && splitList(text).every((entry) => item.test(entry)),
    `must be a comma-separated list of ${what}`,
  );
}

export function IsListOf(allowed: readonly string[]) {
  return rule(
    'listOf',
    (text) => splitList(text).length > 0 && splitList(text).every((entry) => allowed.includes(entry)),
    `must be a comma-separated list of ${allowed.join(', ')}; symmetric algorithms and none are never accepted`,
  );
}

const MAX_URL = 2_000;

/** https, or http on loopback. */
export function isSecureUrl(text: string): boolean {
  if (!URL.canParse(text)) return false;
  const { protocol, hostname } = new URL(text);
  return protocol === 'https:' || (protocol === 'http:' && isLoopbackHost(hostname));
}

/** A secure URL without credentials and fragment; without a query by default. */
export function IsSecureUrl({ query = false } = {}) {
  const forbidden = query ? /[#@\s]/ : /[?#@\s]/;
  const without = `without credentials${query ? ' or' : ', query or'} fragment`;
  return rule(
    'secureUrl',
    (text) => text.length <= MAX_URL && isSecureUrl(text) && !forbidden.test(text),
    `must be an https URL (or http on loopback) ${without}`,
  );
}

/**
 * Issuer identifier: a secure URL without credentials, query and fragment. An http URL, such as
 * `http://HOST/adfs/services/trust` of AD FS, is accepted if its metadata or keys have a secure URL.
 * @param addressesOf URLs of the same entry.
 */
export function IsIssuer<T extends object>(addressesOf: (object: T) => readonly unknown[]) {
  const isAddress = (value: unknown) => typeof value === 'string' && isSecureUrl(value);
  return test(
    'issuer',
    (value, args) =>
      typeof value === 'string' &&
      value.length <= MAX_URL &&
      !/[?#@\s\\]/.test(value) &&
      (isSecureUrl(value) || (isHttpUrl(value) && addressesOf(args?.object as T).some(isAddress))),
    'must be an https URL (or http on loopback) without credentials, query or fragment; an http identifier, as AD FS has it, needs an https address of its metadata or keys beside it',
  );
}

function isHttpUrl(text: string): boolean {
  return /^http:\/\//i.test(text) && URL.canParse(text);
}

/** Segments of plain characters, except `.` and `..`; a final slash is optional. */
const PUBLIC_PATH = /^(\/(?!\.{1,2}(\/|$))[A-Za-z0-9._~-]+)*\/?$/;

/** A secure URL without credentials, query and fragment. It has a path if a proxy removes that path. */
export function IsPublicUrl() {
  return rule(
    'publicUrl',
    (text) =>
      text.length <= MAX_URL &&
      isSecureUrl(text) &&
      !/[?#@\s\\]/.test(text) &&
      PUBLIC_PATH.test(pathOf(text)),
    'must be an https URL (or http on loopback) without credentials, query or fragment; a path may hold letters, digits and ._~- between slashes',
  );
}

/** The path as written: the URL class would resolve dot segments. */
function pathOf(url: string): string {
  return url.replace(/^[a-z]+:\/*[^/]*/i, '');
}

/** A boolean; a string is rejected. */
export function IsSwitch() {
  return test('switch', (value) => typeof value === 'boolean', 'must be true or false');
}

/** An integer; a string is rejected. */
export function IsNumber(min: number, max: number) {
  return test(
    'number',
    (value) => Number.isInteger(value) && (value as number) >= min && (value as number) <= max,
    `must be a whole number from ${min} to ${max}`,
  );
}

export function IsText(item: (text: string) => boolean, message: string) {
  return rule('text', item, message);
}

/** A non-empty list of strings, or one string unless `listOnly`. */
export function IsStringList(item: (text: string) => boolean, what: string, { listOnly = false } = {}) {
  return test(
    'texts',
    (value) => {
      const items: unknown = typeof value === 'string' && !listOnly ? [value] : value;
      return (
        Array.isArray(items) && items.length > 0 && items.every((one) => typeof one === 'string' && item(one))
      );
    },
    `must be a list of ${what}`,
  );
}

/** A list of signature algorithms. */
export function IsAlgorithmList() {
  return IsStringList(
    (text) => ASYMMETRIC.includes(text),
    `${ASYMMETRIC.join(', ')}; symmetric algorithms and none are never accepted`,
    { listOnly: true },
  );
}

/** A non-empty mapping to strings of one form. */
export function IsTextMap(item: RegExp, what: string) {
  return test(
    'textMap',
    (value) =>
      isJsonObject(value) &&
      Object.keys(value).length > 0 &&
      Object.values(value).every((one) => typeof one === 'string' && item.test(one)),
    `must be ${what}`,
  );
}
