import { ConfigModule } from '@nestjs/config';
import { Test } from '@nestjs/testing';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { type TestDatabase, embeddedBackend } from '../../test/support/database.js';
import { Database } from '../storage/database.js';
import { CustomerTools } from './customer.tools.js';
import { EmailTools } from './email.tools.js';
import { ExamplesModule } from './examples.module.js';

jest.setTimeout(60_000);

describe('ExamplesModule', () => {
  let place: TestDatabase;

  beforeAll(async () => {
    place = await embeddedBackend.open();
  });

  afterAll(() => place.cleanup());

  it('starts without a database, opens it in the background, and closes it at shutdown', async () => {
    const lock = join(place.settings.dataDir, 'database.lock');
    const settings = { storage: place.settings, examples: { smtpUrl: undefined } };
    const config = ConfigModule.forRoot({ isGlobal: true, ignoreEnvFile: true, load: [() => settings] });
    const application = await Test.createTestingModule({ imports: [config, ExamplesModule] }).compile();
    expect(application.get(EmailTools, { strict: false })).toBeInstanceOf(EmailTools);
    expect(existsSync(lock)).toBe(false);

    await application.init();
    const opened = Date.now() + 30_000;
    while (!existsSync(lock) && Date.now() < opened) await new Promise((resolve) => setTimeout(resolve, 20));
    expect(existsSync(lock)).toBe(true);

    const tools = application.get(CustomerTools, { strict: false });
    expect(await tools.readCustomer({ customer_id: '123' })).toMatchObject({ tier: 'premium' });
    expect(await application.get(Database, { strict: false }).ready()).toBe(true);

    await application.close();
    expect(existsSync(lock)).toBe(false);
  });
});
