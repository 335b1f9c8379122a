import { Injectable, Scope, type Type } from '@nestjs/common';
import { ConfigService } from '@nestjs/config';
import { DiscoveryModule } from '@nestjs/core';
import { Test } from '@nestjs/testing';
import { IsInt, IsOptional, IsString } from 'class-validator';
import type { PolicySettings, Settings } from '../config/settings.js';
import type { PromptDefinition, ToolDefinition } from './definitions.js';
import { AnyPrincipal, Audit, RequireRoles, RequireScopes } from '../policy/decorators.js';
import {
  Prompt,
  PromptCompletion,
  Resource,
  Tool,
  type ResourceOptions,
  type ToolOptions,
} from './decorators.js';
import { NoInput } from './no-input.js';
import { DeclarationError, ToolRegistry } from './tool-registry.js';

const HERE = 'src/tools/tool-registry.spec.ts';
const NAME = 'is not 1 to 128 characters of A-Z a-z 0-9 _ . -';

class TextInput {
  @IsString()
  text: string;

  @IsOptional()
  @IsString()
  more?: string;
}

class NumberInput {
  @IsInt()
  count: number;
}

class Unvalidated {
  text: string;
}

@Injectable()
class Dependency {
  readonly greeting = 'hello';
}

@Injectable()
@RequireScopes('base')
class Tools {
  constructor(private readonly dependency: Dependency) {}

  @Tool({
    name: 'write',
    title: 'Write',
    description: 'Writes',
    annotations: { destructiveHint: true },
    output: TextInput,
  })
  @RequireScopes('write')
  write(input: TextInput): string {
    return `${this.dependency.greeting} ${input.text}`;
  }

  @Tool({ name: 'Read', description: 'Reads', annotations: { readOnlyHint: true } })
  read(): void {}

  @Tool({ name: 'admin', description: 'Rules', annotations: { readOnlyHint: true } })
  @RequireScopes('admin')
  @RequireRoles('admin')
  admin(input: NoInput): object {
    return input;
  }

  @Prompt({ name: 'greet', description: 'Greets' })
  greet(input: TextInput): string {
    return input.text;
  }

  @PromptCompletion({ prompt: 'greet', argument: 'text' })
  complete(value: string): string[] {
    return [`${this.dependency.greeting} ${value}`];
  }

  @Resource({ name: 'page', uriTemplate: 'docs://{page}', mimeType: 'text/plain' })
  page(): void {}

  @Resource({ name: 'intro', uri: 'docs://intro', title: 'Intro' })
  intro(): void {}

  helper(): void {}
}

class MoreTools extends Tools {}

async function registryOf(
  providers: Type[],
  allowList: PolicySettings['allowList'] = '*',
): Promise<ToolRegistry> {
  const settings = {
    policy: { allowList, requireHuman: true, denialDetail: 'explain' },
    upstreams: { list: [] },
  };
  const testing = await Test.createTestingModule({
    imports: [DiscoveryModule],
    providers: [
      ToolRegistry,
      Dependency,
      { provide: ConfigService, useValue: new ConfigService<Settings>(settings as never) },
      ...providers,
    ],
  }).compile();
  await testing.init();
  return testing.get(ToolRegistry);
}

async function faults(
  providers: Type[],
  allowList?: PolicySettings['allowList'],
): Promise<readonly string[]> {
  const error: unknown = await registryOf(providers, allowList).then(
    () => undefined,
    (thrown: unknown) => thrown,
  );
  expect(error).toBeInstanceOf(DeclarationError);
  return (error as DeclarationError).faults;
}

/** A provider with one tool without arguments. */
function tool(options: Partial<ToolOptions>): Type {
  class Odd {
    @Tool({ name: 'odd', description: 'Odd', ...options })
    @AnyPrincipal()
    method(): void {}
  }
  return Odd;
}

function resource(options: object): Type {
  class Odd {
    @Resource({ name: 'odd', ...options } as ResourceOptions)
    @AnyPrincipal()
    method(): void {}
  }
  return Odd;
}

describe('ToolRegistry', () => {
  let registry: ToolRegistry;
  beforeAll(async () => (registry = await registryOf([Tools])));

  it('lists definitions by name, independent of the order in code', () => {
    expect(registry.list('tools').map(({ name }) => name)).toEqual(['Read', 'admin', 'write']);
    expect(registry.list('prompts').map(({ name }) => name)).toEqual(['greet']);
    expect(
      [...registry.list('resources'), ...registry.list('resourceTemplates')].map(({ name }) => name),
    ).toEqual(['intro', 'page']);
  });

  const input = {
    type: 'object',
    properties: { text: { type: 'string' }, more: { type: 'string' } },
    required: ['text'],
    additionalProperties: false,
  };
  const nothing = { type: 'object', properties: {}, additionalProperties: false };

  it.each([
    [
      'tool',
      'write',
      {
        name: 'write',
        title: 'Write',
        description: 'Writes',
        inputSchema: input,
        outputSchema: input,
        annotations: { destructiveHint: true },
      },
    ],
    [
      'tool',
      'Read',
      { name: 'Read', description: 'Reads', inputSchema: nothing, annotations: { readOnlyHint: true } },
    ],
    [
      'tool',
      'admin',
      { name: 'admin', description: 'Rules', inputSchema: nothing, annotations: { readOnlyHint: true } },
    ],
    [
      'prompt',
      'greet',
      {
        name: 'greet',
        description: 'Greets',
        arguments: [
          { name: 'text', required: true },
          { name: 'more', required: false },
        ],
      },
    ],
    ['resource', 'page', { uriTemplate: 'docs://{page}', name: 'page', mimeType: 'text/plain' }],
    ['resource', 'intro', { uri: 'docs://intro', name: 'intro', title: 'Intro' }],
  ] as const)('has a list entry for the %s %s', (kind, name, entry) => {
    expect(registry.find(kind, name)?.entry).toEqual(entry);
  });

  it('combines the access rules of class and method', () => {
    expect(registry.find('tool', 'write')?.rule).toMatchObject({ source: 'Tools.write', roles: [] });
    expect([...(registry.find('tool', 'write')?.rule.scopes ?? [])].sort()).toEqual(['base', 'write']);
    expect(registry.find('tool', 'Read')?.rule.scopes).toEqual(['base']);
  });

  it('calls the method on its instance with the given arguments', async () => {
    const run = (registry.find('tool', 'write') as ToolDefinition | undefined)?.run;
    expect(await run?.({ text: 'you' }, undefined as never)).toBe('hello you');
    const greet = registry.find('prompt', 'greet') as PromptDefinition;
    expect(await greet.completions.get('text')?.('y', undefined as never)).toEqual(['hello y']);
  });

  it.each([
    ['tool', 'helper'],
    ['tool', 'greet'],
    ['prompt', 'write'],
    ['resource', 'docs://intro'],
    ['tool', '__proto__'],
    ['tool', 'constructor'],
    ['tool', 'WRITE'],
    ['tool', ''],
  ] as const)('has no %s named %j', (kind, name) => {
    expect(registry.find(kind, name)).toBeUndefined();
  });

  it.each([
    ['docs://intro', 'intro'],
    ['docs://other', 'page'],
    ['docs://a/b', undefined],
    ['DOCS://intro', undefined],
    ['', undefined],
  ])('resolves the resource at %j to %s', (uri, name) => {
    expect(registry.findResourceByUri(uri)?.name).toBe(name);
  });
});

describe('a faulty declaration', () => {
  class NoRule {
    @Tool({ name: 'odd', description: 'Odd' })
    method(): void {}
  }
  class NoDto {
    @Tool({ name: 'odd', description: 'Odd' })
    @AnyPrincipal()
    method(_input: { text: string }): void {}
  }
  class Primitive {
    @Tool({ name: 'odd', description: 'Odd' })
    @AnyPrincipal()
    method(_input: string): void {}
  }
  class PlainClass {
    @Tool({ name: 'odd', description: 'Odd' })
    @AnyPrincipal()
    method(_input: Unvalidated): void {}
  }
  class NumberPrompt {
    @Prompt({ name: 'odd' })
    @AnyPrincipal()
    method(_input: NumberInput): void {}
  }
  class NoPrompt {
    @PromptCompletion({ prompt: 'odd', argument: 'text' })
    method(): string[] {
      return [];
    }
  }
  class NoArgument {
    @Prompt({ name: 'odd' })
    @AnyPrincipal()
    prompt(_input: TextInput): void {}

    @PromptCompletion({ prompt: 'odd', argument: 'other' })
    method(): string[] {
      return [];
    }
  }
  class NoSuchArgument {
    @Tool({ name: 'odd', description: 'Odd' })
    @AnyPrincipal()
    @Audit({ arguments: ['text', 'other'] })
    method(_input: TextInput): void {}
  }
  class AuditedResource {
    @Resource({ name: 'odd', uri: 'docs://odd' })
    @AnyPrincipal()
    @Audit({ arguments: ['uri'] })
    method(): void {}
  }
  class Contradiction {
    @Tool({ name: 'odd', description: 'Odd' })
    @AnyPrincipal()
    @RequireScopes('a')
    method(): void {}
  }

  it.each<[string, string, Type]>([
    ['Odd', `"" ${NAME}`, tool({ name: '' })],
    ['Odd', `"two words" ${NAME}`, tool({ name: 'two words' })],
    ['Odd', `"a/b" ${NAME}`, tool({ name: 'a/b' })],
    ['Odd', `"ä" ${NAME}`, tool({ name: 'ä' })],
    ['Odd', `"a\\n" ${NAME}`, tool({ name: 'a\n' })],
    ['Odd', `"${'x'.repeat(129)}" ${NAME}`, tool({ name: 'x'.repeat(129) })],
    ['Odd', 'a tool needs a description', tool({ description: ' ' })],
    ['Odd', 'the output must be a class-validator class', tool({ output: Unvalidated })],
    ['Odd', 'a resource has either a uri or a uriTemplate', resource({})],
    ['Odd', 'a resource has either a uri or a uriTemplate', resource({ uri: 'a:b', uriTemplate: 'a:{b}' })],
    ['Odd', 'no uri is not a URI', resource({ uri: 'no uri' })],
    ['Odd', 'docs://x has no variable', resource({ uriTemplate: 'docs://x' })],
    ['Odd', `"a b" ${NAME}`, resource({ name: 'a b', uri: 'docs://x' })],
    ['NoRule', 'no access rule: add @RequireScopes, @RequireRoles or @AnyPrincipal', NoRule],
    ['Contradiction', '@AnyPrincipal contradicts @RequireScopes and @RequireRoles', Contradiction],
    ...[NoDto, Primitive, PlainClass].map((type): [string, string, Type] => [
      type.name,
      'the first parameter must be a class-validator class (a DTO, imported as a value), NoInput, or absent',
      type,
    ]),
    ['NumberPrompt', 'the prompt argument count must be a string', NumberPrompt],
    ['NoPrompt', 'the prompt odd does not exist', NoPrompt],
    ['NoArgument', 'the prompt odd has no argument other', NoArgument],
    ['NoSuchArgument', '@Audit names other, which is not an argument of this method', NoSuchArgument],
    ['AuditedResource', '@Audit applies to arguments; a resource has none', AuditedResource],
  ])('rejects %s: %s', async (name, sentence, type) => {
    expect(await faults([type])).toEqual([`${HERE}: ${name}.method: ${sentence}`]);
  });

  it('accepts a name of 128 characters', async () => {
    expect((await registryOf([tool({ name: 'x'.repeat(128) })])).list('tools')).toHaveLength(1);
  });

  it('rejects a request-scoped provider', async () => {
    @Injectable({ scope: Scope.REQUEST })
    class Fleeting {
      @Tool({ name: 'odd', description: 'Odd' })
      @AnyPrincipal()
      method(): void {}
    }
    expect(await faults([Fleeting])).toEqual([
      `${HERE}: Fleeting.method: the provider must not be request-scoped or transient`,
    ]);
  });

  it('rejects a provider that depends on a request-scoped provider', async () => {
    @Injectable({ scope: Scope.REQUEST })
    class PerRequest {}
    @Injectable()
    class Bubbled {
      constructor(readonly perRequest: PerRequest) {}

      @Tool({ name: 'odd', description: 'Odd' })
      @AnyPrincipal()
      method(): void {}
    }
    expect(await faults([PerRequest, Bubbled])).toEqual([
      `${HERE}: Bubbled.method: the provider must not be request-scoped or transient`,
    ]);
  });

  it('rejects two tools with one name and two resources with one URI', async () => {
    class Twin {
      @Tool({ name: 'write', description: 'Writes too' })
      @AnyPrincipal()
      write(): void {}

      @Resource({ name: 'other', uri: 'docs://intro' })
      @AnyPrincipal()
      intro(): void {}

      @Prompt({ name: 'write' })
      @AnyPrincipal()
      prompt(): void {}
    }
    expect(await faults([Tools, Twin])).toEqual([
      `${HERE}: Twin.write: the tool write is already declared by Tools.write`,
      `${HERE}: Twin.intro: docs://intro is already served by Tools.intro`,
    ]);
  });

  it('rejects a class that inherits the tools of another registered class', async () => {
    expect(await faults([Tools, MoreTools])).toContain(
      `${HERE}: MoreTools.write: the tool write is already declared by Tools.write`,
    );
    expect((await registryOf([MoreTools])).list('tools')).toHaveLength(3);
  });

  it('reports all faults at once, with unknown names of the allow-list', async () => {
    const list = new Set([
      'Read',
      'prompt:greet',
      'resource:page',
      'read',
      'greet',
      'tool:Read',
      '__proto__',
    ]);
    expect(await faults([Tools, NoRule, NoPrompt], list)).toEqual([
      expect.stringContaining('NoRule.method: '),
      expect.stringContaining('NoPrompt.method: '),
      ...['read', 'greet', 'tool:Read', '__proto__'].map(
        (label) => `TOOL_ALLOW_LIST: unknown target ${label}`,
      ),
    ]);
  });

  it('rejects two completions of one argument', async () => {
    class Twice extends Tools {
      @PromptCompletion({ prompt: 'greet', argument: 'text' })
      again(): string[] {
        return [];
      }
    }
    expect(await faults([Twice])).toEqual([
      expect.stringMatching(/^\S+ Twice\.\w+: text is completed twice$/),
    ]);
  });
});

it('rejects a method with two declarations', () => {
  const load = () => {
    class Twice {
      @Tool({ name: 'a', description: 'A' })
      @Prompt({ name: 'a' })
      method(): void {}
    }
    return Twice;
  };
  expect(load).toThrow(`Twice.method (${HERE}) is declared twice as a tool, resource or prompt`);
});
