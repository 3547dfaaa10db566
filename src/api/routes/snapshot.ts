/** `POST /v1/snapshot` and `GET /v1/export`. */
import { asQuorliteError, QuorliteError } from '../../wire/error.ts';
import {
  answerAt,
  POSITION_SCHEMA,
  summaryOf,
  timeoutOf,
  timeoutQuery,
  untilDone,
} from '../answer.ts';
import type { Call } from '../context.ts';
import { type AnyRoute, route } from '../route.ts';
import { described, object, type Shape } from '../shape.ts';

type Nothing = { readonly [name: string]: never };
const emptyBody: Shape<Nothing> = object<Nothing>({}, []);

const snapshotAnswer = described('SnapshotAnswer', {
  type: 'object',
  required: ['bytes', 'index', 'history'],
  properties: { bytes: { type: 'integer', description: 'size on disk' }, ...POSITION_SCHEMA },
});

/** A large database takes its time: a checkpoint may take longer than other requests. */
const TIMEOUT_FACTOR = 6;

async function snapshot(call: Call<Nothing>): Promise<Response> {
  const timeoutMs = timeoutOf(call, timeoutQuery(call), TIMEOUT_FACTOR);
  const { index, bytes } = await untilDone<{ index: number; bytes: number }>(
    call,
    (resolve, reject) => {
      call.api.service.checkpoint((error, value) => {
        if (error === null) resolve(value!);
        else reject(error);
      }, timeoutMs);
      return () => {};
    },
  );
  return answerAt(call, `"bytes":${bytes}`, index);
}

function exportDatabase(call: Call): Response {
  const { api } = call;
  if (api.openExports >= api.limits.maxOpenStreams) {
    throw new QuorliteError('OVERLOADED', `${api.openExports} exports are open already`);
  }
  const source = api.service.openExport();
  let open = true;
  api.openExports++;
  function close(): void {
    if (!open) return;
    open = false;
    api.openExports--;
    source.close();
  }

  // Pulled by the socket: a slow reader holds a snapshot, never memory.
  const stream = new ReadableStream<Uint8Array>(
    {
      pull(controller) {
        try {
          const chunk = source.read(api.limits.snapshotChunkBytes);
          if (chunk !== null) {
            controller.enqueue(chunk);
            return;
          }
          close();
          controller.close();
        } catch (error) {
          close();
          const { code, message } = asQuorliteError(error, 'not-applied');
          api.logger.warn('export failed', { code, message });
          controller.error(error);
        }
      },
      cancel: close,
    },
    { highWaterMark: 0 },
  );
  const { clusterId, leader } = summaryOf(api);
  const headers: Record<string, string> = {
    'content-type': 'application/vnd.sqlite3',
    'content-length': String(source.bytes),
    'content-disposition': `attachment; filename="quorlite-${source.index}.db"`,
    'cache-control': 'no-store',
    'x-content-type-options': 'nosniff',
    'quorlite-index': String(source.index),
    'quorlite-history': clusterId,
    'quorlite-served-by': String(api.service.id),
  };
  if (leader !== null) headers['quorlite-leader'] = String(leader);
  if (call.request.method === 'HEAD') {
    close();
    return new Response(null, { headers });
  }
  return new Response(stream, { headers });
}

/** The routes of whole databases. */
export const snapshotRoutes: readonly AnyRoute[] = [
  route<Nothing>({
    method: 'POST',
    path: '/v1/snapshot',
    summary: 'Take a checkpoint on this node now',
    access: 'token',
    body: emptyBody,
    bodyOptional: true,
    query: { timeoutMs: 'how long to wait, milliseconds' },
    answer: snapshotAnswer,
    handle: snapshot,
  }),
  route({
    method: 'GET',
    path: '/v1/export',
    summary: 'The database as a plain SQLite file, consistent at the index in Quorlite-Index',
    access: 'token',
    answer: 'application/vnd.sqlite3',
    handle: exportDatabase,
  }),
];
