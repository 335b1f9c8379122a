import { pseudonym, pseudonymized } from './pseudonyms.js';
import { changeRecord, type AuditRecord } from './record.js';
import { principalOfRecord } from '../../test/support/principals.js';

const KEY = 'k'.repeat(32);
const ISSUER = 'https://issuer';
const { change: _, ...blank } = changeRecord({ what: 'key', from: '', to: '' }, 'id');
const RECORD: AuditRecord = {
  ...blank,
  event: 'decision',
  principal: principalOfRecord({
    iss: ISSUER,
    display_name: 'alice smith',
    client_id: 'assistant',
    tenant: 'acme',
    scopes: ['read'],
    roles: ['staff', 'alice@example.com'],
    token_id: 'jti',
  }),
  on_behalf_of: 'alice',
  delegation: [
    { sub: 'alice', iss: ISSUER, type: 'human' },
    { sub: 'helpdesk', iss: ISSUER, type: 'agent' },
    { sub: 'assistant', iss: ISSUER, type: 'client' },
  ],
};

it('replaces every name of a user with the same hash', () => {
  const record = pseudonymized(RECORD, KEY);
  const alice = pseudonym(ISSUER, 'alice', KEY);
  expect(record.principal?.sub).toBe(alice);
  expect(record.on_behalf_of).toBe(alice);
  expect(record.delegation).toEqual([
    { sub: alice, iss: ISSUER, type: 'human' },
    { sub: pseudonym(ISSUER, 'helpdesk', KEY), iss: ISSUER, type: 'agent' },
    { sub: 'assistant', iss: ISSUER, type: 'client' },
  ]);
  expect(record.principal).toMatchObject({ client_id: 'assistant', scopes: ['read'], tenant: 'acme' });
  expect(record.principal).not.toHaveProperty('display_name');
  expect(JSON.stringify(record)).not.toMatch(/alice|example\.com|jti"/);
});

it('keeps the name of a workload, which is a client', () => {
  const { principal } = RECORD;
  if (!principal) throw new Error('no principal');
  const record: AuditRecord = {
    ...RECORD,
    principal: { ...principal, kind: 'workload', sub: 'assistant' },
    on_behalf_of: null,
    delegation: [{ sub: 'assistant', iss: ISSUER, type: 'client' }],
  };
  expect(pseudonymized(record, KEY)).toMatchObject({
    principal: { sub: 'assistant' },
    on_behalf_of: null,
    delegation: record.delegation,
  });
});

it('depends on the key and the issuer', () => {
  const all = [
    pseudonym(ISSUER, 'alice', KEY),
    pseudonym(ISSUER, 'alice', `${KEY}x`),
    pseudonym('https://other', 'alice', KEY),
    pseudonym(ISSUER, 'bob', KEY),
  ];
  expect(new Set(all).size).toBe(4);
  all.forEach((one) => expect(one).toMatch(/^p:[\w-]{32}$/));
});

it('returns a record without a principal unchanged', () => {
  const record = { ...blank, event: 'authentication' as const };
  expect(pseudonymized(record, KEY)).toBe(record);
});
