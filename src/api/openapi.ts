/** The OpenAPI 3.1 document, out of the table of routes. */
import { PROBLEM_TYPE, problemShape } from './problem.ts';
import type { AnyRoute } from './route.ts';
import type { JsonSchema, Shape } from './shape.ts';

/** Statuses described once for all routes; the codes behind them are in the problem. */
const FAILURES: { readonly [status: string]: string } = {
  400: 'The request is wrong: BAD_REQUEST, or an SQL_… code',
  401: 'UNAUTHENTICATED',
  403: 'FORBIDDEN: an origin or Host that is not allowed',
  404: 'NOT_FOUND',
  405: 'The path has other methods, named in Allow; code BAD_REQUEST',
  408: 'SQL_TIMEOUT: a statement ran too long; nothing was applied',
  409: 'A conflict with the data: SQL_CONSTRAINT, CONFLICT, EXPECTATION_FAILED, …',
  413: 'ENTRY_TOO_LARGE (also a body over the limit), TRANSACTION_TOO_LARGE, RESULT_TOO_LARGE',
  422: 'IDEMPOTENCY_MISMATCH',
  429: 'RATE_LIMITED, with Retry-After',
  500: 'CORRUPT',
  501: 'NOT_SUPPORTED',
  503: 'NO_QUORUM, OVERLOADED, NOT_READY, SHUTTING_DOWN, …',
  504: 'TIMEOUT: outcome says what is known',
};

/** Builds the document. */
export function openApi(
  routes: readonly AnyRoute[],
  version: string,
  basePath: string = '',
): JsonSchema {
  const schemas = new Map<string, unknown>();
  const paths: { [path: string]: { [method: string]: unknown } } = {};
  for (const route of routes) {
    const path = route.path.replace(/:([a-zA-Z]+)/g, '{$1}');
    paths[path] ??= {};
    paths[path][route.method.toLowerCase()] = operation(route, schemas);
  }
  const failures = Object.entries(FAILURES).map(([status, description]) => [
    `Problem${status}`,
    { description, content: { [PROBLEM_TYPE]: { schema: inline(problemShape, schemas) } } },
  ]);
  return {
    openapi: '3.1.0',
    info: {
      title: 'Quorlite',
      version,
      description: 'A distributed SQL database: SQLite, replicated by Raft.',
      license: { name: 'Apache-2.0', identifier: 'Apache-2.0' },
    },
    ...(basePath !== '' && { servers: [{ url: basePath }] }),
    paths,
    components: {
      securitySchemes: { token: { type: 'http', scheme: 'bearer' } },
      responses: Object.fromEntries(failures),
      schemas: Object.fromEntries(schemas),
    },
  };
}

function operation(route: AnyRoute, schemas: Map<string, unknown>): unknown {
  const { method, path, summary, access, body, bodyOptional, keyed, later, query } = route;
  const parameters = [
    ...[...path.matchAll(/:([a-zA-Z]+)/g)].map(([, name]) => parameter(name!, 'path')),
    ...Object.entries(query ?? {}).map(([name, help]) => parameter(name, 'query', help)),
    ...(keyed
      ? [parameter('Idempotency-Key', 'header', 'makes a retry answer the first result')]
      : []),
  ];
  return {
    operationId: operationId(method, path),
    summary,
    ...(access === 'token' && { security: [{ token: [] }] }),
    ...(parameters.length > 0 && { parameters }),
    ...(body && {
      requestBody: {
        required: !bodyOptional,
        content: { 'application/json': { schema: inline(body, schemas) } },
      },
    }),
    responses: {
      ...(!later && { 200: success(route, schemas) }),
      ...(access === 'open' && { 503: success(route, schemas) }),
      ...failures(route),
    },
  };
}

function success({ answer, summary }: AnyRoute, schemas: Map<string, unknown>): unknown {
  const content =
    typeof answer === 'string'
      ? { [answer]: {} }
      : { 'application/json': { schema: inline(answer, schemas) } };
  return { description: summary, content };
}

function failures({ access, later, body, keyed }: AnyRoute): { [status: string]: unknown } {
  const statuses = new Set(['400', '405', '500']);
  if (access !== 'open') statuses.add('403');
  if (access === 'token') for (const status of ['401', '429', '503']) statuses.add(status);
  if (body) for (const status of ['404', '408', '409', '413', '504']) statuses.add(status);
  if (keyed) statuses.add('422');
  if (later) statuses.add('501');
  return Object.fromEntries(
    [...statuses].sort().map((status) => [
      status,
      // A probe answers 503 with its own shape.
      { $ref: `#/components/responses/Problem${status}` },
    ]),
  );
}

function parameter(name: string, where: string, description?: string): unknown {
  const required = where === 'path';
  return {
    name,
    in: where,
    required,
    schema: { type: 'string' },
    ...(description && { description }),
  };
}

/** `POST /v1/cluster/members/:id/promote` → `postClusterMembersIdPromote`. */
function operationId(method: string, path: string): string {
  const words = path
    .replace('/v1/', '/')
    .split(/[^a-zA-Z]+/)
    .filter(Boolean);
  const name = words.map((word) => word[0]!.toUpperCase() + word.slice(1)).join('');
  return method.toLowerCase() + (name || 'Page');
}

function isShape(value: object): value is Shape<unknown> {
  return 'read' in value && typeof value.read === 'function';
}

/** A schema in which shapes are replaced by their own schemas, named ones by a reference. */
function inline(value: unknown, schemas: Map<string, unknown>): unknown {
  if (typeof value !== 'object' || value === null) return value;
  if (Array.isArray(value)) return value.map((element) => inline(element, schemas));
  if (!isShape(value)) {
    const entries = Object.entries(value).map(([key, part]) => [key, inline(part, schemas)]);
    return Object.fromEntries(entries);
  }
  if (value.name === undefined) return inline(value.schema, schemas);
  if (!schemas.has(value.name)) {
    schemas.set(value.name, null);
    schemas.set(value.name, inline(value.schema, schemas));
  }
  return { $ref: `#/components/schemas/${value.name}` };
}
