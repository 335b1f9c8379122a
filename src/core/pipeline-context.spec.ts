import type { ExecutionContext } from '@nestjs/common';
import type { Request, Response } from 'express';
import { LazyPipelineContext, PROXIES, toPipelineContext } from './pipeline-context.js';
import type { GateRequest, RequestContext } from './request-context.js';

const CONTEXT: RequestContext = {
  requestId: 'request',
  decisionId: 'decision',
  trace: undefined,
  ip: '192.0.2.1',
  client: null,
  parsed: { ok: true, id: 1, message: { id: 1, method: 'ping', params: {}, era: 'modern', body: {} } },
  audited: false,
};
const RESPONSE = {} as Response;

/** The part of an Express request that the pipeline reads; counts reads of the proxy setting. */
function requestFrom(
  address: string,
  members: object = {},
): { request: Request & GateRequest; reads: () => number } {
  let reads = 0;
  const proxies = { trusts: (one: string) => one === '10.0.0.1', headers: 'x-forwarded' };
  const app = { get: (name: string) => (name === PROXIES ? ((reads += 1), proxies) : undefined) };
  const socket = { remoteAddress: address };
  const request = { app, socket, headers: {}, query: {}, originalUrl: '/mcp', ...members };
  return { request: request as unknown as Request & GateRequest, reads: () => reads };
}

const contextOf = (request: Request & GateRequest, target = '/mcp') =>
  new LazyPipelineContext(CONTEXT, request, RESPONSE, target, request);

describe('LazyPipelineContext', () => {
  it('returns the names of the query parameters', () => {
    const { request } = requestFrom('192.0.2.1', { query: { access_token: 'x', a: '1' } });
    expect(contextOf(request, '/mcp?access_token=x&a=1').queryKeys).toEqual(['access_token', 'a']);
  });

  it('does not parse the query of a target without one', () => {
    const { request } = requestFrom('192.0.2.1');
    Object.defineProperty(request, 'query', {
      get: () => {
        throw new Error('The query was parsed');
      },
    });
    expect(contextOf(request).queryKeys).toEqual([]);
  });

  it.each([
    ['10.0.0.1', 'https', { secure: true, byProxy: true }],
    ['10.0.0.1', 'http', { secure: false, byProxy: true }],
    ['192.0.2.1', 'https', { secure: false, byProxy: false }],
  ])('reads X-Forwarded-Proto of a trusted proxy only (%s, %s)', (address, scheme, expected) => {
    const headers = { 'x-forwarded-proto': scheme, 'x-forwarded-for': '198.51.100.7' };
    expect(contextOf(requestFrom(address, { headers }).request)).toMatchObject(expected);
  });

  it('reads the sender once, and only on demand', () => {
    const { request, reads } = requestFrom('10.0.0.1');
    const context = contextOf(request);
    expect(reads()).toBe(0);
    expect([context.byProxy, context.secure, context.byProxy].length).toBe(3);
    expect(reads()).toBe(1);
  });

  it('returns the origin of an absolute target', () => {
    const targetOrigin = { scheme: 'https', authority: 'gate.example.com' };
    expect(contextOf(requestFrom('192.0.2.1', { targetOrigin }).request).targetOrigin).toBe(targetOrigin);
  });
});

describe('toPipelineContext', () => {
  const executionOf = (request: object) =>
    ({
      switchToHttp: () => ({ getRequest: () => request, getResponse: () => RESPONSE }),
    }) as ExecutionContext;

  it('returns the request context, the response and the original target of a request', () => {
    const { request } = requestFrom('192.0.2.1', { requestContext: CONTEXT, originalUrl: '/mcp?x=1' });
    expect(toPipelineContext(executionOf(request))).toMatchObject({
      requestContext: CONTEXT,
      response: RESPONSE,
      target: '/mcp?x=1',
    });
  });

  it('throws for a request without a request context', () => {
    const { request } = requestFrom('192.0.2.1');
    expect(() => toPipelineContext(executionOf(request))).toThrow('without');
  });
});
