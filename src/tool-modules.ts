/** The modules with the tools of this deployment. Add your own module to the list. */
import type { ModuleMetadata } from '@nestjs/common';

export const TOOL_MODULES: NonNullable<ModuleMetadata['imports']> = [];
