/** Creates the services of token verification, runs the examination, and closes them. */
import { NestFactory } from '@nestjs/core';
import { readFileSync } from 'node:fs';
import { IntrospectionService } from '../../auth/introspection/introspection.service.js';
import { IssuerMetadataService } from '../../auth/keys/issuer-metadata.service.js';
import { JwksService } from '../../auth/keys/jwks.service.js';
import { TokenVerifier } from '../../auth/verify/token-verifier.js';
import { ConfigurationError, loadSettings, type Environment } from '../../config/load-settings.js';
import type { Settings } from '../../config/settings.js';
import { DoctorModule } from './doctor.module.js';
import { examineConfiguration } from './examine-configuration.js';
import { examineToken } from './examine-token.js';
import type { Pasted } from './pasted.js';
import { faultyConfiguration, type Report } from './report.js';
import { settingNames } from './setting.js';

/** Checks the start with these variables without contacting an issuer. */
export async function examineTheStart(env: Environment): Promise<Report> {
  const settings = settingsOf(env);
  if (isReport(settings)) return settings;
  const { examineStart } = await import('./examine-start.js');
  return examineStart(settings);
}

/** @param pasted undefined: examine the configuration. */
export async function examine(env: Environment, pasted: Pasted | undefined): Promise<Report> {
  const settings = settingsOf(env);
  if (isReport(settings)) return settings;
  // First: loading the application later would use up the time limits of issuers.
  const start = pasted ? undefined : await (await import('./examine-start.js')).startSection(settings);
  const app = await NestFactory.createApplicationContext(DoctorModule.forRoot(settings), {
    logger: false,
    abortOnError: false,
  });
  try {
    const deployment = {
      settings,
      setting: settingNames(env.IDENTITY_FILE !== undefined),
      verifier: app.get(TokenVerifier, { strict: false }),
      jwks: app.get(JwksService, { strict: false }),
      introspection: app.get(IntrospectionService, { strict: false }),
      metadata: app.get(IssuerMetadataService, { strict: false }),
    };
    if (pasted) return await examineToken(pasted, deployment);
    return await examineConfiguration(deployment, start ? [start] : []);
  } finally {
    await app.close();
  }
}

/** Faults of the variables are a report. */
function settingsOf(env: Environment): Settings | Report {
  try {
    return loadSettings(env, (path) => readFileSync(path, 'utf8'));
  } catch (error) {
    if (error instanceof ConfigurationError) return faultyConfiguration(error.faults);
    throw error;
  }
}

function isReport(settings: Settings | Report): settings is Report {
  return 'verdict' in settings;
}
