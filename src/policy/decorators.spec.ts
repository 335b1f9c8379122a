import { AllowWorkload, AnyPrincipal, readAccessRule, RequireRoles, RequireScopes } from './decorators.js';

@RequireScopes('base')
@RequireRoles('staff', 'partner')
class Base {
  plain(): void {}

  @RequireScopes('write', 'base')
  @RequireScopes('more')
  @RequireRoles('admin')
  @AllowWorkload()
  demanding(): void {}
}

@RequireScopes('derived')
class Derived extends Base {
  @RequireScopes('own')
  own(): void {}
}

class Open {
  @AnyPrincipal()
  open(): void {}

  bare(): void {}

  @AllowWorkload()
  onlyWorkload(): void {}

  @AnyPrincipal()
  @RequireRoles('admin')
  contradiction(): void {}
}

@AnyPrincipal()
class OpenClass {
  @RequireScopes('a')
  contradiction(): void {}
}

it('takes the rule of the class where the method has none', () => {
  expect(readAccessRule(Base, 'plain')).toEqual({
    scopes: ['base'],
    roles: [['staff', 'partner']],
    allowWorkload: false,
    source: 'Base.plain',
  });
});

it('adds class, method and several uses up, and never lets one replace another', () => {
  const rule = readAccessRule(Base, 'demanding');
  expect([...rule.scopes].sort()).toEqual(['base', 'more', 'write']);
  expect(rule.roles).toEqual([['staff', 'partner'], ['admin']]);
  expect(rule.allowWorkload).toBe(true);
});

it('keeps what a parent class asks for', () => {
  expect([...readAccessRule(Derived, 'own').scopes].sort()).toEqual(['base', 'derived', 'own']);
  expect([...readAccessRule(Derived, 'demanding').scopes].sort()).toEqual([
    'base',
    'derived',
    'more',
    'write',
  ]);
  expect(readAccessRule(Base, 'plain').scopes).toEqual(['base']);
});

it('lets a method say that every principal may', () => {
  expect(readAccessRule(Open, 'open')).toMatchObject({ scopes: [], roles: [] });
});

it.each([
  [Open, 'bare', /no access rule/],
  [Open, 'onlyWorkload', /no access rule/],
  [Open, 'contradiction', /@AnyPrincipal contradicts/],
  [OpenClass, 'contradiction', /@AnyPrincipal contradicts/],
])('%p.%s is refused', (type, method, message) => {
  expect(() => readAccessRule(type, method)).toThrow(message);
});

it.each([
  ['an empty list', () => RequireScopes(...([] as unknown as [string]))],
  ['an empty name', () => RequireScopes('')],
  ['two scopes in one', () => RequireScopes('a b')],
  ['a quote', () => RequireRoles('a"')],
  ['no string', () => RequireRoles(5 as unknown as string)],
])('%s does not load, and the sentence says where', (_name, decorator) => {
  const load = () => {
    class Somewhere {
      @decorator()
      method(): void {}
    }
    return Somewhere;
  };
  expect(load).toThrow(
    /^@Require(Scopes|Roles) on Somewhere\.method \(src\/policy\/decorators\.spec\.ts\): /,
  );
});

it('says of a class, too, where it is wrong', () => {
  const load = () => {
    @RequireScopes('a b')
    class Somewhere {}
    return Somewhere;
  };
  expect(load).toThrow(/^@RequireScopes on Somewhere \(src\/policy\/decorators\.spec\.ts\): "a b" /);
});

it.each([
  ['an accessor', { get: () => 1 }],
  ['a property', undefined],
])('%s cannot carry a rule', (_name, descriptor) => {
  class Somewhere {}
  const decorate = () => AnyPrincipal()(Somewhere.prototype, 'odd', descriptor as never);
  expect(decorate).toThrow(/^@AnyPrincipal on Somewhere\.odd .*only a class or a method can carry it$/);
});

it('keeps a demand that another decorator has wrapped', () => {
  const Wrapped = (): MethodDecorator => (_target, _key, descriptor: PropertyDescriptor) => {
    const inner = descriptor.value as (...args: unknown[]) => unknown;
    descriptor.value = function (this: unknown, ...args: unknown[]) {
      return inner.apply(this, args);
    };
  };
  @RequireScopes('base')
  class Tools {
    @Wrapped()
    @RequireRoles('admin')
    tool(): void {}
  }
  expect(readAccessRule(Tools, 'tool')).toMatchObject({ scopes: ['base'], roles: [['admin']] });
});
