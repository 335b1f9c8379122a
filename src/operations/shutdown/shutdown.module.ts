import { Global, Module } from '@nestjs/common';
import { Drain } from './drain.js';

/** Whether this process is about to end concerns probes and whoever counts requests. */
@Global()
@Module({ providers: [Drain], exports: [Drain] })
export class ShutdownModule {}
