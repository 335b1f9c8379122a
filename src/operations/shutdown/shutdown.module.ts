import { Global, Module } from '@nestjs/common';
import { Drain } from './drain.js';

/** Global for probes and request counters. */
@Global()
@Module({ providers: [Drain], exports: [Drain] })
export class ShutdownModule {}
