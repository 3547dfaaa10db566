/** Bodies of the client protocol's requests and of the answers that have no codec of their own. */
import type { ByteReader, ByteWriter } from './bytes.ts';
import { type Column, readColumns, readRows, writeColumns, writeRows } from './result.ts';
import { finishFrame, malformed } from './stream.ts';
import { type Params, readParams, type SqlInput, type SqlValue, writeParams } from './value.ts';

/** Appends what stands before the operation's bytes in a `write`. Session 0 is the node's own session. */
export function writeWriteHeader(
  out: ByteWriter,
  session: number,
  sequence: number,
  acknowledged: number,
  timeoutMs: number,
): void {
  out.uint(session);
  out.uint(sequence);
  out.uint(acknowledged);
  out.uint(timeoutMs);
}

/** How fresh a read must be; the same words as in the API. */
export type StreamConsistency =
  | 'linearizable'
  | 'session'
  | 'stale'
  | { readonly maxLagMs: number };

const LEVELS = ['linearizable', 'session', 'stale'] as const;
const LEVEL_MAX_LAG = 3;

/** What stands before the statement in a `query`. */
export interface StreamQuery {
  /** Rows come as `columns`, `rows`, `rows` … instead of one `result`. */
  readonly stream: boolean;
  /** The result names the tables that the statement reads. */
  readonly tables: boolean;
  readonly consistency: StreamConsistency;
  readonly minIndex: number;
  /** Cluster id that `minIndex` belongs to, '' when unknown. */
  readonly history: string;
  readonly timeoutMs: number;
  /** 0: as the node has it. */
  readonly maxRows: number;
  readonly maxBytes: number;
  /** Bytes of rows that may come before more are granted (streams). */
  readonly credit: number;
}

const FLAG_STREAM = 1;
const FLAG_TABLES = 2;

/** Appends the part of a query before its statement. */
export function writeQueryHeader(out: ByteWriter, query: StreamQuery): void {
  const { consistency } = query;
  out.u8((query.stream ? FLAG_STREAM : 0) | (query.tables ? FLAG_TABLES : 0));
  if (typeof consistency === 'string') {
    out.u8(LEVELS.indexOf(consistency));
  } else {
    out.u8(LEVEL_MAX_LAG);
    out.f64(consistency.maxLagMs);
  }
  out.uint(query.minIndex);
  out.text(query.history);
  out.uint(query.timeoutMs);
  out.uint(query.maxRows);
  out.uint(query.maxBytes);
  out.uint(query.credit);
}

/** Appends the statement of a query. Throws `BAD_REQUEST` for values that SQL cannot hold. */
export function writeQueryStatement(
  out: ByteWriter,
  sql: string,
  params: Params<SqlInput> | undefined,
): void {
  out.text(sql);
  writeParams(out, params);
}

/** A query as the server reads it. */
export interface DecodedQuery extends StreamQuery {
  readonly sql: string;
  readonly params: Params<SqlInput> | undefined;
}

/** The opposite of `writeQueryHeader` and `writeQueryStatement`. A reference among the parameters is `BAD_REQUEST`. */
export function readQuery(input: ByteReader, end: number): DecodedQuery {
  const flags = input.u8();
  const level = input.u8();
  const query = {
    stream: (flags & FLAG_STREAM) !== 0,
    tables: (flags & FLAG_TABLES) !== 0,
    consistency: level === LEVEL_MAX_LAG ? { maxLagMs: input.f64() } : LEVELS[level],
    minIndex: input.uint(),
    history: input.text(),
    timeoutMs: input.uint(),
    maxRows: input.uint(),
    maxBytes: input.uint(),
    credit: input.uint(),
    sql: input.text(),
    params: readParams(input) as Params<SqlInput> | undefined,
  };
  finishFrame(input, end);
  const { consistency } = query;
  if (consistency === undefined || flags > 3) throw malformed('flags of a query');
  if (query.params !== undefined) refuseRefs(query.params);
  return { ...query, consistency };
}

function refuseRefs(params: Params<SqlInput>): void {
  for (const value of Array.isArray(params) ? params : Object.values(params)) {
    if (value !== null && typeof value === 'object' && '$ref' in value) {
      throw malformed('a $ref outside a transaction');
    }
  }
}

/** A result as it travels. */
export interface StreamResult {
  readonly columns: readonly Column[];
  readonly rows: readonly (readonly SqlValue[])[];
  readonly index: number;
  readonly lagMs: number | null;
  /** Present when the query asked for it. */
  readonly tables?: readonly string[] | undefined;
}

/** Appends a result. */
export function writeResult(out: ByteWriter, result: StreamResult): void {
  out.uint(result.index);
  out.f64(result.lagMs ?? -1);
  out.uint(result.tables === undefined ? 0 : result.tables.length + 1);
  if (result.tables) for (const table of result.tables) out.text(table);
  writeColumns(out, result.columns);
  writeRows(out, result.rows);
}

/** The opposite of `writeResult`. */
export function readResult(
  input: ByteReader,
  end: number,
): {
  columns: Column[];
  rows: SqlValue[][];
  index: number;
  lagMs: number | null;
  tables: string[] | undefined;
} {
  const index = input.uint();
  const lagMs = input.f64();
  const named = input.uint();
  if (named > end) throw malformed('table count');
  const tables = named === 0 ? undefined : Array.from({ length: named - 1 }, () => input.text());
  const columns = readColumns(input);
  const rows = readRows(input, columns.length);
  finishFrame(input, end);
  return { columns, rows, index, lagMs: lagMs < 0 ? null : lagMs, tables };
}

/** Methods of `call`; arguments and answers are JSON objects, described in the protocol document. */
export const STREAM_METHODS = [
  'ready',
  'status',
  'settings',
  'metrics',
  'admin',
  'snapshot',
  'export',
] as const;
/** Name of a method. */
export type StreamMethod = (typeof STREAM_METHODS)[number];

/** Appends the body of a `call`. `credit`: bytes of chunks that may come (export). */
export function writeCall(
  out: ByteWriter,
  method: StreamMethod,
  timeoutMs: number,
  credit: number,
  argument: string,
): void {
  out.text(method);
  out.uint(timeoutMs);
  out.uint(credit);
  out.text(argument);
}

/** A call as the server reads it. */
export interface DecodedCall {
  readonly method: string;
  readonly timeoutMs: number;
  readonly credit: number;
  /** JSON text. */
  readonly argument: string;
}

/** The opposite of `writeCall`. */
export function readCall(input: ByteReader, end: number): DecodedCall {
  const call = {
    method: input.text(),
    timeoutMs: input.uint(),
    credit: input.uint(),
    argument: input.text(),
  };
  finishFrame(input, end);
  return call;
}
