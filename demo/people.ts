/** The users of the demo issuer and their rights. */

export interface Person {
  readonly roles: readonly string[];
  /** Scopes that the user may grant to an agent. */
  readonly scopes: readonly string[];
}

export const TOOL_SCOPES = ['database.read', 'database.write', 'email.send'] as const;

const PEOPLE: Readonly<Record<string, Person>> = {
  alice: { roles: ['developer'], scopes: ['database.read', 'email.send'] },
  bob: { roles: ['admin'], scopes: TOOL_SCOPES },
  carol: { roles: ['contractor'], scopes: [] },
};

export const PERSON_NAMES: readonly string[] = Object.keys(PEOPLE);

export function findPerson(name: unknown): Person | undefined {
  return typeof name === 'string' && Object.hasOwn(PEOPLE, name) ? PEOPLE[name] : undefined;
}
