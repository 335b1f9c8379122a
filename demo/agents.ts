/** An agent is a real MCP client, of either SDK, with a delegated token; what it is told is read off the wire. */
import {
  Client as ClientV2,
  StreamableHTTPClientTransport as TransportV2,
} from '@modelcontextprotocol/client';
import { Client as ClientV1 } from '@modelcontextprotocol/sdk/client/index.js';
import { StreamableHTTPClientTransport as TransportV1 } from '@modelcontextprotocol/sdk/client/streamableHttp.js';

export type Sdk = 'v1' | 'v2';

/** What the server answered, refused or not. */
export interface Answer {
  readonly http: number;
  /** Why it was refused, where it was. */
  readonly reason: string | undefined;
  /** The record of the refusal in the audit log. */
  readonly decisionId: string | undefined;
  readonly message: string | undefined;
  /** Whether the tool itself failed, after it was allowed. */
  readonly toolFailed: boolean;
  readonly result: Result | undefined;
}

export interface Result {
  readonly tools?: readonly { readonly name: string }[];
  readonly isError?: boolean;
  readonly content?: readonly { readonly text?: string }[];
  readonly structuredContent?: Readonly<Record<string, unknown>>;
}

export interface Agent {
  listTools(): Promise<Answer>;
  callTool(name: string, args: Record<string, unknown>): Promise<Answer>;
  close(): Promise<void>;
}

/** What both SDK clients have in common, as far as an agent needs it. */
interface McpClient {
  listTools(): Promise<unknown>;
  callTool(request: { name: string; arguments: Record<string, unknown> }): Promise<unknown>;
  close(): Promise<void>;
}

interface Message {
  readonly result?: Result;
  readonly error?: {
    readonly message?: string;
    readonly data?: { readonly reason?: string; readonly decision_id?: string };
  };
}

type Fetch = (url: string | URL, init?: RequestInit) => Promise<Response>;

export async function connectAgent(sdk: Sdk, name: string, url: string, token: string): Promise<Agent> {
  const tap = tapWire();
  const client = await connect(sdk, { name, version: '1.0.0' }, new URL(url), {
    requestInit: { headers: { authorization: `Bearer ${token}` } },
    fetch: tap.fetch,
  });
  return {
    listTools: () => tap.answerTo('tools/list', () => client.listTools()),
    callTool: (tool, args) =>
      tap.answerTo('tools/call', () => client.callTool({ name: tool, arguments: args })),
    close: () => client.close(),
  };
}

async function connect(
  sdk: Sdk,
  info: { name: string; version: string },
  url: URL,
  options: { requestInit: RequestInit; fetch: Fetch },
): Promise<McpClient> {
  if (sdk === 'v1') {
    const client = new ClientV1(info);
    await client.connect(new TransportV1(url, options));
    return client;
  }
  const client = new ClientV2(info, { versionNegotiation: { mode: 'auto' } });
  await client.connect(new TransportV2(url, options));
  return client;
}

/** Each SDK turns a refusal into errors of its own making; the wire has the answer itself. */
function tapWire(): { fetch: Fetch; answerTo(method: string, run: () => Promise<unknown>): Promise<Answer> } {
  const seen: { method: string; answer: Promise<Answer> }[] = [];
  return {
    fetch: async (url, init) => {
      const response = await fetch(url, init);
      const method = methodOf(init?.body);
      // Read at once: a copy that nobody reads keeps the client from letting go of its own.
      if (method?.startsWith('tools/')) seen.push({ method, answer: readAnswer(response.clone()) });
      return response;
    },
    answerTo: async (method, run) => {
      seen.length = 0;
      const failure = await run().then(
        () => undefined,
        (error: unknown) => ({ error }),
      );
      const answer = await seen.findLast((one) => one.method === method)?.answer;
      // A client that fails although nobody refused it has a problem that the table must not hide.
      if (!answer || (failure && answer.http === 200 && answer.reason === undefined)) {
        throw failure?.error ?? new Error(`The client never sent ${method}`);
      }
      return answer;
    },
  };
}

function methodOf(body: unknown): string | undefined {
  return typeof body === 'string' ? (JSON.parse(body) as { method?: string }).method : undefined;
}

async function readAnswer(response: Response): Promise<Answer> {
  const { result, error } = messageOf(await response.text(), response.headers.get('content-type') ?? '');
  return {
    http: response.status,
    reason: error && (error.data?.reason ?? 'no reason given'),
    decisionId: error?.data?.decision_id,
    message: error?.message ?? result?.content?.[0]?.text,
    toolFailed: result?.isError === true,
    result,
  };
}

/** A JSON body, or the last event of a stream. */
function messageOf(text: string, contentType: string): Message {
  const json = contentType.startsWith('text/event-stream')
    ? text
        .split('\n')
        .findLast((line) => line.startsWith('data:'))
        ?.slice('data:'.length)
    : text;
  try {
    return JSON.parse(json ?? '') as Message;
  } catch {
    return { error: { message: text.slice(0, 200) } };
  }
}
