import { Module } from '@nestjs/common';
import { StorageModule } from '../storage/storage.module.js';
import { CustomerRepository } from './customer.repository.js';
import { CustomerTools } from './customer.tools.js';
import { EmailTools } from './email.tools.js';
import { ExampleDatabase } from './example-database.js';
import { Mailer } from './mailer.js';

/** Example tools: customers and e-mail. Loaded with `EXAMPLE_TOOLS=true`. */
@Module({
  imports: [StorageModule],
  providers: [ExampleDatabase, CustomerRepository, CustomerTools, Mailer, EmailTools],
})
export class ExamplesModule {}
