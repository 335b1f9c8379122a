/** Faults of single variables and contradictions between variables. Faults contain names, never values. */
import { plainToInstance } from 'class-transformer';
import { validateSync } from 'class-validator';
import { valueFault } from './foreign-variables.js';
import { proxyVariables } from './proxies.js';
import { isLoopbackHost, splitList } from './rules.js';
import type { AuthSettings } from './settings.js';
import { type Environment, ONE_ISSUER_VARIABLES, Variables, VARIABLE_NAMES } from './variables.js';

export function givenIn(env: Environment): Record<string, unknown> {
  const all: Environment = {
    ...env,
    HTTPS_PROXY: undefined,
    HTTP_PROXY: undefined,
    NO_PROXY: undefined,
    ...proxyVariables(env),
  };
  const names = VARIABLE_NAMES.filter((name) => all[name] !== undefined);
  return Object.fromEntries(names.map((name) => [name, all[name]]));
}

export function emptyFaults(given: Record<string, unknown>): string[] {
  return Object.entries(given)
    .filter(([, value]) => typeof value === 'string' && value.trim() === '')
    .map(([name]) => `${name}: is set but empty: give it a value, or leave it out`);
}

/** @param named variables with reported faults. */
export function formFaults(given: Record<string, unknown>, named: ReadonlySet<string>): string[] {
  const filled = Object.entries(given).filter(
    ([, value]) => typeof value !== 'string' || value.trim() !== '',
  );
  const empty = new Set(
    Object.keys(given).filter((name) => !filled.some(([filledName]) => filledName === name)),
  );
  return validateSync(plainToInstance(Variables, Object.fromEntries(filled)))
    .filter(({ property }) => !empty.has(property) && !named.has(property))
    .map((error) => {
      const missing = error.value === undefined;
      return `${error.property}: ${missing ? 'is required and not set' : Object.values(error.constraints ?? {}).join('; ')}`;
    });
}

/** Values with traces of other tools. */
export function foreignFaults(given: Record<string, unknown>): Map<string, string> {
  const faults = Object.entries(given).flatMap(([name, value]) => {
    const fault = typeof value === 'string' ? valueFault(name, value) : undefined;
    return fault === undefined ? [] : [[name, `${name}: ${fault}`] as const];
  });
  return new Map(faults);
}

export function crossFaults(variables: Variables): string[] {
  const faults: string[] = [];
  if (Boolean(variables.TLS_CERT_FILE) !== Boolean(variables.TLS_KEY_FILE)) {
    faults.push('TLS_CERT_FILE: requires TLS_KEY_FILE, and TLS_KEY_FILE requires TLS_CERT_FILE');
  }
  if (variables.TLS_CLIENT_CA_FILE && !variables.TLS_CERT_FILE) {
    faults.push('TLS_CLIENT_CA_FILE: needs TLS_CERT_FILE and TLS_KEY_FILE');
  }
  if (!variables.PUBLIC_URL && !variables.TLS_CERT_FILE && !isLoopbackHost(variables.HOST ?? '127.0.0.1')) {
    faults.push('PUBLIC_URL: is required if HOST is not loopback: set the https URL of clients');
  }
  if (variables.PUBLIC_URL?.toLowerCase().startsWith('http:') && variables.TLS_CERT_FILE) {
    faults.push('PUBLIC_URL: must be https where TLS_CERT_FILE is set');
  }
  if (variables.IDENTITY_FILE) {
    for (const name of ONE_ISSUER_VARIABLES.filter((one) => variables[one] !== undefined)) {
      faults.push(
        `${name}: has no effect beside IDENTITY_FILE, which names the issuers: leave one of them out`,
      );
    }
  }
  const isHttps = variables.PUBLIC_URL?.toLowerCase().startsWith('https:') ?? false;
  if (isHttps && !variables.TLS_CERT_FILE && (variables.TRUST_PROXY ?? 'false') === 'false') {
    faults.push(
      'TRUST_PROXY: must name the proxy that speaks https for this server, unless TLS_CERT_FILE is set',
    );
  }
  if (variables.METRICS_HOST !== undefined && variables.METRICS_PORT === undefined) {
    faults.push('METRICS_HOST: has no effect without METRICS_PORT');
  }
  if (variables.SIGNALS_FILE && Number(variables.REVOCATION_MAX_AGE_SECONDS ?? 1) === 0) {
    faults.push('SIGNALS_FILE: has no effect where REVOCATION_MAX_AGE_SECONDS switches revocation off');
  }
  for (const name of ['UPSTREAM_PINS_FILE', 'UPSTREAM_KEY_FILE'] as const) {
    if (variables[name] !== undefined && variables.UPSTREAMS_FILE === undefined) {
      faults.push(`${name}: has no effect without UPSTREAMS_FILE`);
    }
  }
  const trusted = splitList(variables.TRUST_PROXY ?? 'false');
  if (trusted.length > 1 && trusted.some((item) => item === 'false' || /^\d{1,2}$/.test(item))) {
    faults.push('TRUST_PROXY: is either false, or one number of hops, or a list of CIDRs');
  }
  return faults;
}

export function certificateFaults(variables: Variables, auth: AuthSettings): string[] {
  const faults: string[] = [];
  if (auth.clientCertificateHeader && splitList(variables.TRUST_PROXY ?? 'false').includes('false')) {
    faults.push('TRUST_PROXY: must name the proxy that sets client_certificate_header of IDENTITY_FILE');
  }
  const seesCertificates = auth.clientCertificateHeader ?? variables.TLS_CLIENT_CA_FILE;
  if (auth.issuers.some(({ mtls }) => mtls === 'required') && !seesCertificates) {
    faults.push(
      'TLS_CLIENT_CA_FILE: is required if IDENTITY_FILE has mtls: required, or a client_certificate_header',
    );
  }
  return faults;
}
