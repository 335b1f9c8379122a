/** Tools, a resource and a prompt for tests of the gateway. They count every run. */
import { Injectable, Module } from '@nestjs/common';
import { IsInt, IsOptional, IsString, Max, MaxLength, Min } from 'class-validator';
import {
  AllowWorkload,
  AnyPrincipal,
  RequireAssurance,
  RequireRoles,
  RequireScopes,
} from '../../src/policy/decorators.js';
import { Prompt, PromptCompletion, Resource, Tool } from '../../src/tools/decorators.js';
import type { ResourceRequest } from '../../src/tools/definitions.js';
import { NoInput } from '../../src/tools/no-input.js';
import { InputRequired, ToolError, ToolResult } from '../../src/tools/results.js';
import type { ToolCall } from '../../src/tools/tool-call.js';

export class EchoInput {
  @IsString()
  @MaxLength(2000)
  text: string;

  @IsOptional()
  @IsInt()
  @Min(0)
  @Max(10)
  times?: number;
}

export class Promise1 {
  @IsString()
  promised: string;
}

export class GreetInput {
  @IsString()
  name: string;
}

/** The tool runs in order. One instance per gateway. */
@Injectable()
export class Runs {
  readonly names: string[] = [];
  readonly aborted: string[] = [];
}

@Injectable()
@RequireScopes('probe')
export class ProbeTools {
  constructor(private readonly runs: Runs) {}

  @Tool({ name: 'echo', description: 'Returns its input', annotations: { readOnlyHint: true } })
  echo(input: EchoInput, call: ToolCall): object {
    this.runs.names.push('echo');
    return { text: input.text, sub: call.principal.subject };
  }

  @Tool({ name: 'fail', description: 'Throws with a secret in its message' })
  fail(): never {
    this.runs.names.push('fail');
    throw new Error('connect postgres://root:hunter2@db failed');
  }

  @Tool({ name: 'refuse', description: 'Returns a tool error' })
  refuse(): never {
    this.runs.names.push('refuse');
    throw new ToolError('Not on a Sunday');
  }

  @Tool({ name: 'break_promise', description: 'Violates its output schema', output: Promise1 })
  breakPromise(): object {
    return { other: 'secret-output' };
  }

  @Tool({ name: 'wait', description: 'Runs until it is cancelled, or for ten seconds' })
  async wait(_: NoInput, call: ToolCall): Promise<string> {
    this.runs.names.push('wait');
    await new Promise<void>((resolve) => {
      const timer = setTimeout(resolve, 10_000);
      call.signal.addEventListener('abort', () => {
        clearTimeout(timer);
        this.runs.aborted.push('wait');
        resolve();
      });
    });
    return 'waited';
  }

  @Tool({ name: 'steps', description: 'Reports its progress' })
  async steps(_: NoInput, call: ToolCall): Promise<string> {
    for (const step of [1, 2, 3]) await call.progress(step, 3, `step ${step}`);
    return 'done';
  }

  @Tool({ name: 'picture', description: 'Returns an image' })
  picture(): ToolResult {
    return new ToolResult([{ type: 'image', data: 'aGk=', mimeType: 'image/png' }]);
  }

  @Tool({ name: 'ask', description: 'Requests input first' })
  ask(_: NoInput, call: ToolCall): InputRequired | string {
    if (call.requestState !== undefined) return `state ${JSON.stringify(call.requestState)}`;
    return new InputRequired(undefined, { round: 1 });
  }

  @Tool({ name: 'admin_only', description: 'Adds a role and a scope to those of its class' })
  @RequireScopes('probe.admin')
  @RequireRoles('admin', 'owner')
  adminOnly(): string {
    this.runs.names.push('admin_only');
    return 'done';
  }

  @Tool({ name: 'machine', description: 'Open to workloads' })
  @AllowWorkload()
  machine(): string {
    this.runs.names.push('machine');
    return 'done';
  }

  @Resource({ name: 'handbook', uri: 'docs://handbook', mimeType: 'text/plain' })
  handbook(): string {
    this.runs.names.push('handbook');
    return 'Be kind.';
  }

  @Resource({ name: 'page', uriTemplate: 'docs://{section}/{page}', mimeType: 'text/plain' })
  page({ variables }: ResourceRequest): string {
    this.runs.names.push('page');
    return `${variables.section}/${variables.page}`;
  }

  @Prompt({ name: 'greet', description: 'Greets' })
  greet(input: GreetInput): string {
    this.runs.names.push('greet');
    return `Hello ${input.name}`;
  }

  @PromptCompletion({ prompt: 'greet', argument: 'name' })
  completeName(value: string): string[] {
    return ['Ada', 'Alan'].filter((name) => name.startsWith(value));
  }
}

@Injectable()
export class OpenTools {
  @Tool({ name: 'open', description: 'For every authenticated user' })
  @AnyPrincipal()
  open(): string {
    return 'open';
  }
}

/** Each target requires an assurance level; some methods require more. */
@Injectable()
@RequireAssurance({ acr: ['urn:example:gold', 'urn:example:platinum'] })
export class SensitiveTools {
  constructor(private readonly runs: Runs) {}

  @Tool({ name: 'sensitive', description: 'Requires a strong and recent authentication' })
  @RequireScopes('probe', 'probe.sensitive')
  @RequireAssurance({ maxAge: 300 })
  sensitive(): string {
    this.runs.names.push('sensitive');
    return 'done';
  }

  @Tool({ name: 'sensitive_admin', description: 'Requires an admin with the strongest authentication' })
  @RequireScopes('probe.sensitive')
  @RequireRoles('admin')
  @RequireAssurance({ acr: ['urn:example:platinum', 'urn:example:titanium'] })
  sensitiveAdmin(): string {
    this.runs.names.push('sensitive_admin');
    return 'done';
  }

  @Tool({ name: 'sensitive_open', description: 'Requires a strong authentication' })
  @AnyPrincipal()
  sensitiveOpen(): string {
    this.runs.names.push('sensitive_open');
    return 'done';
  }

  @Resource({ name: 'sealed', uri: 'docs://sealed', mimeType: 'text/plain' })
  @RequireScopes('probe')
  sealed(): string {
    this.runs.names.push('sealed');
    return 'Be careful.';
  }

  @Prompt({ name: 'whisper', description: 'Whispers' })
  @RequireScopes('probe')
  whisper(input: GreetInput): string {
    this.runs.names.push('whisper');
    return `Psst, ${input.name}`;
  }
}

@Injectable()
export class RecentTools {
  constructor(private readonly runs: Runs) {}

  @Tool({ name: 'recent', description: 'Requires a recent authentication' })
  @RequireScopes('probe')
  @RequireAssurance({ maxAge: 60 })
  recent(): string {
    this.runs.names.push('recent');
    return 'done';
  }
}

@Module({ providers: [Runs, ProbeTools, OpenTools, SensitiveTools, RecentTools] })
export class ProbeModule {}
