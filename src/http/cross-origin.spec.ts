import { allowedHeaders } from './cross-origin.js';

describe('allowedHeaders', () => {
  it.each([
    'mcp-session-id',
    'last-event-id',
    'mcp-protocol-version',
    'mcp-method',
    'mcp-name',
    'authorization',
  ])('allows %s', (name) => {
    expect(allowedHeaders(undefined).map((one) => one.toLowerCase())).toContain(name);
  });

  it('allows requested parameter headers only', () => {
    const asked =
      'authorization, mcp-param-region,Mcp-Param-User-Id, x-evil, mcp-param-, mcp-paramx, mcp-param-a b';
    const more = allowedHeaders(asked).slice(allowedHeaders(undefined).length);
    expect(more).toEqual(['mcp-param-region', 'Mcp-Param-User-Id']);
  });
});
