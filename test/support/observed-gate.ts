/** A gateway for hostile requests: compares each request with its records and tool runs. */
import { rawRequest, sendRaw, type RawAnswer } from '../cases/raw-http.js';
import { ECHO_TEXT } from '../cases/bad-bodies.js';
import { answerOf, Gate, type Answer, type AuditLogLine } from './gate.js';
import { ProbeModule, Runs } from './probe.tools.js';

export type Header = readonly [string, string];

/** Traces of source paths, libraries and the runtime. */
const LEAK =
  /\n\s+at |node_modules|file:\/\/|[/\\](src|dist|home|root|usr|work)[/\\]|\.[jt]s:\d|@nestjs|express|\bzod\b|class-(validator|transformer)|raw-body|\bjose\b|(Type|Syntax|Range|Reference|URI)Error|"?(code|expected)\\?"?: \\?"?(invalid_|string)|\[object/;

/** @param told text that the caller sent and that the response may repeat. */
export function expectNoLeak(answer: { text: string }, told = ''): void {
  const text = told === '' ? answer.text : answer.text.replaceAll(told, '');
  expect(text).not.toMatch(LEAK);
  expect(text).not.toContain(process.cwd());
}

export const contentLength = (body: string): Header => ['Content-Length', String(Buffer.byteLength(body))];

export const common = (): Header[] => [
  ['Content-Type', 'application/json'],
  ['Accept', 'application/json, text/event-stream'],
  ['MCP-Protocol-Version', '2025-11-25'],
];

export class ObservedGate {
  private constructor(
    readonly gate: Gate,
    /** A token of alice with the scope `probe`. */
    readonly token: string,
  ) {}

  static async start(): Promise<ObservedGate> {
    const gate = await Gate.start({
      imports: [ProbeModule],
      database: false,
      env: { RATE_LIMIT_PER_MINUTE: '0' },
    });
    return new ObservedGate(
      gate,
      await gate.token({ scope: 'probe', exp: Math.floor(Date.now() / 1000) + 3000 }),
    );
  }

  close(): Promise<void> {
    return this.gate.close();
  }

  /** Checks that the gateway still responds, for `afterEach`. */
  async expectAlive(): Promise<void> {
    expect((await this.gate.modern(this.token, 'tools/list')).status).toBe(200);
  }

  get runs(): number {
    return this.gate.app.nest.get(Runs).names.length;
  }

  get port(): string {
    return new URL(this.gate.origin).port;
  }

  get host(): Header {
    return ['Host', new URL(this.gate.origin).host];
  }

  get bearer(): Header {
    return ['Authorization', `Bearer ${this.token}`];
  }

  async post(body: string | Uint8Array, headers: Readonly<Record<string, string>>): Promise<Answer> {
    return answerOf(
      await fetch(this.gate.url, {
        method: 'POST',
        headers: {
          'content-type': 'application/json',
          accept: 'application/json, text/event-stream',
          authorization: `Bearer ${this.token}`,
          ...headers,
        },
        body: body as string,
      }),
    );
  }

  /** A call of the tool echo over a raw connection. */
  echoOver(headers: Header[], line?: string): Promise<RawAnswer> {
    return sendRaw(this.gate.origin, {
      ...(line !== undefined && { line }),
      headers: [...common(), this.bearer, contentLength(ECHO_TEXT), ...headers],
      body: ECHO_TEXT,
    });
  }

  /** The bytes of a complete valid call of the tool echo. */
  echoBytes(): Buffer {
    return rawRequest({
      headers: [this.host, ...common(), this.bearer, contentLength(ECHO_TEXT)],
      body: ECHO_TEXT,
    });
  }

  /** Sends one request. @returns the response, the new records and the number of tool runs. */
  async observe<T>(send: () => Promise<T>): Promise<{ answer: T; lines: AuditLogLine[]; ran: number }> {
    const [before, ranBefore] = [(await this.gate.settledAuditLog()).length, this.runs];
    const answer = await send();
    return { answer, lines: this.gate.auditLog().slice(before), ran: this.runs - ranBefore };
  }
}
