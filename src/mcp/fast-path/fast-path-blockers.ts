/** Extensions of Nest or Express by the host application. They must see every request. */
import type { InjectionToken, Type } from '@nestjs/common';
import type { ApplicationConfig, ModulesContainer } from '@nestjs/core';
import type { Express } from 'express';

export interface HostExtension {
  readonly kind:
    | 'global_guard'
    | 'global_interceptor'
    | 'global_pipe'
    | 'global_filter'
    | 'pre_request_hook'
    | 'module_middleware'
    | 'application_middleware';
  /** Name of the class or function; for module middleware the module. */
  readonly name: string;
}

/** Enhancers of this server in each list, in their order. */
export interface OwnEnhancers {
  readonly guards: readonly object[];
  readonly interceptors: readonly object[];
  readonly filters: readonly object[];
}

/** A request-scoped provider, as Nest stores it. */
interface RequestScoped {
  readonly metatype: unknown;
  readonly name: InjectionToken;
}

/** Enhancers of `APP_GUARD` and similar tokens, and of `app.useGlobalGuards()` and similar methods. */
export function globalEnhancers(application: ApplicationConfig, own: OwnEnhancers): HostExtension[] {
  return [
    ...foreign('global_guard', application.getGlobalGuards(), own.guards),
    ...scoped('global_guard', application.getGlobalRequestGuards()),
    ...foreign('global_interceptor', application.getGlobalInterceptors(), own.interceptors),
    ...scoped('global_interceptor', application.getGlobalRequestInterceptors()),
    ...foreign('global_pipe', application.getGlobalPipes(), []),
    ...scoped('global_pipe', application.getGlobalRequestPipes()),
    ...foreign('global_filter', application.getGlobalFilters(), own.filters),
    ...scoped('global_filter', application.getGlobalRequestFilters()),
    ...foreign('pre_request_hook', application.getGlobalPreRequestHooks(), []),
  ];
}

/** @param own modules whose middleware the fast path includes. */
export function moduleMiddleware(modules: ModulesContainer, own: readonly Type[]): HostExtension[] {
  return [...modules.values()]
    .filter(({ instance, metatype }) => 'configure' in (instance as object) && !own.includes(metatype))
    .map(({ metatype }) => ({ kind: 'module_middleware', name: metatype.name }));
}

/** Entry of the Express router. */
interface Layer {
  readonly name: string;
  /** Set for a route, unset for middleware. */
  readonly route?: unknown;
}

/**
 * Middleware of `nest.use()`, `nest.enableCors()` and Express itself. Nest adds its own when it creates the adapter
 * and during initialization; the time of the call distinguishes them.
 */
export class ApplicationMiddleware {
  private known: ReadonlySet<Layer>;
  private found: readonly Layer[] = [];

  /** @param express of an adapter before the application is created. */
  constructor(private readonly express: Express) {
    this.known = new Set(this.layers());
  }

  /** Must be called before `nest.init()`. */
  beforeInit(): void {
    this.found = this.unknown();
  }

  /** Must be called after Nest registered its routes. */
  afterInit(): void {
    this.known = new Set(this.layers());
  }

  extensions(): HostExtension[] {
    return [...this.found, ...this.unknown()].map(({ name }) => ({ kind: 'application_middleware', name }));
  }

  private unknown(): Layer[] {
    return this.layers().filter((layer) => !this.known.has(layer));
  }

  private layers(): Layer[] {
    const { stack } = this.express.router as unknown as { readonly stack: readonly Layer[] };
    return stack.filter(({ route }) => route === undefined);
  }
}

/** A missing or moved entry counts too: the registered list differs from the fast path. */
function foreign(
  kind: HostExtension['kind'],
  registered: readonly object[],
  own: readonly object[],
): HostExtension[] {
  const others = registered.filter((one) => !own.includes(one));
  const ours = registered.filter((one) => own.includes(one));
  const isChanged = ours.length !== own.length || ours.some((one, at) => one !== own[at]);
  return [...others, ...(isChanged ? own : [])].map((one) => ({ kind, name: nameOf(one) }));
}

function scoped(kind: HostExtension['kind'], registered: readonly RequestScoped[]): HostExtension[] {
  return registered.map(({ metatype, name }) => ({
    kind,
    name: typeof metatype === 'function' ? metatype.name : String(name),
  }));
}

function nameOf(one: object): string {
  return typeof one === 'function' ? one.name || 'anonymous function' : one.constructor.name;
}
