/** Extensions that the host application adds to Nest or Express. Each of them has to see every request. */
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
  /** The class or function; of middleware of a module the class of that module. */
  readonly name: string;
}

/** The part of each list that belongs to this server, in its order. */
export interface OwnEnhancers {
  readonly guards: readonly object[];
  readonly interceptors: readonly object[];
  readonly filters: readonly object[];
}

/** A provider of request scope, as Nest keeps it. */
interface RequestScoped {
  readonly metatype: unknown;
  readonly name: InjectionToken;
}

/** Enhancers by `APP_GUARD` and the like, and by `app.useGlobalGuards()` and the like. */
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

/** @param own the modules whose middleware the fast path stands for. */
export function moduleMiddleware(modules: ModulesContainer, own: readonly Type[]): HostExtension[] {
  return [...modules.values()]
    .filter(({ instance, metatype }) => 'configure' in (instance as object) && !own.includes(metatype))
    .map(({ metatype }) => ({ kind: 'module_middleware', name: metatype.name }));
}

/** One entry of Express's router. */
interface Layer {
  readonly name: string;
  /** Set for a route, unset for middleware. */
  readonly route?: unknown;
}

/**
 * Middleware of `nest.use()`, `nest.enableCors()` and Express itself, told from that of Nest by its time: Nest adds its own
 * when it creates the adapter and while the application initializes.
 */
export class ApplicationMiddleware {
  private known: ReadonlySet<Layer>;
  private found: readonly Layer[] = [];

  /** @param express of an adapter that the application has not been created with yet. */
  constructor(private readonly express: Express) {
    this.known = new Set(this.layers());
  }

  /** Call it before `nest.init()`. */
  beforeInit(): void {
    this.found = this.unknown();
  }

  /** Call it when Nest has registered its routes. */
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

/** One that is missing, or stands elsewhere, counts: what is registered is not what the fast path stands for. */
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
