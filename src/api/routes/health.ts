/** `GET /livez` and `/readyz`: for probes, so without a token. */
import type { Health } from '../../node/contract.ts';
import { jsonResponse } from '../answer.ts';
import type { Call } from '../context.ts';
import { type AnyRoute, route } from '../route.ts';
import { described } from '../shape.ts';

const healthAnswer = described('Health', {
  type: 'object',
  required: ['ok', 'reasons'],
  properties: {
    ok: { type: 'boolean' },
    reasons: { type: 'array', items: { type: 'string' }, description: 'why not, in sentences' },
  },
});

function show(call: Call, { ok, reasons }: Health): Response {
  return jsonResponse(call.api, JSON.stringify({ ok, reasons }), ok ? 200 : 503);
}

/** The routes of health. */
export const healthRoutes: readonly AnyRoute[] = [
  route({
    method: 'GET',
    path: '/livez',
    summary: 'Whether the process works; 503 means restart it',
    access: 'open',
    answer: healthAnswer,
    handle: (call) => show(call, call.api.service.live()),
  }),
  route({
    method: 'GET',
    path: '/readyz',
    summary: 'Whether this node can serve requests now',
    access: 'open',
    answer: healthAnswer,
    handle: (call) => show(call, call.api.service.readiness()),
  }),
];
