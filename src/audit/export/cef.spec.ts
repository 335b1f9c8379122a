import fc from 'fast-check';
import { CALL, DENIED, UNAUTHENTICATED } from '../../../test/support/audit-records.js';
import { toCef } from './cef.js';

/** Parses a line as a collector does (CEF, revision 27). */
function parseCef(line: string): { header: string[]; extension: Record<string, string> } {
  const parts = line.split(/(?<!\\)(?:\\\\)*\|/);
  const header = parts.slice(0, 7).map((part) => part.replace(/\\([\\|])/g, '$1'));
  const rest = parts.slice(7).join('|');
  const extension = Object.fromEntries(
    [...rest.matchAll(/(?:^| )(\w+)=((?:\\.|[^\\=])*?)(?= \w+=|$)/g)].map(([, name = '', value = '']) => [
      name,
      value.replace(/\\([\\=])/g, '$1'),
    ]),
  );
  return { header, extension };
}

describe('toCef', () => {
  it('maps caller, user, target and decision', () => {
    const { header, extension } = parseCef(toCef(DENIED));
    expect(header.slice(0, 2)).toEqual(['CEF:0', 'identity-aware-mcp-server']);
    expect(header.slice(4)).toEqual(['scope_missing', 'decision read_customer', '4']);
    expect(extension).toMatchObject({
      rt: String(Date.parse(DENIED.time)),
      act: 'deny',
      reason: 'scope_missing',
      src: '192.0.2.1',
      suser: 'alice',
      sourceServiceName: 'assistant',
      destinationServiceName: 'read_customer',
      cs1Label: 'delegation',
      cs1: 'alice (human) > planner (agent)',
      cs3: 'database.read admin|owner',
      cs4: 'database.read',
      externalId: 'the-id',
      cn1: '7',
    });
  });

  it('omits labels of absent values', () => {
    expect(toCef(UNAUTHENTICATED)).not.toMatch(/cs1Label|cs2Label|cs4Label|suser|cn2/);
  });

  it('escapes caller text that would end a line or a field', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'grapheme' }), fc.string({ unit: 'binary' }), (tool, person) => {
        const line = toCef({ ...CALL, tool: `${tool}|a=b\\\n`, on_behalf_of: `${person}=x\r\n` });
        // eslint-disable-next-line no-control-regex
        expect(line).not.toMatch(/[\n\r\u2028\u2029\u0000]/);
        const { header, extension } = parseCef(line);
        expect(header).toHaveLength(7);
        expect(extension.cn1).toBe('7');
      }),
      { numRuns: 300 },
    );
  });
});
