/** Reads the registered targets without starting services. */
import 'reflect-metadata';
import type { ConfigService } from '@nestjs/config';
import { DiscoveryService, MetadataScanner, ModulesContainer, NestFactory } from '@nestjs/core';
import { AppModule } from '../app.module.js';
import type { Settings } from '../config/settings.js';
import type { ProtectedTarget } from '../policy/access-rule.js';
import { TOOL_MODULES } from '../tool-modules.js';
import { ToolRegistry } from '../tools/tool-registry.js';
import { acceptedTools } from '../upstreams/accepted-tools.js';

/**
 * @param tell receives omitted tools, and facts that need an upstream.
 * @throws DeclarationError with every fault of the declarations, and of the allow-list against them.
 */
export async function registeredTargets(
  settings: Settings,
  tell: (notice: string) => void = () => undefined,
): Promise<readonly ProtectedTarget[]> {
  const registry = await ownRegistry(settings);
  const { definitions, notices } = acceptedTools(
    settings.upstreams,
    registry.localTools.map(({ name }) => name),
  );
  notices.forEach(tell);
  registry.mount(definitions);
  return [...registry.all()].sort((a, b) => (a.name < b.name ? -1 : 1));
}

/**
 * Targets of this server without upstreams.
 * @throws DeclarationError with every fault of the declarations, and of the allow-list against them.
 */
export async function ownRegistry(settings: Settings): Promise<ToolRegistry> {
  const context = await NestFactory.createApplicationContext(AppModule.forRoot(settings, TOOL_MODULES), {
    // Builds the module graph without instances.
    preview: true,
    logger: ['error'],
    abortOnError: false,
  });
  const discovery = new DiscoveryService(context.get(ModulesContainer, { strict: false }));
  const config = { get: (section: keyof Settings) => settings[section] };
  const registry = new ToolRegistry(
    discovery,
    new MetadataScanner(),
    config as unknown as ConfigService<Settings, true>,
  );
  registry.onModuleInit();
  return registry;
}
