/**
 * Operations: what a client asks the replicated state machine to do. The same bytes travel from the client through the
 * log to every replica, so they are encoded once.
 */
import { ByteReader, type ByteWriter } from './bytes.ts';
import { QuorliteError } from './error.ts';
import {
  type Params,
  type Ref,
  readParams,
  type SqlInput,
  type SqlValue,
  writeParams,
} from './value.ts';

/** Codes of operations, grouped by the module that owns them. Append only. */
export const Op = {
  execute: 1,
  txn: 2,
  batch: 3,
  migrate: 4,
  openSession: 16,
  closeSession: 17,
  /** Lets what is due expire; proposed by the leader when no write comes. */
  tick: 18,
  settings: 24,
} as const;
export type Op = (typeof Op)[keyof typeof Op];

/** What a statement of a transaction must do, or the transaction rolls back with `EXPECTATION_FAILED`. */
export interface Expectation {
  /** Exact number of rows returned. */
  readonly rows?: number | undefined;
  /** Exact number of rows changed. */
  readonly rowsAffected?: number | undefined;
  /** At least so many rows returned. */
  readonly minRows?: number | undefined;
  /** At least so many rows changed. */
  readonly minRowsAffected?: number | undefined;
}

/** One statement with its parameters. */
export interface Statement {
  readonly sql: string;
  readonly params?: Params<SqlInput | Ref> | undefined;
  /** Runs the statement once per parameter list. */
  readonly many?: readonly Params<SqlInput | Ref>[] | undefined;
  readonly expect?: Expectation | undefined;
}

/** Makes a transaction fail with `CONFLICT` when one of `tables` changed after `index`. */
export interface Guard {
  readonly index: number;
  readonly tables: readonly string[];
}

/** A migration: `id` orders and identifies it, `name` is for people, `sql` is hashed. */
export interface Migration {
  readonly id: number;
  readonly name: string;
  readonly sql: string;
}

/** An operation in JavaScript's shape. */
export type Operation =
  | {
      readonly op: 'execute';
      readonly sql: string;
      readonly params?: Params<SqlInput> | undefined;
      readonly slow?: boolean | undefined;
    }
  | {
      readonly op: 'txn';
      readonly statements: readonly Statement[];
      readonly guard?: Guard | undefined;
      readonly slow?: boolean | undefined;
    }
  | {
      readonly op: 'batch';
      readonly sql: string;
      readonly atomic: boolean;
      readonly slow?: boolean | undefined;
    }
  | { readonly op: 'migrate'; readonly migrations: readonly Migration[] }
  | { readonly op: 'openSession'; readonly session: number }
  | { readonly op: 'closeSession'; readonly session: number }
  | { readonly op: 'tick' }
  | { readonly op: 'settings'; readonly patch: { readonly [name: string]: number } };

/**
 * Bits of the byte behind the code of an `execute`, `txn` or `batch`. `textAbove` is for log entries alone: the text of
 * this `execute` is that of the last one before it in the entry that has any.
 */
export const OpFlag = { slow: 1, atomic: 2, guard: 4, textAbove: 8 } as const;
/** Bits of the byte behind the text of a statement in a transaction. */
export const StatementFlag = { many: 1, expect: 2 } as const;

const FLAG_SLOW = OpFlag.slow;
const FLAG_ATOMIC = OpFlag.atomic;
const FLAG_GUARD = OpFlag.guard;

/** Hot path of `writeOperation` for a single statement. */
export function writeExecute(
  out: ByteWriter,
  sql: string,
  params: Params<SqlInput> | undefined,
  slow: boolean,
): void {
  const { above } = out;
  const flags = slow ? FLAG_SLOW : 0;
  out.u8(Op.execute);
  if (above?.repeats(sql)) {
    out.u8(flags | OpFlag.textAbove);
  } else {
    out.u8(flags);
    const at = out.length;
    out.text(sql);
    above?.wrote(sql, at, out.length);
  }
  writeParams(out, params);
}

/** Appends an operation. Throws `BAD_REQUEST` for values that SQL cannot hold. */
export function writeOperation(out: ByteWriter, operation: Operation): void {
  switch (operation.op) {
    case 'execute':
      writeExecute(out, operation.sql, operation.params, operation.slow === true);
      return;
    case 'txn':
      writeTransaction(out, operation);
      return;
    case 'batch':
      out.u8(Op.batch);
      out.u8((operation.slow ? FLAG_SLOW : 0) | (operation.atomic ? FLAG_ATOMIC : 0));
      out.text(operation.sql);
      return;
    case 'migrate':
      out.u8(Op.migrate);
      out.uint(operation.migrations.length);
      for (const { id, name, sql } of operation.migrations) {
        out.uint(id);
        out.text(name);
        out.text(sql);
      }
      return;
    case 'openSession':
    case 'closeSession':
      out.u8(operation.op === 'openSession' ? Op.openSession : Op.closeSession);
      out.uint(operation.session);
      return;
    case 'tick':
      out.u8(Op.tick);
      return;
    case 'settings':
      out.u8(Op.settings);
      out.uint(Object.keys(operation.patch).length);
      for (const [name, value] of Object.entries(operation.patch)) {
        out.text(name);
        out.f64(value);
      }
  }
}

function writeTransaction(out: ByteWriter, operation: Operation & { op: 'txn' }): void {
  const { statements, guard, slow } = operation;
  out.u8(Op.txn);
  out.u8((slow ? FLAG_SLOW : 0) | (guard ? FLAG_GUARD : 0));
  if (guard) {
    out.uint(guard.index);
    out.uint(guard.tables.length);
    for (const table of guard.tables) out.text(table);
  }
  out.uint(statements.length);
  for (const { sql, params, many, expect } of statements) {
    if (many !== undefined && params !== undefined) {
      throw new QuorliteError('BAD_REQUEST', 'a statement takes params or many, not both');
    }
    out.text(sql);
    out.u8((many ? StatementFlag.many : 0) | (expect ? StatementFlag.expect : 0));
    if (expect) writeExpectation(out, expect);
    if (many) {
      out.uint(many.length);
      for (const list of many) writeParams(out, list);
    } else {
      writeParams(out, params);
    }
  }
}

const EXPECTATIONS = ['rows', 'rowsAffected', 'minRows', 'minRowsAffected'] as const;

function writeExpectation(out: ByteWriter, expect: Expectation): void {
  let present = 0;
  EXPECTATIONS.forEach((name, bit) => {
    if (expect[name] !== undefined) present |= 1 << bit;
  });
  out.u8(present);
  for (const name of EXPECTATIONS) if (expect[name] !== undefined) out.uint(expect[name]);
}

/** Reads an expectation where `input` stands. */
export function readExpectation(input: ByteReader): Expectation {
  const present = input.u8();
  const expect: { -readonly [K in keyof Expectation]: number } = {};
  EXPECTATIONS.forEach((name, bit) => {
    if (present & (1 << bit)) expect[name] = input.uint();
  });
  return expect;
}

/** A statement as read from bytes. */
export interface DecodedStatement {
  readonly sql: string;
  readonly params: Params<SqlValue | Ref> | undefined;
  readonly many: readonly (Params<SqlValue | Ref> | undefined)[] | undefined;
  readonly expect: Expectation | undefined;
}

/** An operation as read from bytes; `execute` is read by the state machine itself, without intermediate objects. */
export type DecodedOperation =
  | {
      readonly op: 'execute';
      readonly sql: string;
      readonly params: Params<SqlValue | Ref> | undefined;
      readonly slow: boolean;
    }
  | {
      readonly op: 'txn';
      readonly statements: readonly DecodedStatement[];
      readonly guard: Guard | undefined;
      readonly slow: boolean;
    }
  | Exclude<Operation, { op: 'execute' | 'txn' }>;

/** Reads one operation up to the end of `input`. Throws `BAD_REQUEST` when malformed. */
export function readOperation(input: ByteReader): DecodedOperation {
  const operation = readBody(input, input.u8());
  input.finish();
  return operation;
}

function readBody(input: ByteReader, op: number): DecodedOperation {
  switch (op) {
    case Op.execute: {
      const flags = input.u8();
      // On its own it has no text above it, and nobody may point at the text of somebody else.
      if ((flags & OpFlag.textAbove) !== 0) throw malformed('a text that stands elsewhere');
      const slow = (flags & FLAG_SLOW) !== 0;
      return { op: 'execute', slow, sql: input.text(), params: readParams(input) };
    }
    case Op.txn:
      return readTransaction(input);
    case Op.batch: {
      const flags = input.u8();
      const atomic = (flags & FLAG_ATOMIC) !== 0;
      return { op: 'batch', slow: (flags & FLAG_SLOW) !== 0, atomic, sql: input.text() };
    }
    case Op.migrate:
      return {
        op: 'migrate',
        migrations: readCounted(input, () => ({
          id: input.uint(),
          name: input.text(),
          sql: input.text(),
        })),
      };
    case Op.openSession:
      return { op: 'openSession', session: input.uint() };
    case Op.closeSession:
      return { op: 'closeSession', session: input.uint() };
    case Op.tick:
      return { op: 'tick' };
    case Op.settings:
      return {
        op: 'settings',
        patch: Object.fromEntries(readCounted(input, () => [input.text(), input.f64()] as const)),
      };
    default:
      throw new QuorliteError('BAD_REQUEST', `malformed bytes: operation ${op}`);
  }
}

function readTransaction(input: ByteReader): DecodedOperation {
  const flags = input.u8();
  let guard: Guard | undefined;
  if (flags & FLAG_GUARD) {
    guard = { index: input.uint(), tables: readCounted(input, () => input.text()) };
  }
  const statements = readCounted(input, () => {
    const sql = input.text();
    const shape = input.u8();
    const expect = shape & StatementFlag.expect ? readExpectation(input) : undefined;
    const many =
      shape & StatementFlag.many ? readCounted(input, () => readParams(input)) : undefined;
    return { sql, expect, many, params: many ? undefined : readParams(input) };
  });
  return { op: 'txn', slow: (flags & FLAG_SLOW) !== 0, guard, statements };
}

function readCounted<T>(input: ByteReader, read: () => T): T[] {
  const count = input.uint();
  if (count > input.remaining) throw new QuorliteError('BAD_REQUEST', 'malformed bytes: count');
  return Array.from({ length: count }, read);
}

/** Whether the operation encoded at `at` is marked `slow`. */
export function operationIsSlow(bytes: Uint8Array, at: number = 0): boolean {
  const op = bytes[at];
  if (op === Op.migrate) return true;
  return (
    (op === Op.execute || op === Op.txn || op === Op.batch) && (bytes[at + 1]! & FLAG_SLOW) !== 0
  );
}

/** Bytes of one operation on its own. */
export function decodeOperation(bytes: Uint8Array): DecodedOperation {
  return readOperation(new ByteReader(bytes));
}

function malformed(what: string): QuorliteError {
  return new QuorliteError('BAD_REQUEST', `malformed bytes: ${what}`);
}
