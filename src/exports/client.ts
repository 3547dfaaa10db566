/** What every entry of the package gives: the client's types, `sql`, `ref`, errors, values. */

export type {
  BatchResult,
  CallOptions,
  Client,
  ExecuteResult,
  IntegerMode,
  ReadOptions,
  Row,
  Sql,
  Transaction,
  WriteOptions,
} from '../client/contract.ts';
export { ref } from '../client/ref.ts';
export { sql } from '../client/sql.ts';
export { type ErrorCode, type Outcome, QuorliteError } from '../wire/error.ts';
export type { Expectation, Guard, Migration, Statement } from '../wire/operation.ts';
export type { Column } from '../wire/result.ts';
export type { Params, Ref, SqlInput, SqlValue } from '../wire/value.ts';
