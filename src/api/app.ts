/** The HTTP API of a node as a Hono app: mountable anywhere, `app.fetch` on every runtime. */
import { type Context, Hono } from 'hono';
import { getPath } from 'hono/utils/url';
import { DEFAULT_LIMITS, type NodeLimits } from '../config/limits.ts';
import type { NodeService } from '../node/contract.ts';
import { type Logger, silentLogger } from '../telemetry/logger.ts';
import { asQuorliteError, QuorliteError } from '../wire/error.ts';
import { sayWhoServed } from './answer.ts';
import { type Authenticator, openAuth } from './auth.ts';
import { createBodyReader } from './body.ts';
import type { About, ApiContext } from './context.ts';
import { corsHeaders, preflight } from './cors.ts';
import type { OriginPolicy } from './origins.ts';
import { createOriginPolicy } from './origins.ts';
import { problemResponse } from './problem.ts';
import { createRequestCounter } from './request-counter.ts';
import { type AnyRoute, pathPattern } from './route.ts';
import { aboutRoutes } from './routes/about.ts';
import { clusterRoutes } from './routes/cluster.ts';
import { healthRoutes } from './routes/health.ts';
import { laterRoutes } from './routes/later.ts';
import { metricsRoutes } from './routes/metrics.ts';
import { migrateRoutes } from './routes/migrate.ts';
import { settingsRoutes } from './routes/settings.ts';
import { snapshotRoutes } from './routes/snapshot.ts';
import { sqlRoutes } from './routes/sql.ts';
import { admitOrigin, serveRoute } from './serve-route.ts';

/** What an API is made of. */
export interface ApiOptions {
  readonly service: NodeService;
  readonly about: About;
  /** Default: everybody is let in. */
  readonly auth?: Authenticator | undefined;
  /** Default: the same origin only. */
  readonly origins?: OriginPolicy | undefined;
  /** Path below which the node is reached, such as `/db`; requests may come with it or without. Default ''. */
  readonly basePath?: string | undefined;
  readonly limits?: NodeLimits | undefined;
  readonly logger?: Logger | undefined;
  /** Default `performance.now`. */
  monotonicMs?(): number;
}

/** All routes. */
export const ROUTES: readonly AnyRoute[] = [
  ...sqlRoutes,
  ...migrateRoutes,
  ...clusterRoutes,
  ...settingsRoutes,
  ...snapshotRoutes,
  ...healthRoutes,
  ...metricsRoutes,
  ...aboutRoutes,
  ...laterRoutes,
];

/**
 * The API of a node.
 *
 * @example
 * const app = createApi({ service, about: { version: '0.1.0' } });
 * const response = await app.request('/v1/cluster');
 */
export function createApi(options: ApiOptions): Hono {
  const api = createContext(options);
  const app = new Hono({ getPath: pathBelow(api.basePath) });
  for (const route of api.routes) app.on(route.method, [route.path], serveRoute(api, route));
  const patterns = api.routes.map((route) => ({ route, pattern: pathPattern(route.path) }));

  function methodsOf(path: string): string[] {
    const methods = new Set<string>();
    for (const { route, pattern } of patterns) {
      if (!pattern.test(path)) continue;
      methods.add(route.method);
      if (route.method === 'GET') methods.add('HEAD');
    }
    if (methods.size > 0) methods.add('OPTIONS');
    return [...methods];
  }

  function unmatched(c: Context): Response {
    const request = c.req.raw;
    let origin: string | null = null;
    let response: Response;
    try {
      origin = admitOrigin(api, request);
      const methods = methodsOf(c.req.path);
      if (request.method === 'OPTIONS' && methods.length > 0) {
        return preflight(origin, methods, request);
      }
      response = refuse(request.method, methods);
    } catch (error) {
      response = problemResponse(asQuorliteError(error, 'not-applied'));
    }
    sayWhoServed(api, response.headers);
    if (origin !== null) corsHeaders(response.headers, origin);
    api.counter.count(UNMATCHED, response.status);
    return response;
  }
  app.notFound(unmatched);
  app.onError((error) => problemResponse(asQuorliteError(error)));
  return app;
}

/** The path of a request without the base path, which a server in front may have stripped already. */
function pathBelow(basePath: string): (request: Request) => string {
  if (basePath === '') return getPath;
  return (request) => {
    const path = getPath(request);
    if (!path.startsWith(basePath)) return path;
    const rest = path.slice(basePath.length);
    if (rest === '') return '/';
    return rest.startsWith('/') ? rest : path;
  };
}

/** What requests are counted under that no route takes. */
const UNMATCHED = { method: 'GET', path: 'unmatched' } as const;

/** A path without routes is 404; one with others is 405, which has no code of its own: `BAD_REQUEST`. */
function refuse(method: string, methods: readonly string[]): Response {
  if (methods.length === 0) {
    return problemResponse(new QuorliteError('NOT_FOUND', 'there is nothing at this path'));
  }
  const allow = methods.join(', ');
  const error = new QuorliteError(
    'BAD_REQUEST',
    `${method} is not a method of this path: ${allow}`,
  );
  return problemResponse(error, { status: 405, headers: { allow } });
}

function createContext(options: ApiOptions): ApiContext {
  const { service, about, auth = openAuth, limits = DEFAULT_LIMITS } = options;
  return {
    service,
    auth,
    about,
    limits,
    basePath: options.basePath ?? '',
    origins:
      options.origins ??
      createOriginPolicy({ origins: [], url: service.url, authenticated: auth.required }),
    logger: options.logger ?? silentLogger,
    bodies: createBodyReader(limits),
    counter: createRequestCounter(),
    routes: ROUTES,
    monotonicMs: options.monotonicMs ?? (() => performance.now()),
    requests: 0,
    openExports: 0,
  };
}
