/** State of the fast path with the causes, for log and probes. */
import { Injectable } from '@nestjs/common';
import type { HostExtension } from './fast-path-blockers.js';

export interface FastPathReport {
  readonly state: 'on' | 'off';
  /** Kinds of causes without class names. Unset while on. */
  readonly reason?: string;
}

const CAUSES: Readonly<Record<HostExtension['kind'], string>> = {
  global_guard: 'a global guard is registered',
  global_interceptor: 'a global interceptor is registered',
  global_pipe: 'a global pipe is registered',
  global_filter: 'a global filter is registered',
  pre_request_hook: 'a pre-request hook is registered',
  module_middleware: 'a module configures middleware',
  application_middleware: 'middleware is added to the application',
};

@Injectable()
export class FastPathStatus {
  private isDecided = false;
  private isEnabled = false;
  private extensions: readonly HostExtension[] = [];

  get isOn(): boolean {
    return this.isDecided && this.isEnabled && this.extensions.length === 0;
  }

  /** @param isEnabled false for `MCP_FAST_PATH=off`. */
  decide(isEnabled: boolean, extensions: readonly HostExtension[]): void {
    this.isDecided = true;
    this.isEnabled = isEnabled;
    this.extensions = extensions;
  }

  /** Line of the log. */
  line(): string {
    if (this.isOn) return 'Fast path: on';
    const causes = this.extensions.map(({ kind, name }) => `${CAUSES[kind]}: ${name}`);
    return `Fast path: off, ${this.isEnabled ? causes.join('; ') : 'MCP_FAST_PATH=off'}`;
  }

  report(): FastPathReport {
    if (this.isOn) return { state: 'on' };
    return { state: 'off', reason: this.reason() };
  }

  private reason(): string {
    if (!this.isDecided) return 'starting';
    if (!this.isEnabled) return 'setting';
    return [...new Set(this.extensions.map(({ kind }) => kind))].join(', ');
  }
}
