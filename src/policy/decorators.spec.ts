import {
  AllowWorkload,
  AnyPrincipal,
  Audit,
  declaresRule,
  readAccessRule,
  readRecordedArguments,
  RequireAssurance,
  RequireRoles,
  RequireScopes,
  type AssuranceRequirement,
} from './decorators.js';

@RequireScopes('base')
@RequireRoles('staff', 'partner')
class Base {
  plain(): void {}

  @RequireScopes('write', 'base')
  @RequireScopes('more')
  @RequireRoles('admin')
  @AllowWorkload()
  requiring(): void {}
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

it('uses the rule of the class for a method without one', () => {
  expect(readAccessRule(Base, 'plain')).toEqual({
    scopes: ['base'],
    roles: [['staff', 'partner']],
    assurance: null,
    allowWorkload: false,
    source: 'Base.plain',
  });
});

it('adds class, method and repetitions without replacing any', () => {
  const rule = readAccessRule(Base, 'requiring');
  expect([...rule.scopes].sort()).toEqual(['base', 'more', 'write']);
  expect(rule.roles).toEqual([['staff', 'partner'], ['admin']]);
  expect(rule.allowWorkload).toBe(true);
});

it('keeps the rule of a parent class', () => {
  expect([...readAccessRule(Derived, 'own').scopes].sort()).toEqual(['base', 'derived', 'own']);
  expect([...readAccessRule(Derived, 'requiring').scopes].sort()).toEqual([
    'base',
    'derived',
    'more',
    'write',
  ]);
  expect(readAccessRule(Base, 'plain').scopes).toEqual(['base']);
});

it('lets a method allow every principal', () => {
  expect(readAccessRule(Open, 'open')).toMatchObject({ scopes: [], roles: [] });
});

it.each([
  [Open, 'bare', /no access rule/],
  [Open, 'onlyWorkload', /no access rule/],
  [Open, 'contradiction', /@AnyPrincipal contradicts/],
  [OpenClass, 'contradiction', /@AnyPrincipal contradicts/],
])('rejects %p.%s', (type, method, message) => {
  expect(() => readAccessRule(type, method)).toThrow(message);
});

it.each([
  ['an empty list', () => RequireScopes(...([] as unknown as [string]))],
  ['an empty name', () => RequireScopes('')],
  ['two scopes in one', () => RequireScopes('a b')],
  ['a quote', () => RequireRoles('a"')],
  ['no string', () => RequireRoles(5 as unknown as string)],
])('rejects %s at load and names the place', (_name, decorator) => {
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

it('names the place of a fault on a class', () => {
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
])('rejects a rule on %s', (_name, descriptor) => {
  class Somewhere {}
  const decorate = () => AnyPrincipal()(Somewhere.prototype, 'odd', descriptor as never);
  expect(decorate).toThrow(/^@AnyPrincipal on Somewhere\.odd .*only a class or a method can carry it$/);
});

it('keeps the rule of a method that another decorator wrapped', () => {
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

describe('@Audit', () => {
  class Audited {
    @Audit({ arguments: ['customer_id', 'tier'] })
    named(): void {}

    unnamed(): void {}
  }
  class Child extends Audited {}

  it('reads the names of its method, also for an inheriting class', () => {
    expect(readRecordedArguments(Audited, 'named')).toEqual(['customer_id', 'tier']);
    expect(readRecordedArguments(Child, 'named')).toEqual(['customer_id', 'tier']);
    expect(readRecordedArguments(Audited, 'unnamed')).toEqual([]);
  });

  it.each([[[]], [['a', 'a']], [Array.from({ length: 21 }, (_, at) => `a${at}`)]])('rejects %j', (names) => {
    expect(() => {
      class Wrong {
        @Audit({ arguments: names as unknown as [string] })
        method(): void {}
      }
      return Wrong;
    }).toThrow(/@Audit on Wrong\.method .*name 1 to 20 arguments, each once/);
  });

  it('rejects a repetition', () => {
    expect(() => {
      class Twice {
        @Audit({ arguments: ['a'] })
        @Audit({ arguments: ['b'] })
        method(): void {}
      }
      return Twice;
    }).toThrow('the decorator is repeated');
  });
});

describe('@RequireAssurance', () => {
  @RequireScopes('base')
  @RequireAssurance({ acr: ['silver', 'gold', 'platinum'], maxAge: 600 })
  class Bank {
    plain(): void {}

    @RequireAssurance({ acr: ['platinum', 'gold'], maxAge: 60 })
    transfer(): void {}

    @RequireAssurance({ maxAge: 3600 })
    @RequireAssurance({ acr: ['gold'] })
    close(): void {}

    @RequireAssurance({ acr: ['bronze', 'iron'] })
    impossible(): void {}
  }

  class Vault extends Bank {
    @AnyPrincipal()
    own(): void {}
  }

  @RequireAssurance({ acr: ['gold', 'gold'] })
  class Tools {
    bare(): void {}

    @AnyPrincipal()
    open(): void {}

    @RequireRoles('admin')
    @RequireAssurance({ maxAge: 1 })
    admin(): void {}

    @RequireScopes('a')
    @AllowWorkload()
    workload(): void {}
  }

  class Recent {
    @AnyPrincipal()
    @RequireAssurance({ maxAge: 60 })
    recent(): void {}
  }

  it.each([
    [Bank, 'plain', { acr: ['silver', 'gold', 'platinum'], maxAgeSeconds: 600 }],
    [Bank, 'transfer', { acr: ['platinum', 'gold'], maxAgeSeconds: 60 }],
    [Bank, 'close', { acr: ['gold'], maxAgeSeconds: 600 }],
    [Vault, 'transfer', { acr: ['platinum', 'gold'], maxAgeSeconds: 60 }],
    [Tools, 'open', { acr: ['gold'], maxAgeSeconds: null }],
    [Tools, 'admin', { acr: ['gold'], maxAgeSeconds: 1 }],
    [Recent, 'recent', { acr: [], maxAgeSeconds: 60 }],
  ])(
    '%p.%s: combines the contexts that class and method accept, and the shortest age',
    (type, method, assurance) => {
      expect(readAccessRule(type, method).assurance).toEqual(assurance);
    },
  );

  it.each([
    [Tools, 'bare', /^no access rule: /],
    [Tools, 'workload', /^@AllowWorkload contradicts @RequireAssurance/],
    [Vault, 'own', /^@AnyPrincipal contradicts @RequireScopes/],
    [
      Bank,
      'impossible',
      /^@RequireAssurance asks for an acr of silver or gold or platinum, and of bronze or iron: no value satisfies all$/,
    ],
  ])('rejects %p.%s', (type, method, message) => {
    expect(() => readAccessRule(type, method)).toThrow(message);
  });

  it('is part of a rule, and is rejected on other methods', () => {
    expect(declaresRule(Bank.prototype, 'close')).toBe(true);
    expect(declaresRule(Bank.prototype, 'plain')).toBe(false);
  });

  it.each<[string, object, RegExp]>([
    ['nothing', {}, /neither acr nor maxAge$/],
    ['an empty list', { acr: [] }, /the list is empty$/],
    ['an empty list beside an age', { acr: [], maxAge: 5 }, /the list is empty$/],
    ['a name with a space', { acr: ['a b'] }, /"a b" is not a name/],
    ['a quote', { acr: ['a"'] }, /is not a name/],
    ['a backslash', { acr: ['a\\'] }, /is not a name/],
    ['a line break', { acr: ['a\nb'] }, /is not a name/],
    ['an empty name', { acr: ['gold', ''] }, /"" is not a name/],
    ['no string', { acr: [1] }, /1 is not a name/],
    ['an age that every token is past', { maxAge: 0 }, /maxAge is not a whole number/],
    ['an age before the login', { maxAge: -1 }, /maxAge is not a whole number/],
    ['half a second', { acr: ['a'], maxAge: 0.5 }, /maxAge is not a whole number/],
    ['no number', { maxAge: '60' }, /maxAge is not a whole number/],
    ['an endless age', { maxAge: Infinity }, /maxAge is not a whole number/],
    ['no age', { maxAge: NaN }, /maxAge is not a whole number/],
  ])('rejects %s at load and names the place', (_name, requirement, message) => {
    const load = () => {
      class Somewhere {
        @RequireAssurance(requirement as AssuranceRequirement)
        method(): void {}
      }
      return Somewhere;
    };
    expect(load).toThrow(/^@RequireAssurance on Somewhere\.method \(src\/policy\/decorators\.spec\.ts\): /);
    expect(load).toThrow(message);
  });

  it('accepts names of contexts that issuers use', () => {
    class Somewhere {
      @AnyPrincipal()
      @RequireAssurance({
        acr: [
          'http://schemas.openid.net/pape/policies/2007/06/multi-factor',
          'urn:mace:incommon:iap:silver',
          '2',
        ],
      })
      method(): void {}
    }
    expect(readAccessRule(Somewhere, 'method').assurance?.acr).toHaveLength(3);
  });
});
