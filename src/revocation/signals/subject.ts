/** Whom an event is about (RFC 9493, SSF 1.0 section 3), as what can be revoked: the tokens of a person, of a login, or one. Pure. */
import type { TransmitterSettings } from '../../config/settings.js';
import { isJsonObject, type JsonObject } from '../../lib/json.js';
import type { Revocation } from '../revocation.js';
import { isText } from './read-set.js';

export type Target = Pick<Revocation, 'kind' | 'issuer' | 'value'>;

/** `foreign`: of an issuer that this transmitter does not speak for. `unusable`: nothing here is known by that name. */
export type SubjectMatch =
  | { readonly is: 'target'; readonly target: Target }
  | { readonly is: 'foreign' }
  | { readonly is: 'unusable'; readonly why: string };

/** What an identifier can stand for, from where it is. */
type Role = 'person' | 'session';

/** SSF 1.0 section 3.2: only `user` and `session` name something that can be revoked here. */
const MEMBERS = ['user', 'session', 'device', 'application', 'tenant', 'org_unit', 'group'];
const MAX_ALIASES = 20;

/**
 * @param wanted what the event ends. Of a login: that login, and all of the person where the login is not named in a way
 *   that can be used, for too much is better than nothing. Of a person: never less than the person where one is named.
 */
export function resolveSubject(
  subject: unknown,
  wanted: Role,
  { subjectIssuer, emailIsSubject }: Pick<TransmitterSettings, 'subjectIssuer' | 'emailIsSubject'>,
): SubjectMatch {
  if (!isJsonObject(subject)) return unusable('The event names no subject');
  const read = (identifier: unknown, roles: readonly Role[]) =>
    readIdentifier(identifier, roles, subjectIssuer, emailIsSubject);
  if (!isComplex(subject)) {
    return read(subject, wanted === 'session' ? ['session', 'person'] : ['person']);
  }
  const person = subject.user === undefined ? undefined : read(subject.user, ['person']);
  const session = subject.session === undefined ? undefined : read(subject.session, ['session']);
  if (person?.is === 'foreign' || session?.is === 'foreign') return { is: 'foreign' };
  if (wanted === 'session' && session?.is === 'target') return session;
  return person ?? session ?? unusable('The subject names neither a user nor a session');
}

/** Older transmitters name no format, and call that of the others `subject_type`. */
function isComplex(subject: JsonObject): boolean {
  const format = formatOf(subject);
  return (
    format === 'complex' || (format === undefined && MEMBERS.some((name) => Object.hasOwn(subject, name)))
  );
}

function formatOf({ format, subject_type: older }: JsonObject): string | undefined {
  const name = format ?? older;
  return typeof name === 'string' ? name.replaceAll('-', '_') : undefined;
}

function readIdentifier(
  identifier: unknown,
  roles: readonly Role[],
  issuer: string,
  emailIsSubject: boolean,
): SubjectMatch {
  if (!isJsonObject(identifier)) return unusable('The subject is no subject identifier');
  const { iss, sub, id, jti, email } = identifier;
  const format = formatOf(identifier);
  if (format === 'aliases') return readAliases(identifier, roles, issuer, emailIsSubject);
  // Whose it is comes before what it is.
  if ((format === 'iss_sub' || format === 'jwt_id') && iss !== issuer) return { is: 'foreign' };
  const [kind, value]: [Target['kind'] | undefined, unknown] =
    format === 'iss_sub' && roles.includes('person')
      ? ['subject', sub]
      : format === 'email' && roles.includes('person') && emailIsSubject
        ? ['subject', email]
        : format === 'opaque' && roles.includes('session')
          ? ['session', id]
          : format === 'jwt_id' && roles.includes('session')
            ? ['token', jti]
            : [undefined, undefined];
  if (kind === undefined) return unusable(`A subject in this format is not accepted here: ${shown(format)}`);
  if (!isText(value)) return unusable('The subject identifier is not complete');
  return { is: 'target', target: { kind, issuer, value } };
}

/** Several names of one and the same (RFC 9493 section 3.2.8): the first that can be used. */
function readAliases(
  { identifiers }: JsonObject,
  roles: readonly Role[],
  issuer: string,
  emailIsSubject: boolean,
): SubjectMatch {
  const list = Array.isArray(identifiers) ? (identifiers as unknown[]).slice(0, MAX_ALIASES) : [];
  // Aliases within aliases are forbidden, and would be a way to keep us busy.
  const flat = list.filter((one) => !(isJsonObject(one) && formatOf(one) === 'aliases'));
  const matches = flat.map((one) => readIdentifier(one, roles, issuer, emailIsSubject));
  return (
    matches.find(({ is }) => is === 'target') ??
    matches.find(({ is }) => is === 'foreign') ??
    unusable('None of the aliases of the subject is accepted here')
  );
}

/** Of the formats that have a name, that name. */
function shown(format: string | undefined): string {
  const known = ['iss_sub', 'opaque', 'email', 'jwt_id', 'account', 'phone_number', 'did', 'uri'];
  return known.find((one) => one === format) ?? 'an unknown one';
}

function unusable(why: string): SubjectMatch {
  return { is: 'unusable', why };
}
