import { readRevocation } from './read-revocation.js';

const ISSUER = 'https://issuer';
const ISSUERS = [{ issuer: ISSUER, clockToleranceSeconds: 5 }];
const NOW = Date.parse('2026-11-24T10:00:00Z');
const SECONDS = NOW / 1000;
const SUBJECT = { kind: 'subject', issuer: ISSUER, value: 'alice' };

const read = (members: Record<string, unknown>) => readRevocation(members, NOW, ISSUERS);

describe('readRevocation reads', () => {
  it.each<[string, Record<string, unknown>, object]>([
    [
      'a subject, until now and the clock tolerance of its issuer',
      SUBJECT,
      { kind: 'subject', value: 'alice', issuedBefore: SECONDS + 5, reason: null },
    ],
    ['an issuer without a value', { kind: 'issuer', issuer: ISSUER }, { kind: 'issuer', value: '' }],
    [
      'a time with a zone',
      { ...SUBJECT, issued_before: '2026-11-24T11:00:00+01:00' },
      { issuedBefore: SECONDS },
    ],
    ['seconds since the epoch', { ...SUBJECT, issued_before: 1 }, { issuedBefore: 1 }],
    [
      'a fraction of a second rounded down',
      { ...SUBJECT, issued_before: '2026-11-24T10:00:00.9Z' },
      { issuedBefore: SECONDS },
    ],
    ['a reason', { ...SUBJECT, reason: 'left' }, { reason: 'left' }],
    ['the longest value', { ...SUBJECT, value: 'x'.repeat(1_000) }, { value: 'x'.repeat(1_000) }],
  ])('%s', (_title, members, revocation) => {
    expect(read(members)).toMatchObject({ ok: true, revocation: { issuer: ISSUER, ...revocation } });
  });
});

describe('readRevocation rejects', () => {
  it.each<[string, Record<string, unknown>, RegExp]>([
    ['an unknown member', { ...SUBJECT, by: 'mallory' }, /^unknown member/],
    ['an unknown kind', { ...SUBJECT, kind: 'role' }, /^kind must be/],
    ['no kind', { issuer: ISSUER, value: 'alice' }, /^kind must be/],
    ['another issuer', { ...SUBJECT, issuer: 'https://other' }, /^issuer must be/],
    ['an issuer that differs by a slash', { ...SUBJECT, issuer: `${ISSUER}/` }, /^issuer must be/],
    ['no value', { kind: 'subject', issuer: ISSUER }, /^value must be/],
    ['a value that is no text', { ...SUBJECT, value: 5 }, /^value must be/],
    ['a value for an issuer', { ...SUBJECT, kind: 'issuer' }, /^value must be absent/],
    ['a value that is too long', { ...SUBJECT, value: 'x'.repeat(1_001) }, /^value must be/],
    ['a value with a zero byte', { ...SUBJECT, value: 'a\0' }, /^value must be/],
    ['a value with half a surrogate pair', { ...SUBJECT, value: '\ud800' }, /^value must be/],
    ['a reason that is no text', { ...SUBJECT, reason: {} }, /^reason must be/],
    ['a time without a zone', { ...SUBJECT, issued_before: '2026-11-24T10:00:00' }, /^issued_before must be/],
    ['a negative time', { ...SUBJECT, issued_before: -1 }, /^issued_before must be/],
    ['a fraction of seconds', { ...SUBJECT, issued_before: 1.5 }, /^issued_before must be/],
    ['a time that is null', { ...SUBJECT, issued_before: null }, /^issued_before must be/],
  ])('%s', (_title, members, fault) => {
    expect(read(members)).toEqual({ ok: false, fault: expect.stringMatching(fault) });
  });
});
