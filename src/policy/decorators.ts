/**
 * The access rule of a tool, a resource or a prompt, declared on its method or on its class.
 * The decorators only write typed metadata; {@link readAccessRule} is its only reader.
 */
import 'reflect-metadata';
import { callSiteFile } from '../common/call-site.js';
import { ownerOf } from '../common/owner-of.js';
import type { AccessRule } from './access-rule.js';

interface Declared {
  readonly scopes: readonly string[];
  readonly roles: readonly (readonly string[])[];
  readonly anyPrincipal: boolean;
  readonly allowWorkload: boolean;
}

const DECLARED = Symbol('policy:declared');
const NOTHING: Declared = { scopes: [], roles: [], anyPrincipal: false, allowWorkload: false };

/** RFC 6749 section 3.3, `scope-token`. */
const SCOPE_TOKEN = /^[\x21\x23-\x5b\x5d-\x7e]+$/;

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

/** Every authenticated person may: the explicit way to ask for no scope and no role. Contradicts both. */
export function AnyPrincipal(): RuleDecorator {
  return declare('@AnyPrincipal', () => ({ ...NOTHING, anyPrincipal: true }));
}

/** A workload, with no person at the root of its token, may call this too. Grants nothing by itself. */
export function AllowWorkload(): RuleDecorator {
  return declare('@AllowWorkload', () => ({ ...NOTHING, allowWorkload: true }));
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
  const demands = declared.scopes.length > 0 || declared.roles.length > 0;
  if (declared.anyPrincipal && demands) {
    throw new Error('@AnyPrincipal contradicts @RequireScopes and @RequireRoles');
  }
  if (!declared.anyPrincipal && !demands) {
    throw new Error('no access rule; add @RequireScopes, @RequireRoles or, on purpose, @AnyPrincipal');
  }
  return {
    scopes: [...new Set(declared.scopes)],
    roles: declared.roles,
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
    anyPrincipal: a.anyPrincipal || b.anyPrincipal,
    allowWorkload: a.allowWorkload || b.allowWorkload,
  };
}

function ownDeclaration(target: object, key?: string | symbol): Declared {
  const own: unknown =
    key === undefined
      ? Reflect.getOwnMetadata(DECLARED, target)
      : Reflect.getOwnMetadata(DECLARED, target, key);
  return (own as Declared | undefined) ?? NOTHING;
}

function methodDeclaration(prototype: object, method: string): Declared {
  const owner = ownerOf(prototype, method);
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
