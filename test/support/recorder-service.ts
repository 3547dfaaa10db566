/**
 * A node service that records what it is asked and answers what a test sets: for tests of the API alone (routing,
 * checking, encoding). Whatever concerns a database is tested against real nodes, by `test/conformance/http.ts`.
 */
import type {
  AdminRequest,
  ClusterStatus,
  Metric,
  NodeService,
  QueryRequest,
  QueryResult,
  WriteRequest,
} from '../../src/node/contract.ts';
import { DEFAULT_SETTINGS } from '../../src/state-machine/settings.ts';
import { ByteWriter } from '../../src/wire/bytes.ts';
import type { QuorliteError } from '../../src/wire/error.ts';
import { type DecodedOperation, decodeOperation } from '../../src/wire/operation.ts';
import type { CommandOutcome } from '../../src/wire/result.ts';

export const STATUS: ClusterStatus = {
  clusterId: '00000000000abc',
  leader: 2,
  leaderUrl: 'http://127.0.0.1:4002',
  term: 3,
  index: 41,
  node: 1,
  replica: '00000000000001',
  role: 'follower',
  members: [],
  waiting: '',
};

/** The recorder and its levers. */
export interface Recorder extends NodeService {
  readonly writes: (WriteRequest & { readonly decoded: DecodedOperation })[];
  readonly queries: QueryRequest[];
  readonly admins: AdminRequest[];
  /** Null leaves the caller waiting. */
  outcome: CommandOutcome | null;
  rows: QueryResult | QuorliteError | null;
  healthy: boolean;
  samples: Metric[];
  chunks: (Uint8Array | Error)[];
  givenUp: number;
  exportsClosed: number;
}

export function createRecorder(): Recorder {
  const recorder: Recorder = {
    id: 1,
    url: 'http://127.0.0.1:4001',
    replica: 1,
    writes: [],
    queries: [],
    admins: [],
    outcome: {
      ok: true,
      index: 42,
      result: { type: 'statement', result: { rowsAffected: 1, lastInsertRowid: 7 } },
    },
    rows: { columns: [], rows: [], index: 42, lagMs: 0 },
    healthy: true,
    samples: [],
    chunks: [],
    givenUp: 0,
    exportsClosed: 0,
    write(request, done) {
      const out = new ByteWriter();
      if (typeof request.operation === 'function') request.operation(out);
      else out.raw(request.operation);
      recorder.writes.push({ ...request, decoded: decodeOperation(out.take()) });
      const { outcome } = recorder;
      if (outcome !== null) queueMicrotask(() => done(outcome));
      return () => recorder.givenUp++;
    },
    query(request, done) {
      recorder.queries.push(request);
      const { rows } = recorder;
      if (rows === null) return () => recorder.givenUp++;
      if (rows instanceof Error) done(rows, null);
      else done(null, rows);
      return () => {};
    },
    stream: () => () => {},
    ready: () => () => {},
    status: () => STATUS,
    settings: () => DEFAULT_SETTINGS,
    admin(request, _timeoutMs, done) {
      recorder.admins.push(request);
      done(null, STATUS);
    },
    checkpoint: (done) => done(null, { index: 40, bytes: 8192 }),
    openExport: () => ({
      index: 40,
      bytes: recorder.chunks.reduce(
        (sum, chunk) => sum + (chunk instanceof Error ? 0 : chunk.length),
        0,
      ),
      read() {
        const chunk = recorder.chunks.shift() ?? null;
        if (chunk instanceof Error) throw chunk;
        return chunk;
      },
      close: () => recorder.exportsClosed++,
    }),
    tablesRead: () => [],
    databaseHash: () => ({ index: 40, hash: '' }),
    live: () => ({ ok: true, reasons: [] }),
    readiness: () =>
      recorder.healthy ? { ok: true, reasons: [] } : { ok: false, reasons: ['no leader is known'] },
    metrics: () => recorder.samples,
    shutdown: (done) => done(null),
  };
  return recorder;
}

/** An API call with a JSON body. */
export function post(body: unknown, headers: Record<string, string> = {}): RequestInit {
  return {
    method: 'POST',
    headers: { 'content-type': 'application/json', ...headers },
    body: typeof body === 'string' ? body : JSON.stringify(body),
  };
}
