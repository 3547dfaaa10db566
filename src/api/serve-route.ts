/** The way of a request through its route: who calls, from where, with what body; then the answer or the problem. */
import type { Context } from 'hono';
import { AssertionError } from '../wire/assert.ts';
import { asQuorliteError, QuorliteError } from '../wire/error.ts';
import { sayWhoServed } from './answer.ts';
import type { Identity } from './auth.ts';
import { refuseForms } from './body.ts';
import type { ApiContext, Call, RequestEnvironment } from './context.ts';
import { corsHeaders } from './cors.ts';
import { problemResponse } from './problem.ts';
import type { AnyRoute } from './route.ts';
import { unknownField } from './shape.ts';

const NOBODY: Identity = { name: 'nobody' };

/** The handler that Hono mounts for a route. */
export function serveRoute(api: ApiContext, route: AnyRoute): (c: Context) => Promise<Response> {
  return async (c) => {
    const request = c.req.raw;
    const started = api.monotonicMs();
    let call: Mutable | undefined;
    let origin: string | null = null;
    let response: Response;
    try {
      if (route.access !== 'open') origin = admitOrigin(api, request);
      call = openCall(api, route, c);
      if (route.body !== undefined) call.body = await readBody(api, route, request);
      response = await route.handle(call);
    } catch (error) {
      response = problemResponse(explain(api, route, error, call));
      sayWhoServed(api, response.headers);
    }
    if (origin !== null) corsHeaders(response.headers, origin);
    finish(api, route, response.status, api.monotonicMs() - started);
    return response;
  };
}

type Mutable = { -readonly [K in keyof Call<unknown>]: Call<unknown>[K] };

/** Throws `FORBIDDEN`; returns an origin that needs CORS headers. */
export function admitOrigin(api: ApiContext, request: Request): string | null {
  const { headers } = request;
  const { open } = api.origins;
  const origin = headers.get('origin');
  if (!open && origin === null) return null;
  return api.origins.admit({
    host: headers.get('host') ?? new URL(request.url).host,
    origin,
    site: open ? headers.get('sec-fetch-site') : null,
    mode: open ? headers.get('sec-fetch-mode') : null,
  });
}

function openCall(api: ApiContext, route: AnyRoute, c: Context): Mutable {
  const request = c.req.raw;
  const { headers, url } = request;
  const token = route.access === 'token';
  const identity = token ? api.auth.authenticate(headers.get('authorization')) : NOBODY;
  if (request.method !== 'GET') refuseForms(headers.get('content-type'));
  return {
    api,
    request,
    identity,
    body: undefined,
    path: route.path.includes(':') ? (c.req.param() as { [name: string]: string }) : {},
    query: url.includes('?') && route.access !== 'open' ? readQuery(route, url) : null,
    client: (c.env as RequestEnvironment | undefined)?.client,
    outcome: 'not-applied',
  };
}

function readQuery(route: AnyRoute, url: string): URLSearchParams {
  const query = new URL(url).searchParams;
  // What a later feature takes is not known yet.
  if (route.later) return query;
  for (const name of query.keys()) {
    if (route.query === undefined || !Object.hasOwn(route.query, name)) {
      throw unknownField([], name, Object.keys(route.query ?? {}));
    }
  }
  return query;
}

async function readBody(api: ApiContext, route: AnyRoute, request: Request): Promise<unknown> {
  const body = await api.bodies.json(request);
  if (body === undefined && !route.bodyOptional) {
    throw new QuorliteError('BAD_REQUEST', 'a JSON body is needed');
  }
  return route.body!.read(body === undefined ? {} : body, []);
}

/** Turns whatever was thrown into what the caller is told; what should not have happened is logged with its stack. */
function explain(
  api: ApiContext,
  route: AnyRoute,
  thrown: unknown,
  call: Mutable | undefined,
): QuorliteError {
  const error = asQuorliteError(thrown, call?.outcome ?? 'not-applied');
  if (error !== thrown) {
    const stack = thrown instanceof Error ? thrown.stack : undefined;
    const event = thrown instanceof AssertionError ? 'invariant broken' : 'request failed';
    api.logger.error(event, { route: `${route.method} ${route.path}`, stack });
  }
  return error;
}

function finish(api: ApiContext, route: AnyRoute, status: number, ms: number): void {
  api.counter.count(route, status);
  const request = ++api.requests;
  api.logger.debug('request', { request, method: route.method, route: route.path, status, ms });
}
