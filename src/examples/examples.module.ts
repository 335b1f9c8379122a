import { Module } from '@nestjs/common';
import { StorageModule } from '../storage/storage.module.js';
import { CustomerRepository } from './customer.repository.js';
import { CustomerTools } from './customer.tools.js';
import { EmailTools } from './email.tools.js';
import { Mailer } from './mailer.js';

/** The example tools: customers in the database, and e-mail. */
@Module({
  imports: [StorageModule],
  providers: [CustomerRepository, CustomerTools, Mailer, EmailTools],
})
export class ExamplesModule {}
