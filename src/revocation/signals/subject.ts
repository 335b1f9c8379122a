/**
 * Maps the subject of an event (RFC 9493, SSF 1.0 section 3) to revocable tokens: of a user, of a login, or one
 * token. Pure.
 */
import type { TransmitterSettings } from '../../config/settings.js';
import { isJsonObject, type JsonObject } from '../../lib/json.js';
import type { Revocation } from '../revocation.js';
import { isText } from './read-set.js';

export type Target = Pick<Revocation, 'kind' | 'issuer' | 'value'>;

/** `foreign`: of another issuer than that of the transmitter. `unusable`: no known identifier. */
export type SubjectMatch =
  | { readonly is: 'target'; readonly target: Target }
  | { readonly is: 'foreign' }
  | { readonly is: 'unusable'; readonly why: string };

/** Meaning of an identifier by its place. */
type Role = 'person' | 'session';

/** SSF 1.0 section 3.2: only `user` and `session` are revocable here. */
const MEMBERS = ['user', 'session', 'device', 'application', 'tenant', 'org_unit', 'group'];
const MAX_ALIASES = 20;

/**
 * @param wanted scope of the event. A login without a usable identifier becomes all tokens of the user: too much is
 * safer than too little. An event about a user never becomes less.
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

/** Older transmitters omit the format and use `subject_type`. */
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
  if (!isJsonObject(identifier)) return unusable('The subject is not a subject identifier');
  const { iss, sub, id, jti, email } = identifier;
  const format = formatOf(identifier);
  if (format === 'aliases') return readAliases(identifier, roles, issuer, emailIsSubject);
  // The issuer is checked before the identifier.
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
  if (kind === undefined)
    return unusable(`The server does not accept a subject in this format: ${shown(format)}`);
  if (!isText(value)) return unusable('The subject identifier is not complete');
  return { is: 'target', target: { kind, issuer, value } };
}

/** Aliases of one subject (RFC 9493 section 3.2.8): the first usable one. */
function readAliases(
  { identifiers }: JsonObject,
  roles: readonly Role[],
  issuer: string,
  emailIsSubject: boolean,
): SubjectMatch {
  const list = Array.isArray(identifiers) ? (identifiers as unknown[]).slice(0, MAX_ALIASES) : [];
  // Nested aliases are forbidden and would cost time.
  const flat = list.filter((one) => !(isJsonObject(one) && formatOf(one) === 'aliases'));
  const matches = flat.map((one) => readIdentifier(one, roles, issuer, emailIsSubject));
  return (
    matches.find(({ is }) => is === 'target') ??
    matches.find(({ is }) => is === 'foreign') ??
    unusable('The server accepts no alias of the subject')
  );
}

/** Name of a known format. */
function shown(format: string | undefined): string {
  const known = ['iss_sub', 'opaque', 'email', 'jwt_id', 'account', 'phone_number', 'did', 'uri'];
  return known.find((one) => one === format) ?? 'an unknown one';
}

function unusable(why: string): SubjectMatch {
  return { is: 'unusable', why };
}
