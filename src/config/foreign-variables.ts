/** Detects names and values made by Kubernetes, `docker --env-file` and Windows editors. */
import { LOWER_CASE_NAMES } from './proxies.js';
import { FILE_NOTICES, VARIABLE_NAMES, type Environment } from './variables.js';

/** A name with one of these prefixes that is not a variable is probably a typing error. */
const OUR_PREFIXES = [
  'AUTH_',
  'AUDIT_',
  'RATE_LIMIT_',
  'TOOL_',
  'ALLOWED_',
  'DENIAL_',
  'CHALLENGE_',
  'IDENTITY_',
  'POLICY_',
  'REVOCATION_',
  'SHUTDOWN_',
  'METRICS_',
  'SIGNALS_',
  'UPSTREAM',
  'TLS_',
  'LOG_',
];

const NAMES: readonly string[] = VARIABLE_NAMES;
const LOWER_CASE: readonly string[] = LOWER_CASE_NAMES;
/** Value of the `NAME_PORT` variable that Kubernetes injects for a service `name`. */
const SERVICE_ADDRESS = /^(tcp|udp|sctp):\/\/\S+:\d+$/i;
const QUOTED = /^\s*(["'`])[^]*\1\s*$/;
// oxlint-disable-next-line no-control-regex
const CONTROL = /[\u0000-\u001f\u007f]/;

/** Origin of a foreign value, without the value. */
export function valueFault(name: string, value: string): string | undefined {
  if (name.endsWith('_PORT') && SERVICE_ADDRESS.test(value)) {
    const service = name.slice(0, -'_PORT'.length).toLowerCase().replaceAll('_', '-');
    return `is injected by Kubernetes for the service ${service}: set enableServiceLinks: false in the pod, or give the variable a value`;
  }
  if (QUOTED.test(value) && value.trim().length > 1) {
    return 'is in quotes, which belong to the value here (docker --env-file keeps them): leave the quotes out';
  }
  if (/\r\n?$/.test(value)) {
    return 'ends with a carriage return: save the file that it comes from with the line ends of Unix (LF)';
  }
  if (CONTROL.test(value)) return 'holds a control character';
  if (/\s#/.test(value)) {
    return 'holds a # comment, which belongs to the value here (docker --env-file keeps it): leave the comment out';
  }
  return undefined;
}

/** Names with additional text around a variable, such as `export POLICY_DIR`: the setting would have no effect. */
export function nameFaults(env: Environment): string[] {
  return Object.keys(env).flatMap((name) => {
    if (/^[\w.-]*$/.test(name)) return [];
    const meant = NAMES.find((one) => name.split(/[^A-Za-z0-9_]+/).includes(one));
    return meant === undefined
      ? []
      : [`${meant}: a variable has this name with other characters around it: remove them`];
  });
}

/** One line for each unknown name with a known prefix, and one for all names that Kubernetes injects. */
export function unknownNames(env: Environment): string[] {
  const services = servicesIn(env);
  const ofFile = env[FILE_NOTICES] ?? new Map<string, string>();
  const names = Object.keys(env).filter((name) => !NAMES.includes(name) && !ofFile.has(name));
  const looksOurs = (name: string) =>
    OUR_PREFIXES.some((prefix) => name.startsWith(prefix)) ||
    (!LOWER_CASE.includes(name) && NAMES.includes(spelledAsOurs(name)));
  const ours = names.filter(looksOurs);
  const injected = services.filter((service) => ours.some((name) => isInjected(name, service)));
  return [
    ...ofFile.values(),
    ...ours
      .filter((name) => !injected.some((service) => isInjected(name, service)))
      .map((name) => `${name} is not a variable of this server and has no effect`),
    ...(injected.length === 0
      ? []
      : [
          `The variables of Kubernetes for the services ${injected.join(', ')} have no effect: set enableServiceLinks: false in the pod to leave them out`,
        ]),
  ];
}

function spelledAsOurs(name: string): string {
  return name.toUpperCase().replaceAll(/[.-]/g, '_');
}

/** Prefixes of services whose addresses Kubernetes injects, such as `AUTH`. */
function servicesIn(env: Environment): string[] {
  return Object.keys(env).flatMap((name) => {
    const prefix = /^([A-Z][A-Z0-9_]*)_SERVICE_HOST$/.exec(name)?.[1];
    return prefix !== undefined && env[`${prefix}_SERVICE_PORT`] !== undefined ? [prefix] : [];
  });
}

function isInjected(name: string, service: string): boolean {
  if (!name.startsWith(`${service}_`)) return false;
  return /^(SERVICE_HOST|SERVICE_PORT(_[A-Z0-9_]+)?|PORT|PORT_\d+_(TCP|UDP|SCTP)(_(PROTO|PORT|ADDR))?)$/.test(
    name.slice(service.length + 1),
  );
}
