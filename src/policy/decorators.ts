/**
 * The access rule of a tool, a resource or a prompt, declared on its method or on its class.
 * The decorators only write typed metadata; {@link readAccessRule} is its only reader.
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
 * The principal needs every one of these scopes. Several uses, and class and method, add up.
 * @throws Error when the list is empty or holds something that is no scope token.
 */
export function RequireScopes(...scopes: [string, ...string[]]): RuleDecorator {
  return declare('@RequireScopes', (at) => {
    requireNames(scopes, `@RequireScopes on ${at}`);
    return { ...NOTHING, scopes };
  });
}

/**
 * The principal needs at least one of these roles. Several uses, and class and method, must each be met.
 * @throws Error when the list is empty or holds an empty name.
 */
export function RequireRoles(...roles: [string, ...string[]]): RuleDecorator {
  return declare('@RequireRoles', (at) => {
    requireNames(roles, `@RequireRoles on ${at}`);
    return { ...NOTHING, roles: [roles] };
  });
}

/** What {@link RequireAssurance} asks for: at least one of the two. */
export interface AssuranceRequirement {
  /** Authentication contexts, as the issuer names them in `acr`: any of them, the preferred one first. */
  readonly acr?: readonly [string, ...string[]];
  /** How many seconds ago the person may have authenticated (`auth_time`) at most. */
  readonly maxAge?: number;
}

/**
 * The person must have authenticated in one of these contexts, and not longer ago than this (RFC 9470). Several uses,
 * and class and method, must each be met: what is left is the contexts that all of them name, and the shortest age.
 * Grants nothing by itself: who may call is still to be said.
 * @throws Error when it asks for nothing, or for what no challenge can carry and no authentication can meet.
 */
export function RequireAssurance(requirement: AssuranceRequirement): RuleDecorator {
  return declare('@RequireAssurance', (at) => {
    const { acr, maxAge } = requirement;
    const what = `@RequireAssurance on ${at}`;
    if (acr === undefined && maxAge === undefined)
      throw new Error(`${what}: it names neither acr nor maxAge`);
    if (acr !== undefined) requireNames(acr, what);
    // Zero would be an authentication later than the token that tells of it: a login without end.
    if (maxAge !== undefined && !(Number.isSafeInteger(maxAge) && maxAge >= 1)) {
      throw new Error(`${what}: maxAge is not a whole number of seconds, 1 or more`);
    }
    return { ...NOTHING, assurance: [{ acr: acr ?? [], maxAgeSeconds: maxAge ?? null }] };
  });
}

/** Every authenticated person may: the explicit way to ask for no scope and no role. Contradicts both. */
export function AnyPrincipal(): RuleDecorator {
  return declare('@AnyPrincipal', () => ({ ...NOTHING, anyPrincipal: true }));
}

/** A workload, with no person at the root of its token, may call this too. Grants nothing by itself. */
export function AllowWorkload(): RuleDecorator {
  return declare('@AllowWorkload', () => ({ ...NOTHING, allowWorkload: true }));
}

/** What {@link Audit} asks for. */
export interface AuditOptions {
  /** Names of arguments whose values go on record, each cut at 256 characters. Nothing that is secret, or that a person may want forgotten. */
  readonly arguments: readonly [string, ...string[]];
}

/**
 * Puts these arguments on record in clear. Without it the audit log has the digest of all arguments, and no value.
 * @throws Error when it names none, one twice, or more than 20.
 */
export function Audit(options: AuditOptions): MethodDecorator {
  return (target, key, descriptor: PropertyDescriptor) => {
    const at = `@Audit on ${target.constructor.name}.${String(key)} (${callSiteFile()})`;
    if (typeof descriptor.value !== 'function') throw new Error(`${at}: only a method can carry it`);
    const names = [...options.arguments];
    if (names.length === 0 || names.length > MAX_RECORDED || new Set(names).size < names.length) {
      throw new Error(`${at}: name 1 to ${MAX_RECORDED} arguments, each once`);
    }
    if (Reflect.hasOwnMetadata(RECORDED, target, key)) throw new Error(`${at}: it is there twice`);
    Reflect.defineMetadata(RECORDED, names, target, key);
  };
}

/** Names of the arguments of this method that go on record. */
export function readRecordedArguments(type: NewableFunction, method: string): readonly string[] {
  const owner = findDeclaringPrototype(type.prototype as object, method);
  const names = owner && (Reflect.getOwnMetadata(RECORDED, owner, method) as string[] | undefined);
  return names ?? [];
}

/**
 * The rule of one method: what its class, the classes that one extends, and the method itself declare, added up.
 * @throws Error when nothing is declared, or when declarations contradict each other; the caller says where.
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
    throw new Error('no access rule; add @RequireScopes, @RequireRoles or, on purpose, @AnyPrincipal');
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

/** Whether a method itself, whatever its class says, declares something of a rule. */
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
    // On class and key, not on the function: another decorator may put a function of its own in its place.
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

/** @throws Error when no authentication context would meet them all. */
function strictest(requirements: readonly Assurance[]): Assurance | null {
  const assurance = strictestAssurance(requirements);
  if (assurance !== 'contradiction') return assurance;
  const named = requirements.filter(({ acr }) => acr.length > 0).map(({ acr }) => acr.join(' or '));
  throw new Error(
    `@RequireAssurance asks for an acr of ${named.join(', and of ')}: no value would meet them all`,
  );
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
