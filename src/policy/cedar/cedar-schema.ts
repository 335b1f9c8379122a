/** Cedar schema of this deployment: an action per target with the types of its arguments. Pure. */
import { targetLabel, type TargetKind } from '../../core/decision.js';
import type { ProtectedTarget } from '../access-rule.js';
import { argumentsType, typeText } from './cedar-types.js';

/** Group of all targets of a kind; names of targets contain no star. */
export const ACTION_GROUPS: Readonly<Record<TargetKind, string>> = {
  tool: 'tools:*',
  resource: 'resources:*',
  prompt: 'prompts:*',
};

/** Subject and current actor only: inner actors must not take part in decisions (RFC 8693 section 4.1). */
const PRINCIPAL = `{
  // Exact issuer of the token, its subject, and the client that it was given to.
  iss: String,
  sub: String,
  client_id: String,
  tenant?: String,
  // Of the token, with what they imply.
  scopes: Set<String>,
  roles: Set<String>,
  // How, and when, the person authenticated.
  acr: Set<String>,
  auth_time?: datetime,
  // Who acts for the subject; not there where the subject acts itself.
  actor?: { iss: String, sub: String },
}`;

const CONTEXT = `  // In the time zone of policy.yaml. weekday: "monday" to "sunday"; date: "2026-11-23".
  time: { now: datetime, hour: Long, minute: Long, weekday: String, date: String },
  // Where the request came from; not there where that is unknown.
  ip?: ipaddr,
`;

/** Schema in Cedar's schema language. @param targets all registered targets. */
export function schemaText(targets: readonly ProtectedTarget[]): string {
  const groups = Object.values(ACTION_GROUPS).map((group) => `action ${JSON.stringify(group)};`);
  const actions = targets.map((target) => {
    const type = typeText(argumentsType(target.inputSchema));
    return [
      `action ${JSON.stringify(targetLabel(target))} in [Action::${JSON.stringify(ACTION_GROUPS[target.kind])}] appliesTo {`,
      '  principal: [Person, Workload],',
      '  resource: [Gate],',
      `  context: {\n${CONTEXT}  arguments: ${type},\n  },`,
      '};',
    ].join('\n');
  });
  return [
    '// Made from the registered tools; policies are held against it when they are loaded.',
    'entity Role;',
    '// A token with a person at its root; its id is issuer, space, subject.',
    `entity Person in [Role] ${PRINCIPAL};`,
    '// A token with none; its id is issuer, space, client id.',
    `entity Workload in [Role] ${PRINCIPAL};`,
    'entity Gate;',
    ...groups,
    ...actions,
    '',
  ].join('\n');
}
