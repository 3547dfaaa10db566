/** The table of routes: one entry per method and path drives mounting, checking and OpenAPI. */
import type { Call } from './context.ts';
import type { Shape } from './shape.ts';

/** HTTP methods in use. */
export type Method = 'GET' | 'POST' | 'PUT' | 'PATCH' | 'DELETE';

/** One route. */
export interface Route<B = undefined> {
  readonly method: Method;
  /** As Hono has it: `/v1/cluster/members/:id`. */
  readonly path: string;
  /** A sentence for OpenAPI. */
  readonly summary: string;
  /** `open`: no token, any origin, any Host (probes). `page`: no token, but the other rules. */
  readonly access: 'open' | 'page' | 'token';
  readonly body?: Shape<B> | undefined;
  /** A missing body counts as `{}`. */
  readonly bodyOptional?: boolean | undefined;
  /** Parameters allowed behind `?`, with what they mean. */
  readonly query?: { readonly [name: string]: string } | undefined;
  /** Takes an `Idempotency-Key`. */
  readonly keyed?: boolean | undefined;
  /** Only the name is there yet: answers `NOT_SUPPORTED`. */
  readonly later?: boolean | undefined;
  /** What it answers: a shape for JSON, a media type for the rest. */
  readonly answer: Shape<unknown> | string;
  handle(call: Call<B>): Response | Promise<Response>;
}

/** A route whose body's type no longer matters. */
export type AnyRoute = Omit<Route, 'body' | 'handle'> & {
  readonly body?: Shape<unknown> | undefined;
  handle(call: Call<unknown>): Response | Promise<Response>;
};

/** Declares a route, so that its handler sees the type of its body. */
export function route<B = undefined>(definition: Route<B>): AnyRoute {
  return definition as unknown as AnyRoute;
}

/** Matches the paths of a route. */
export function pathPattern(path: string): RegExp {
  return new RegExp(`^${path.replace(/:[a-zA-Z]+/g, '[^/]+').replaceAll('.', '\\.')}$`);
}
