/** Runs allowed calls, records their outcomes, and hides the messages of unexpected errors. */
import { Injectable } from '@nestjs/common';
import { EventLogger } from '../core/event-logger.js';
import { targetLabel } from '../core/decision.js';
import type { RequestContext, OutcomeStatus } from '../core/request-context.js';
import type { JsonObject } from '../lib/json.js';
import type { ProtectedTarget } from '../policy/access-rule.js';
import type {
  MountedToolDefinition,
  PromptDefinition,
  ResourceDefinition,
  ToolDefinition,
} from './definitions.js';
import type { DtoClass } from './dto-schema.js';
import { ToolRegistry } from './tool-registry.js';
import {
  renderCompletion,
  renderPrompt,
  renderResource,
  renderToolResult,
  type Rendered,
} from './render-result.js';
import { ToolError, ToolUnavailable } from './results.js';
import type { ToolCall } from './tool-call.js';
import { validateDto, type Validated } from './validate-dto.js';

/** The adapter renders a `failure` as a tool result, or as a protocol error for resources and prompts. */
export type Invoked =
  Rendered | { readonly kind: 'failure'; readonly fault: 'input' | 'tool'; readonly message: string };

type Ended = { readonly status: OutcomeStatus; readonly invoked: Invoked };

@Injectable()
export class ToolInvoker {
  private readonly logger = new EventLogger(ToolInvoker.name);

  constructor(private readonly registry: ToolRegistry) {}

  /** Calls the tool that the decision of this request allows. */
  callTool(requestContext: RequestContext, call: ToolCall, args: unknown): Promise<Invoked> {
    const tool = this.allowed(requestContext, 'tool') as ToolDefinition | MountedToolDefinition;
    return this.track(requestContext, call, async () => {
      if ('relay' in tool)
        return relayed(await tool.relay(argumentsOf(args), call, requestContext.heldToken));
      const checked = await checkInput(tool.input, args);
      if (!checked.ok) return badInput(checked.faults);
      const rendered = renderToolResult(await tool.run(checked.input, call));
      if (tool.output) await this.requireOutput(tool.output, rendered);
      return { status: 'ok', invoked: rendered };
    });
  }

  readResource(requestContext: RequestContext, call: ToolCall, uri: string): Promise<Invoked> {
    const resource = this.allowed(requestContext, 'resource') as ResourceDefinition;
    return this.track(requestContext, call, async () => {
      const variables = 'matcher' in resource.at ? (resource.at.matcher.match(uri) ?? {}) : {};
      const value = await resource.run({ uri, variables }, call);
      return { status: 'ok', invoked: renderResource(value, uri, resource.mimeType) };
    });
  }

  getPrompt(requestContext: RequestContext, call: ToolCall, args: unknown): Promise<Invoked> {
    const prompt = this.allowed(requestContext, 'prompt') as PromptDefinition;
    return this.track(requestContext, call, async () => {
      const checked = await checkInput(prompt.input, args);
      if (!checked.ok) return badInput(checked.faults);
      return {
        status: 'ok',
        invoked: renderPrompt(await prompt.run(checked.input, call), prompt.entry.description),
      };
    });
  }

  /** Suggestions for an argument of a prompt. Empty for resources, and for a prompt without completions. */
  complete(
    requestContext: RequestContext,
    call: ToolCall,
    argument: { name: string; value: string },
  ): Promise<Invoked> {
    const target = this.allowed(requestContext, 'prompt', 'resource');
    const completion =
      target.kind === 'prompt' ? (target as PromptDefinition).completions.get(argument.name) : undefined;
    return this.track(requestContext, call, async () => {
      const values = await completion?.(argument.value, call);
      return { status: 'ok', invoked: { kind: 'result', result: renderCompletion(values ?? []) } };
    });
  }

  /** For requests that are decided like a call but run no handler (resource subscriptions). */
  acknowledge(requestContext: RequestContext, call: ToolCall): Promise<Invoked> {
    this.allowed(requestContext, 'resource');
    return this.track(requestContext, call, async () => ({
      status: 'ok',
      invoked: { kind: 'result', result: {} },
    }));
  }

  /**
   * Definition of the decided target.
   * @throws Error without an `allow` decision for it: no handler runs.
   */
  private allowed(requestContext: RequestContext, ...kinds: ProtectedTarget['kind'][]): ProtectedTarget {
    const { operation, decision, audited } = requestContext;
    if (
      operation?.kind !== 'call' ||
      decision?.effect !== 'allow' ||
      !kinds.includes(operation.target.kind)
    ) {
      throw new Error('A call reached the invoker without a decision that allows it');
    }
    if (!audited) throw new Error('A call reached the invoker before its decision was recorded');
    if (requestContext.outcome) throw new Error('A call reached the invoker twice');
    const { target } = operation;
    // The definition may have been replaced or withheld while the decision was recorded.
    if (!this.registry.isCurrent(target))
      throw new Error(`${targetLabel(target)} was allowed, but its definition has changed since`);
    return target;
  }

  private track(requestContext: RequestContext, call: ToolCall, run: () => Promise<Ended>): Promise<Invoked> {
    const started = performance.now();
    const ended = this.guarded(run, call, requestContext);
    requestContext.outcome = ended.then(({ status }) => ({
      status,
      durationMs: Math.round(performance.now() - started),
    }));
    return ended.then(({ invoked }) => invoked);
  }

  private async guarded(
    run: () => Promise<Ended>,
    call: ToolCall,
    requestContext: RequestContext,
  ): Promise<Ended> {
    try {
      const ended = await run();
      return call.signal.aborted ? { ...ended, status: 'cancelled' } : ended;
    } catch (error) {
      if (error instanceof ToolError) {
        return { status: 'tool_error', invoked: { kind: 'failure', fault: 'tool', message: error.message } };
      }
      const status = call.signal.aborted ? 'cancelled' : 'failed';
      const told = error instanceof ToolUnavailable ? error.message : 'The tool failed.';
      if (status === 'failed') this.log(error, call.decisionId, requestContext);
      const message = `${told} Reference: ${call.decisionId}`;
      return { status, invoked: { kind: 'failure', fault: 'tool', message } };
    }
  }

  private log(error: unknown, decisionId: string, { operation }: RequestContext): void {
    const name = operation?.kind === 'call' ? targetLabel(operation.target) : 'unknown';
    if (!(error instanceof ToolUnavailable)) {
      this.logger.write('tool.failed', `Tool ${name}: failed`, { err: error, decisionId });
      return;
    }
    const { message, cause } = error;
    this.logger.write('tool.unavailable', `Tool ${name}: unavailable: ${message}`, {
      decisionId,
      ...(cause instanceof Error && { why: cause.message }),
    });
  }

  /** @throws Error if the result differs from the declared output: a failure of the tool. */
  private async requireOutput(output: DtoClass, rendered: Rendered): Promise<void> {
    if (rendered.kind === 'inputRequired') return;
    const checked = await validateDto(output, rendered.result.structuredContent ?? null);
    if (rendered.result.structuredContent === undefined)
      throw new Error('The tool declares an object as output and returned another type');
    if (!checked.ok)
      throw new Error(`The result of the tool differs from its output schema: ${checked.faults.join('; ')}`);
  }
}

/** Result of an upstream. Its `isError` decides the status. */
function relayed(result: JsonObject): Ended {
  return {
    status: result.isError === true ? 'tool_error' : 'ok',
    invoked: { kind: 'result', result, passThrough: true },
  };
}

function argumentsOf(args: unknown): JsonObject {
  return (args ?? {}) as JsonObject;
}

async function checkInput(dto: DtoClass | undefined, args: unknown): Promise<Validated> {
  if (dto) return validateDto(dto, args);
  const empty =
    args === undefined || (typeof args === 'object' && args !== null && Object.keys(args).length === 0);
  return empty ? { ok: true, input: {} } : { ok: false, faults: ['no arguments are expected'] };
}

function badInput(faults: readonly string[]): Ended {
  return {
    status: 'tool_error',
    invoked: { kind: 'failure', fault: 'input', message: `Invalid arguments: ${faults.join('; ')}` },
  };
}
