import { principal } from '../../../test/support/principals.js';
import { decideAdmin } from './decide-admin.js';

it.each([
  ['allows the role with the scope', ['gate-admin'], ['gate.admin'], 'allow', undefined],
  ['denies the scope alone', [], ['gate.admin'], 'deny', 'role_missing'],
  ['denies the role alone', ['gate-admin'], [], 'deny', 'scope_missing'],
  ['names the role first where both are missing', [], [], 'deny', 'role_missing'],
  ['denies names that only resemble', ['gate-admins', 'GATE-ADMIN'], ['gate.admin '], 'deny', 'role_missing'],
])('decideAdmin: %s', (_title, roles, scopes, effect, reason) => {
  const decision = decideAdmin(principal({ roles, scopes }));
  expect([decision.effect, 'reason' in decision ? decision.reason : undefined]).toEqual([effect, reason]);
});

it('lists every missing requirement of a denial', () => {
  expect(decideAdmin(principal())).toMatchObject({
    missing: { scopes: ['gate.admin'], roles: [['gate-admin']], assurance: null },
  });
});
