/** Results of operations and queries, and their bytes. */
import { ByteReader, ByteWriter } from './bytes.ts';
import { ERROR_CODES, type ErrorCode, type Outcome, QuorliteError } from './error.ts';
import { readValue, type SqlValue, writeValue } from './value.ts';

/** A column of a result. */
export interface Column {
  readonly name: string;
  /** As declared in the schema; null for expressions. */
  readonly decltype: string | null;
}

/** Up to this many columns, comparing each with each is faster than a set. */
const FEW_COLUMNS = 16;

/**
 * The first name that two columns share, null when all differ. Rows as objects keyed by name would lose one of the two,
 * so every surface refuses to make them.
 *
 * @example
 * repeatedColumn([{ name: 'id', decltype: null }, { name: 'id', decltype: null }]); // 'id'
 */
export function repeatedColumn(columns: readonly Column[]): string | null {
  if (columns.length > FEW_COLUMNS) {
    const seen = new Set<string>();
    for (const { name } of columns) {
      if (seen.size === seen.add(name).size) return name;
    }
    return null;
  }
  for (let i = 1; i < columns.length; i++) {
    const { name } = columns[i]!;
    for (let j = 0; j < i; j++) if (columns[j]!.name === name) return name;
  }
  return null;
}

/** What one statement did. `columns` and `rows` are there when it returned rows. */
export interface StatementResult {
  readonly rowsAffected: number;
  readonly lastInsertRowid: number | bigint;
  readonly columns?: readonly Column[] | undefined;
  readonly rows?: readonly (readonly SqlValue[])[] | undefined;
}

/** A statement of a non-atomic batch that failed; the others stand. */
export interface StatementFailure {
  readonly error: QuorliteError;
}

/** What an operation did. */
export type OperationResult =
  | { readonly type: 'statement'; readonly result: StatementResult }
  | {
      readonly type: 'statements';
      readonly results: readonly (StatementResult | StatementFailure)[];
    }
  | {
      readonly type: 'migrated';
      readonly applied: readonly { readonly id: number; readonly name: string }[];
      readonly current: number;
    }
  | { readonly type: 'settings'; readonly settings: { readonly [name: string]: number } }
  | { readonly type: 'done' };

/** What became of a command, with the index of the entry that first applied it. */
export type CommandOutcome =
  | { readonly ok: true; readonly index: number; readonly result: OperationResult }
  | { readonly ok: false; readonly index: number; readonly error: QuorliteError };

const OUTCOMES: readonly Outcome[] = ['not-applied', 'applied', 'unknown'];

/** Appends an error with everything that a caller may see; never its cause. */
export function writeError(out: ByteWriter, error: QuorliteError): void {
  out.uint(ERROR_CODES.indexOf(error.code));
  out.text(error.message);
  out.u8(OUTCOMES.indexOf(error.outcome));
  out.u8(error.retryable ? 1 : 0);
  out.text(error.sqliteCode ?? '');
  out.uint((error.statement ?? -1) + 1);
  out.uint((error.offset ?? -1) + 1);
  out.text(error.leader ?? '');
  out.text(error.hint ?? '');
}

/** The opposite of `writeError`. */
export function readError(input: ByteReader): QuorliteError {
  const code: ErrorCode = ERROR_CODES[input.uint()] ?? 'CORRUPT';
  const message = input.text();
  const outcome = OUTCOMES[input.u8()] ?? 'unknown';
  const retryable = input.u8() === 1;
  const sqliteCode = input.text();
  const statement = input.uint() - 1;
  const offset = input.uint() - 1;
  const leader = input.text();
  const hint = input.text();
  return new QuorliteError(code, message, {
    outcome,
    retryable,
    sqliteCode: sqliteCode || undefined,
    statement: statement < 0 ? undefined : statement,
    offset: offset < 0 ? undefined : offset,
    leader: leader || undefined,
    hint: hint || undefined,
  });
}

/** Appends columns. */
export function writeColumns(out: ByteWriter, columns: readonly Column[]): void {
  out.uint(columns.length);
  for (const { name, decltype } of columns) {
    out.text(name);
    out.u8(decltype === null ? 0 : 1);
    if (decltype !== null) out.text(decltype);
  }
}

/** The opposite of `writeColumns`. */
export function readColumns(input: ByteReader): Column[] {
  return readCounted(input, () => {
    const name = input.text();
    return { name, decltype: input.u8() === 1 ? input.text() : null };
  });
}

/** Appends rows of `width` columns. */
export function writeRows(out: ByteWriter, rows: readonly (readonly SqlValue[])[]): void {
  out.uint(rows.length);
  for (const row of rows) for (const value of row) writeValue(out, value);
}

/** The opposite of `writeRows`. */
export function readRows(input: ByteReader, width: number): SqlValue[][] {
  return readCounted(input, () => Array.from({ length: width }, () => readValue(input)));
}

function writeStatement(out: ByteWriter, result: StatementResult): void {
  out.uint(result.rowsAffected);
  writeValue(out, result.lastInsertRowid);
  out.u8(result.columns ? 1 : 0);
  if (!result.columns) return;
  writeColumns(out, result.columns);
  writeRows(out, result.rows ?? []);
}

function readStatement(input: ByteReader): StatementResult {
  const rowsAffected = input.uint();
  const lastInsertRowid = readValue(input) as number | bigint;
  if (input.u8() === 0) return { rowsAffected, lastInsertRowid };
  const columns = readColumns(input);
  return { rowsAffected, lastInsertRowid, columns, rows: readRows(input, columns.length) };
}

const RESULT_TYPES = ['statement', 'statements', 'migrated', 'settings', 'done'] as const;

/** Appends what became of a command. */
export function writeOutcome(out: ByteWriter, outcome: CommandOutcome): void {
  out.u8(outcome.ok ? 1 : 0);
  out.uint(outcome.index);
  if (!outcome.ok) {
    writeError(out, outcome.error);
    return;
  }
  const { result } = outcome;
  out.u8(RESULT_TYPES.indexOf(result.type));
  switch (result.type) {
    case 'statement':
      writeStatement(out, result.result);
      return;
    case 'statements':
      out.uint(result.results.length);
      for (const one of result.results) {
        const failed = 'error' in one;
        out.u8(failed ? 1 : 0);
        if (failed) writeError(out, one.error);
        else writeStatement(out, one);
      }
      return;
    case 'migrated':
      out.uint(result.current);
      out.uint(result.applied.length);
      for (const { id, name } of result.applied) {
        out.uint(id);
        out.text(name);
      }
      return;
    case 'settings':
      out.uint(Object.keys(result.settings).length);
      for (const [name, value] of Object.entries(result.settings)) {
        out.text(name);
        out.f64(value);
      }
  }
}

/** The opposite of `writeOutcome`. */
export function readOutcome(input: ByteReader): CommandOutcome {
  const ok = input.u8() === 1;
  const index = input.uint();
  if (!ok) return { ok, index, error: readError(input) };
  return { ok, index, result: readResult(input) };
}

function readResult(input: ByteReader): OperationResult {
  const type = RESULT_TYPES[input.u8()];
  switch (type) {
    case 'statement':
      return { type, result: readStatement(input) };
    case 'statements':
      return {
        type,
        results: readCounted(input, () =>
          input.u8() === 1 ? { error: readError(input) } : readStatement(input),
        ),
      };
    case 'migrated': {
      const current = input.uint();
      const applied = readCounted(input, () => ({ id: input.uint(), name: input.text() }));
      return { type, current, applied };
    }
    case 'settings':
      return {
        type,
        settings: Object.fromEntries(
          readCounted(input, () => [input.text(), input.f64()] as const),
        ),
      };
    case 'done':
      return { type };
    default:
      throw new QuorliteError('BAD_REQUEST', 'malformed bytes: result type');
  }
}

function readCounted<T>(input: ByteReader, read: () => T): T[] {
  const count = input.uint();
  if (count > input.remaining && count > 0) {
    throw new QuorliteError('BAD_REQUEST', 'malformed bytes: count');
  }
  return Array.from({ length: count }, read);
}

/** Bytes of an outcome on its own, as sessions store them in checkpoints. */
export function encodeOutcome(outcome: CommandOutcome): Uint8Array {
  const out = new ByteWriter(64);
  writeOutcome(out, outcome);
  return out.take();
}

/** The opposite of `encodeOutcome`. */
export function decodeOutcome(bytes: Uint8Array): CommandOutcome {
  return readOutcome(new ByteReader(bytes));
}
