/** `GET /`, `/openapi.json`, `/v1/version`, and `/v1/stream` for who forgot to upgrade. */
import { QuorliteError } from '../../wire/error.ts';
import { jsonResponse } from '../answer.ts';
import type { ApiContext, Call } from '../context.ts';
import { openApi } from '../openapi.ts';
import { pageResponse } from '../page.ts';
import { type AnyRoute, route } from '../route.ts';
import { described } from '../shape.ts';

const versionAnswer = described('Version', {
  type: 'object',
  required: ['name', 'version'],
  properties: {
    name: { type: 'string', const: 'quorlite' },
    version: { type: 'string' },
    engine: { type: 'string' },
    runtime: { type: 'string' },
  },
});

const documents = new WeakMap<ApiContext, string>();

/** Built at the first request: nobody else pays for it. */
function document({ api }: Call): Response {
  let text = documents.get(api);
  if (text === undefined) {
    text = JSON.stringify(openApi(api.routes, api.about.version, api.basePath));
    documents.set(api, text);
  }
  return jsonResponse(api, text);
}

function stream(): never {
  throw new QuorliteError('BAD_REQUEST', 'GET /v1/stream must be opened as a WebSocket');
}

/** The routes about the node itself. */
export const aboutRoutes: readonly AnyRoute[] = [
  route({
    method: 'GET',
    path: '/',
    summary: 'A page about this node',
    access: 'page',
    answer: 'text/html',
    handle: pageResponse,
  }),
  route({
    method: 'GET',
    path: '/openapi.json',
    summary: 'This document',
    access: 'page',
    answer: described('OpenApi', { type: 'object' }),
    handle: document,
  }),
  route({
    method: 'GET',
    path: '/v1/version',
    summary: 'What runs here',
    access: 'token',
    answer: versionAnswer,
    handle({ api }) {
      const { version, engine, runtime } = api.about;
      return jsonResponse(api, JSON.stringify({ name: 'quorlite', version, engine, runtime }));
    },
  }),
  route({
    method: 'GET',
    path: '/v1/stream',
    summary: 'WebSocket upgrade: the client protocol',
    access: 'token',
    answer: 'application/octet-stream',
    handle: stream,
  }),
];
