/**
 * Statements in a node's log, whichever way they came: over HTTP, over the client protocol or from inside the process.
 * All of them when that is wanted; else only that a slow one was met, since texts may hold what nobody should read.
 */
import type { Logger } from '../telemetry/logger.ts';
import { ByteWriter } from '../wire/bytes.ts';
import type { QuorliteError } from '../wire/error.ts';
import { decodeOperation } from '../wire/operation.ts';
import type { NodeService, WriteRequest } from './contract.ts';

/** Longest text in a line, characters: a log is read by people. */
const MAX_SQL_LENGTH = 2000;

/** What is logged, and how. */
export interface StatementLogOptions {
  readonly logger: Logger;
  /** Every statement, with its text. */
  readonly logStatements: boolean;
  /** What takes at least this long is a warning. */
  readonly slowQueryMs: number;
  monotonicMs(): number;
}

/**
 * The same service, whose statements are logged: `statement` at level info when all are wanted, `slow query` at level
 * warn. A stream of rows counts until it is open: what follows goes at the pace of its reader.
 *
 * @example
 * const service = withStatementLog(openNode(options), { logger, logStatements: true, slowQueryMs: 1000, monotonicMs });
 */
export function withStatementLog(service: NodeService, options: StatementLogOptions): NodeService {
  const { logger, logStatements, slowQueryMs } = options;

  /** Whether there is something to say of a statement that took `ms`. Asked of each one, so it costs next to nothing. */
  function isSaid(ms: number): boolean {
    return ms >= slowQueryMs || logStatements;
  }

  function say(ms: number, error: QuorliteError | null, statement: Statement | null): void {
    if (statement === null) return;
    const slow = ms >= slowQueryMs;
    const sql = logStatements ? shorten(statement.sql) : undefined;
    const fields = { op: statement.op, ms: Math.round(ms), code: error?.code, sql };
    if (slow) logger.warn('slow query', fields);
    else logger.info('statement', fields);
  }

  return {
    get id() {
      return service.id;
    },
    get url() {
      return service.url;
    },
    get replica() {
      return service.replica;
    },
    write(request, done) {
      const begun = options.monotonicMs();
      return service.write(request, (outcome) => {
        const ms = options.monotonicMs() - begun;
        if (isSaid(ms)) say(ms, outcome.ok ? null : outcome.error, statementOf(request));
        done(outcome);
      });
    },
    query(request, done) {
      const begun = options.monotonicMs();
      return service.query(request, (error, result) => {
        const ms = options.monotonicMs() - begun;
        if (isSaid(ms)) say(ms, error, { op: 'query', sql: request.sql });
        done(error, result);
      });
    },
    stream(request, done) {
      const begun = options.monotonicMs();
      return service.stream(request, (error, stream) => {
        const ms = options.monotonicMs() - begun;
        if (isSaid(ms)) say(ms, error, { op: 'stream', sql: request.sql });
        done(error, stream);
      });
    },
    ready: (timeoutMs, done) => service.ready(timeoutMs, done),
    status: () => service.status(),
    summary: () => service.summary?.() ?? service.status(),
    settings: () => service.settings(),
    admin: (request, timeoutMs, done) => service.admin(request, timeoutMs, done),
    checkpoint: (done, timeoutMs) => service.checkpoint(done, timeoutMs),
    openExport: () => service.openExport(),
    tablesRead: (sql) => service.tablesRead(sql),
    databaseHash: () => service.databaseHash(),
    live: () => service.live(),
    readiness: () => service.readiness(),
    metrics: () => service.metrics(),
    ...(service.whenFailed && { whenFailed: service.whenFailed.bind(service) }),
    shutdown: (done) => service.shutdown(done),
  };
}

interface Statement {
  readonly op: string;
  readonly sql: string | undefined;
}

/** What a write says in SQL, null when nothing (sessions). It is encoded already, or refuses to be. */
function statementOf({ operation }: WriteRequest): Statement | null {
  try {
    const decoded = decodeOperation(
      operation instanceof Uint8Array ? operation : encode(operation),
    );
    switch (decoded.op) {
      case 'execute':
      case 'batch':
        return { op: decoded.op, sql: decoded.sql };
      case 'txn':
        return { op: 'txn', sql: decoded.statements.map(({ sql }) => sql).join('; ') };
      case 'migrate':
        return { op: 'migrate', sql: decoded.migrations.map(({ sql }) => sql).join('; ') };
      case 'settings':
        return { op: 'settings', sql: JSON.stringify(decoded.patch) };
      default:
        return null;
    }
  } catch {
    return { op: 'write', sql: undefined };
  }
}

function encode(write: (out: ByteWriter) => void): Uint8Array {
  const out = new ByteWriter(256);
  write(out);
  return out.take();
}

function shorten(sql: string | undefined): string | undefined {
  return sql !== undefined && sql.length > MAX_SQL_LENGTH
    ? `${sql.slice(0, MAX_SQL_LENGTH)}…`
    : sql;
}
