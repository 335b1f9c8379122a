/**
 * Decorators for access rules of tools, resources and prompts, on methods or classes. They store typed metadata;
 * {@link readAccessRule} reads it.
 */
import 'reflect-metadata';
import { callSiteFile } from '../lib/call-site.js';
import type { Assurance } from '../core/decision.js';
import { findDeclaringPrototype } from '../lib/find-declaring-prototype.js';
import { SCOPE_TOKEN } from '../core/patterns.js';
import type { AccessRule } from './access-rule.js';
import { strictestAssurance } from './policy.js';

interface Declared {
  readonly scopes: readonly string[];
  readonly roles: readonly (readonly string[])[];
  readonly assurance: readonly Assurance[];
  readonly anyPrincipal: boolean;
  readonly allowWorkload: boolean;
}

const DECLARED = Symbol('policy:declared');
const RECORDED = Symbol('policy:recorded');
const MAX_RECORDED = 20;
const NOTHING: Declared = {
  scopes: [],
  roles: [],
  assurance: [],
  anyPrincipal: false,
  allowWorkload: false,
};

type RuleDecorator = ClassDecorator & MethodDecorator;

/**
 * Requires all of these scopes. Repetitions, and class and method, add up.
 * @throws Error for an empty list, or an invalid scope token.
 */
export function RequireScopes(...scopes: [string, ...string[]]): RuleDecorator {
  return declare('@RequireScopes', (at) => {
    requireNames(scopes, `@RequireScopes on ${at}`);
    return { ...NOTHING, scopes };
  });
}

/**
 * Requires one of these roles. Repetitions, and class and method, must each be satisfied.
 * @throws Error for an empty list or an empty name.
 */
export function RequireRoles(...roles: [string, ...string[]]): RuleDecorator {
  return declare('@RequireRoles', (at) => {
    requireNames(roles, `@RequireRoles on ${at}`);
    return { ...NOTHING, roles: [roles] };
  });
}

/** Options of {@link RequireAssurance}; at least one. */
export interface AssuranceRequirement {
  /** Authentication contexts as in `acr` of the issuer: one of them, the preferred one first. */
  readonly acr?: readonly [string, ...string[]];
  /** Maximum age of the authentication (`auth_time`) in seconds. */
  readonly maxAge?: number;
}

/**
 * Requires an authentication of the user in one of these contexts and not older than this (RFC 9470). Repetitions,
 * and class and method, must each be satisfied: their common contexts and the shortest age. It grants no access
 * itself; another decorator must.
 * @throws Error without options, or for options that no challenge or login can satisfy.
 */
export function RequireAssurance(requirement: AssuranceRequirement): RuleDecorator {
  return declare('@RequireAssurance', (at) => {
    const { acr, maxAge } = requirement;
    const what = `@RequireAssurance on ${at}`;
    if (acr === undefined && maxAge === undefined)
      throw new Error(`${what}: it names neither acr nor maxAge`);
    if (acr !== undefined) requireNames(acr, what);
    // Zero would require an authentication after the issue of the token: an endless login loop.
    if (maxAge !== undefined && !(Number.isSafeInteger(maxAge) && maxAge >= 1)) {
      throw new Error(`${what}: maxAge is not a whole number of seconds, 1 or more`);
    }
    return { ...NOTHING, assurance: [{ acr: acr ?? [], maxAgeSeconds: maxAge ?? null }] };
  });
}

/** Allows every authenticated user: states explicitly that no scope or role is required. Contradicts both. */
export function AnyPrincipal(): RuleDecorator {
  return declare('@AnyPrincipal', () => ({ ...NOTHING, anyPrincipal: true }));
}

/** Admits workloads, which have no user at the root of the token. It grants no access itself. */
export function AllowWorkload(): RuleDecorator {
  return declare('@AllowWorkload', () => ({ ...NOTHING, allowWorkload: true }));
}

/** Options of {@link Audit}. */
export interface AuditOptions {
  /** Names of recorded arguments; values are cut at 256 characters. Do not record secrets and personal data. */
  readonly arguments: readonly [string, ...string[]];
}

/**
 * Records these arguments in clear text. Without it the audit log contains a digest of all arguments only.
 * @throws Error without a name, for a repeated name, or more than 20.
 */
export function Audit(options: AuditOptions): MethodDecorator {
  return (target, key, descriptor: PropertyDescriptor) => {
    const at = `@Audit on ${target.constructor.name}.${String(key)} (${callSiteFile()})`;
    if (typeof descriptor.value !== 'function') throw new Error(`${at}: only a method can carry it`);
    const names = [...options.arguments];
    if (names.length === 0 || names.length > MAX_RECORDED || new Set(names).size < names.length) {
      throw new Error(`${at}: name 1 to ${MAX_RECORDED} arguments, each once`);
    }
    if (Reflect.hasOwnMetadata(RECORDED, target, key)) throw new Error(`${at}: the decorator is repeated`);
    Reflect.defineMetadata(RECORDED, names, target, key);
  };
}

/** Names of recorded arguments of this method. */
export function readRecordedArguments(type: NewableFunction, method: string): readonly string[] {
  const owner = findDeclaringPrototype(type.prototype as object, method);
  const names = owner && (Reflect.getOwnMetadata(RECORDED, owner, method) as string[] | undefined);
  return names ?? [];
}

/**
 * Rule of a method: declarations of its class, parent classes and the method, combined.
 * @throws Error without a declaration, or for contradicting ones; the caller adds the place.
 */
export function readAccessRule(type: NewableFunction, method: string): AccessRule {
  const source = `${type.name}.${method}`;
  const declared = [
    ...classesOf(type).map((one) => ownDeclaration(one)),
    methodDeclaration(type.prototype as object, method),
  ].reduce(add);
  const requirements = declared.scopes.length > 0 || declared.roles.length > 0;
  if (declared.anyPrincipal && requirements) {
    throw new Error('@AnyPrincipal contradicts @RequireScopes and @RequireRoles');
  }
  if (!declared.anyPrincipal && !requirements) {
    throw new Error('no access rule: add @RequireScopes, @RequireRoles or @AnyPrincipal');
  }
  if (declared.allowWorkload && declared.assurance.length > 0) {
    throw new Error(
      '@AllowWorkload contradicts @RequireAssurance: a workload never authenticates as a person',
    );
  }
  return {
    scopes: [...new Set(declared.scopes)],
    roles: declared.roles,
    assurance: strictest(declared.assurance),
    allowWorkload: declared.allowWorkload,
    source,
  };
}

/** True if the method itself declares a part of a rule. */
export function declaresRule(prototype: object, method: string): boolean {
  return methodDeclaration(prototype, method) !== NOTHING;
}

function declare(name: string, make: (at: string) => Declared): RuleDecorator {
  return (target: object, key?: string | symbol, descriptor?: PropertyDescriptor) => {
    const owner = typeof target === 'function' ? target.name : target.constructor.name;
    const at = `${key === undefined ? owner : `${owner}.${String(key)}`} (${callSiteFile()})`;
    if (key !== undefined && typeof descriptor?.value !== 'function') {
      throw new Error(`${name} on ${at}: only a class or a method can carry it`);
    }
    // Stored on class and key: another decorator may replace the function.
    const declared = add(ownDeclaration(target, key), make(at));
    if (key === undefined) Reflect.defineMetadata(DECLARED, declared, target);
    else Reflect.defineMetadata(DECLARED, declared, target, key);
  };
}

function add(a: Declared, b: Declared): Declared {
  return {
    scopes: [...a.scopes, ...b.scopes],
    roles: [...a.roles, ...b.roles],
    assurance: [...a.assurance, ...b.assurance],
    anyPrincipal: a.anyPrincipal || b.anyPrincipal,
    allowWorkload: a.allowWorkload || b.allowWorkload,
  };
}

/** @throws Error if no authentication context satisfies all. */
function strictest(requirements: readonly Assurance[]): Assurance | null {
  const assurance = strictestAssurance(requirements);
  if (assurance !== 'contradiction') return assurance;
  const named = requirements.filter(({ acr }) => acr.length > 0).map(({ acr }) => acr.join(' or '));
  throw new Error(`@RequireAssurance asks for an acr of ${named.join(', and of ')}: no value satisfies all`);
}

function ownDeclaration(target: object, key?: string | symbol): Declared {
  const own: unknown =
    key === undefined
      ? Reflect.getOwnMetadata(DECLARED, target)
      : Reflect.getOwnMetadata(DECLARED, target, key);
  return (own as Declared | undefined) ?? NOTHING;
}

function methodDeclaration(prototype: object, method: string): Declared {
  const owner = findDeclaringPrototype(prototype, method);
  return owner ? ownDeclaration(owner, method) : NOTHING;
}

function classesOf(type: NewableFunction): NewableFunction[] {
  const classes: NewableFunction[] = [];
  for (
    let at: unknown = type;
    typeof at === 'function' && at !== Function.prototype;
    at = Object.getPrototypeOf(at)
  ) {
    classes.push(at as NewableFunction);
  }
  return classes;
}

function requireNames(names: readonly string[], what: string): void {
  if (names.length === 0) throw new Error(`${what}: the list is empty`);
  for (const name of names) {
    if (typeof name !== 'string' || !SCOPE_TOKEN.test(name)) {
      throw new Error(`${what}: ${JSON.stringify(name)} is not a name without spaces, quotes or backslashes`);
    }
  }
}
