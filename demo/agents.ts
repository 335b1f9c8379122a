/**
 * An agent is a real MCP client of either SDK with a delegated token. Its results are read from the HTTP responses.
 */
import {
  Client as ClientV2,
  StreamableHTTPClientTransport as TransportV2,
} from '@modelcontextprotocol/client';
import { Client as ClientV1 } from '@modelcontextprotocol/sdk/client/index.js';
import { StreamableHTTPClientTransport as TransportV1 } from '@modelcontextprotocol/sdk/client/streamableHttp.js';

export type Sdk = 'v1' | 'v2';

/** The response of the server to one request. */
export interface Answer {
  readonly http: number;
  /** The reason of a denial. */
  readonly reason: string | undefined;
  /** The audit record of the denial. */
  readonly decisionId: string | undefined;
  readonly message: string | undefined;
  /** Whether an allowed tool itself failed. */
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

/** The common interface of both SDK clients. */
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

/** Records HTTP responses, because each SDK converts denials into its own errors. */
function tapWire(): { fetch: Fetch; answerTo(method: string, run: () => Promise<unknown>): Promise<Answer> } {
  const seen: { method: string; answer: Promise<Answer> }[] = [];
  return {
    fetch: async (url, init) => {
      const response = await fetch(url, init);
      const method = methodOf(init?.body);
      // Read the copy at once: an unread copy blocks the client from releasing its response.
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
      // A client failure without a denial is a fault that the table must not hide.
      if (!answer || (failure && answer.http === 200 && answer.reason === undefined)) {
        throw failure?.error ?? new Error(`The client did not send ${method}`);
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
    reason: error && (error.data?.reason ?? 'no reason in the response'),
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
