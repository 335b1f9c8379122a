/** Puts the parts of the server together that verify tokens, has them examined, and puts them away. */
import { NestFactory } from '@nestjs/core';
import { readFileSync } from 'node:fs';
import { IntrospectionService } from '../auth/introspection.service.js';
import { IssuerMetadataService } from '../auth/issuer-metadata.service.js';
import { JwksService } from '../auth/jwks.service.js';
import { TokenVerifier } from '../auth/token-verifier.js';
import { ConfigurationError, loadSettings, type Environment } from '../config/load-settings.js';
import type { Settings } from '../config/settings.js';
import { DoctorModule } from './doctor.module.js';
import { examineConfiguration, faultyConfiguration } from './examine-configuration.js';
import { examineToken } from './examine-token.js';
import type { Pasted } from './pasted.js';
import type { Report } from './report.js';
import { settingNames } from './setting.js';

/** @param pasted undefined: the configuration is what is examined. */
export async function examine(env: Environment, pasted: Pasted | undefined): Promise<Report> {
  let settings: Settings;
  try {
    settings = loadSettings(env, (path) => readFileSync(path, 'utf8'));
  } catch (error) {
    if (error instanceof ConfigurationError) return faultyConfiguration(error.faults);
    throw error;
  }
  const app = await NestFactory.createApplicationContext(DoctorModule.with(settings), {
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
    return await (pasted ? examineToken(pasted, deployment) : examineConfiguration(deployment));
  } finally {
    await app.close();
  }
}
