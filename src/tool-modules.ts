/** The tools of this deployment. Add your own module here. */
import type { ModuleMetadata } from '@nestjs/common';
import { ExamplesModule } from './examples/examples.module.js';

export const TOOL_MODULES: NonNullable<ModuleMetadata['imports']> = [ExamplesModule];
