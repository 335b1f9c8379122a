/** Registry of all tools, resources and prompts, built at startup. A faulty declaration prevents startup. */
import { Injectable, type OnApplicationBootstrap, type OnModuleInit } from '@nestjs/common';
import { ConfigService } from '@nestjs/config';
import { DiscoveryService, MetadataScanner } from '@nestjs/core';
import { EventLogger } from '../core/event-logger.js';
import { targetLabel, type Target, type TargetKind } from '../core/decision.js';
import type { ListKind } from '../core/request-context.js';
import type { Settings } from '../config/settings.js';
import type { TargetRegistry, AccessRule, ProtectedTarget } from '../policy/access-rule.js';
import { declaresRule } from '../policy/decorators.js';
import { readDeclaration, type Declaration } from './decorators.js';
import { defineCompletion, definePrompt, defineResource, defineTool, type Declared } from './define.js';
import type {
  MountedToolDefinition,
  PromptDefinition,
  ResourceDefinition,
  ToolDefinition,
} from './definitions.js';
import { couldMatchUpstream } from './mounted-names.js';

/** All faults of the declarations; each names file, class and method. */
export class DeclarationError extends Error {
  constructor(readonly faults: readonly string[]) {
    super(`The tools cannot be registered:\n${faults.map((fault) => `  - ${fault}`).join('\n')}`);
    this.name = 'DeclarationError';
  }
}

const NO_TOOLS =
  'No tools: register a module in src/tool-modules.ts, mount an upstream, or set EXAMPLE_TOOLS=true';

type Definition = ToolDefinition | MountedToolDefinition | PromptDefinition | ResourceDefinition;

@Injectable()
export class ToolRegistry implements TargetRegistry, OnModuleInit, OnApplicationBootstrap {
  private readonly logger = new EventLogger(ToolRegistry.name);
  private readonly tools = new Map<string, ToolDefinition>();
  /** Tools of upstreams, replaced as a whole. */
  private mountedTools: ReadonlyMap<string, MountedToolDefinition> = new Map();
  private readonly prompts = new Map<string, PromptDefinition>();
  private readonly resources = new Map<string, ResourceDefinition>();

  /** Sorted by name, so that every instance and every start lists the same order. */
  private sorted: {
    readonly tools: readonly (ToolDefinition | MountedToolDefinition)[];
    readonly prompts: readonly PromptDefinition[];
    readonly resources: readonly ResourceDefinition[];
    readonly resourceTemplates: readonly ResourceDefinition[];
  } = { tools: [], prompts: [], resources: [], resourceTemplates: [] };

  constructor(
    private readonly discovery: DiscoveryService,
    private readonly scanner: MetadataScanner,
    private readonly config: ConfigService<Settings, true>,
  ) {}

  /** @throws DeclarationError with every fault of the declarations, and of the allow-list against them. */
  onModuleInit(): void {
    const { declared, faults } = this.collect();
    for (const one of declared) {
      try {
        this.add(one);
      } catch (error) {
        faults.push(`${one.declaration.file}: ${one.type.name}.${one.method}: ${(error as Error).message}`);
      }
    }
    faults.push(...this.allowListFaults());
    if (faults.length > 0) throw new DeclarationError(faults);
    const resources = byName(this.resources);
    this.sorted = {
      tools: byName(this.tools),
      prompts: byName(this.prompts),
      resources: resources.filter(({ at }) => 'uri' in at),
      resourceTemplates: resources.filter(({ at }) => 'uriTemplate' in at),
    };
  }

  /** A server without targets starts and logs one line. */
  onApplicationBootstrap(): void {
    const { list: upstreams } = this.config.get('upstreams', { infer: true });
    if (this.all().length === 0 && upstreams.length === 0) {
      this.logger.write('config.no_tools', NO_TOOLS);
    }
  }

  find(kind: TargetKind, name: string): Definition | undefined {
    if (kind === 'tool') return this.tools.get(name) ?? this.mountedTools.get(name);
    return kind === 'prompt' ? this.prompts.get(name) : this.resources.get(name);
  }

  /** True if the registry still holds this definition: upstream tools can be replaced and withheld. */
  isCurrent(target: Target): target is Definition {
    return this.find(target.kind, target.name) === target;
  }

  /**
   * Replaces the tools of all upstreams.
   * @throws Error if two tools have the same name.
   */
  mount(definitions: readonly MountedToolDefinition[]): void {
    const mounted = new Map<string, MountedToolDefinition>();
    for (const definition of definitions) {
      if (this.tools.has(definition.name))
        throw new Error(`a tool with the name ${definition.name} already exists`);
      put(mounted, definition);
    }
    this.mountedTools = mounted;
    this.sorted = {
      ...this.sorted,
      tools: byName<ToolDefinition | MountedToolDefinition>(
        new Map<string, ToolDefinition | MountedToolDefinition>([...this.tools, ...mounted]),
      ),
    };
  }

  /** Tools of this server. */
  get localTools(): readonly ToolDefinition[] {
    return [...this.tools.values()];
  }

  /** Tools of upstreams. */
  get mounted(): readonly MountedToolDefinition[] {
    return [...this.mountedTools.values()];
  }

  findResourceByUri(uri: string): ResourceDefinition | undefined {
    const all = [...this.resources.values()];
    return (
      all.find(({ at }) => 'uri' in at && at.uri === uri) ??
      all.find(({ at }) => 'matcher' in at && at.matcher.match(uri) !== undefined)
    );
  }

  all(): readonly ProtectedTarget[] {
    return [
      ...this.tools.values(),
      ...this.mountedTools.values(),
      ...this.resources.values(),
      ...this.prompts.values(),
    ];
  }

  list(kind: ListKind): readonly Definition[] {
    return this.sorted[kind];
  }

  /** Access rules by target label. */
  rules(): Record<string, AccessRule> {
    const labelled = this.all().map((target) => [targetLabel(target), target.rule] as const);
    return Object.fromEntries(labelled.sort(([a], [b]) => (a < b ? -1 : 1)));
  }

  /** Completions come last: each needs its prompt. */
  private collect(): { declared: Declared[]; faults: string[] } {
    const declared: Declared[] = [];
    const faults: string[] = [];
    for (const wrapper of this.discovery.getProviders()) {
      const type = wrapper.metatype as NewableFunction | null;
      if (typeof type !== 'function' || !type.prototype) continue;
      const prototype = type.prototype as Record<string, object>;
      for (const method of this.scanner.getAllMethodNames(prototype)) {
        const declaration = readDeclaration(prototype, method);
        if (!declaration) {
          if (declaresRule(prototype, method)) {
            faults.push(`${type.name}.${method}: has an access rule but is not a tool, resource or prompt`);
          }
          continue;
        }
        if (wrapper.isDependencyTreeStatic() && !wrapper.isTransient && wrapper.instance) {
          declared.push({ type, method, declaration, instance: wrapper.instance as object });
        } else {
          faults.push(
            `${declaration.file}: ${type.name}.${method}: the provider must not be request-scoped or transient`,
          );
        }
      }
    }
    const isCompletion = (one: Declared) => one.declaration.kind === 'completion';
    return {
      declared: [...declared.filter((one) => !isCompletion(one)), ...declared.filter(isCompletion)],
      faults,
    };
  }

  private add(one: Declared): void {
    const declaration: Declaration = one.declaration;
    switch (declaration.kind) {
      case 'tool':
        return put(this.tools, defineTool(one, declaration.options));
      case 'resource':
        return put(this.resources, this.unclaimed(defineResource(one, declaration.options)));
      case 'prompt':
        return put(this.prompts, definePrompt(one, declaration.options));
      case 'completion': {
        const prompt = this.prompts.get(declaration.options.prompt);
        if (!prompt) throw new Error(`the prompt ${declaration.options.prompt} does not exist`);
        this.prompts.set(prompt.name, defineCompletion(one, declaration.options, prompt));
      }
    }
  }

  private unclaimed(resource: ResourceDefinition): ResourceDefinition {
    const address = (of: ResourceDefinition) => ('uri' in of.at ? of.at.uri : of.at.uriTemplate);
    const twin = [...this.resources.values()].find((other) => address(other) === address(resource));
    if (twin) throw new Error(`${address(resource)} is already served by ${twin.rule.source}`);
    return resource;
  }

  private allowListFaults(): string[] {
    const { allowList } = this.config.get('policy', { infer: true });
    if (allowList === '*') return [];
    const known = new Set(this.all().map(targetLabel));
    const { list: upstreams } = this.config.get('upstreams', { infer: true });
    return [...allowList]
      .filter((label) => !known.has(label) && !couldMatchUpstream(label, upstreams))
      .map((label) => `TOOL_ALLOW_LIST: unknown target ${label}`);
  }
}

function put<T extends ProtectedTarget>(into: Map<string, T>, definition: T): void {
  const twin = into.get(definition.name);
  if (twin)
    throw new Error(`the ${definition.kind} ${definition.name} is already declared by ${twin.rule.source}`);
  into.set(definition.name, definition);
}

function byName<T extends ProtectedTarget>(definitions: ReadonlyMap<string, T>): T[] {
  return [...definitions.values()].sort((a, b) => (a.name < b.name ? -1 : 1));
}
