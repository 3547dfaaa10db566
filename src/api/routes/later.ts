/** Routes whose features are not built yet: their names are promised, so they say so instead of "not found". */
import { QuorliteError } from '../../wire/error.ts';
import { type AnyRoute, type Method, route } from '../route.ts';

const LATER: readonly (readonly [feature: string, path: string, ...methods: Method[]])[] = [
  ['caches', '/v1/cache/:cache', 'DELETE'],
  ['caches', '/v1/cache/:cache/:key', 'GET', 'PUT', 'DELETE'],
  ['counters', '/v1/counters/:name', 'GET', 'POST', 'DELETE'],
  ['locks', '/v1/locks/:key', 'POST', 'DELETE'],
  ['locks', '/v1/locks/:key/renew', 'POST'],
  ['topics', '/v1/topics/:topic', 'POST'],
  ['topics', '/v1/topics/:topic/events', 'GET'],
  ['the change feed', '/v1/changes', 'GET'],
  ['live queries', '/v1/live', 'GET', 'POST'],
  ['backups', '/v1/backups', 'GET', 'POST'],
  ['backups', '/v1/backups/:name', 'GET'],
  ['import', '/v1/import', 'POST'],
  ['restore', '/v1/restore', 'POST'],
  ['tokens', '/v1/tokens', 'GET', 'POST'],
  ['tokens', '/v1/tokens/sse', 'POST'],
  ['tokens', '/v1/tokens/:name', 'DELETE'],
];

function refuse(feature: string): never {
  throw new QuorliteError('NOT_SUPPORTED', `this release does not have ${feature} yet`);
}

/** One route per name that answers `NOT_SUPPORTED`. */
export const laterRoutes: readonly AnyRoute[] = LATER.flatMap(([feature, path, ...methods]) =>
  methods.map((method) =>
    route({
      method,
      path,
      summary: `Not in this release: ${feature}`,
      access: 'token',
      later: true,
      answer: 'application/octet-stream',
      handle: () => refuse(feature),
    }),
  ),
);
