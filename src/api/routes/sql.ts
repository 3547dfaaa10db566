/** `POST /v1/execute`, `/v1/query`, `/v1/txn`, `/v1/batch`. */
import type { Consistency, QueryResult } from '../../node/contract.ts';
import type { Expectation, Guard, Statement } from '../../wire/operation.ts';
import type { StatementFailure, StatementResult } from '../../wire/result.ts';
import type { Params, Ref, SqlInput } from '../../wire/value.ts';
import { answerAt, timeoutOf, timeoutShape, untilDone } from '../answer.ts';
import type { Call } from '../context.ts';
import { jsonObjects, jsonOf, jsonRows, paramsShape, sqlShape, txnParamsShape } from '../json.ts';
import { toProblem } from '../problem.ts';
import { type AnyRoute, route } from '../route.ts';
import { batchAnswer, executeAnswer, queryAnswer, txnAnswer } from '../schemas.ts';
import {
  flag,
  integer,
  isObject,
  list,
  object,
  oneOf,
  refuse,
  type Shape,
  text,
} from '../shape.ts';
import { write } from '../write.ts';

const slow = flag('meant to run long (an index on a big table): raises the step limit');
const count = integer('a number of rows');

interface ExecuteBody {
  readonly sql: string;
  readonly params?: Params<SqlInput>;
  readonly slow?: boolean;
  readonly timeoutMs?: number;
}

const executeBody: Shape<ExecuteBody> = object<ExecuteBody>(
  { sql: sqlShape, params: paramsShape, slow, timeoutMs: timeoutShape },
  ['sql'],
);

async function execute(call: Call<ExecuteBody>): Promise<Response> {
  const { sql, params, slow } = call.body;
  const timeoutMs = timeoutOf(call, call.body.timeoutMs);
  const operation = { op: 'execute', sql, params, slow } as const;
  const { index, result } = await write(call, operation, timeoutMs, 'statement');
  return answerAt(call, statementFields(result.result), index);
}

function statementFields({
  rowsAffected,
  lastInsertRowid,
  columns,
  rows,
}: StatementResult): string {
  const fields = `"rowsAffected":${rowsAffected},"lastInsertRowid":${jsonOf(lastInsertRowid)}`;
  if (columns === undefined) return fields;
  return `${fields},"columns":${JSON.stringify(columns)},"rows":${jsonRows(rows ?? [])}`;
}

interface QueryBody {
  readonly sql: string;
  readonly params?: Params<SqlInput>;
  readonly consistency?: Consistency;
  readonly minIndex?: number;
  readonly history?: string;
  readonly timeoutMs?: number;
  readonly format?: 'arrays' | 'objects';
}

const LEVELS = ['linearizable', 'session', 'stale'] as const;
const level = oneOf('how fresh the rows must be', LEVELS);
const lagBound = object<{ readonly maxLagMs: number }>(
  { maxLagMs: integer('most milliseconds behind the leader') },
  ['maxLagMs'],
);

function isLevel(value: unknown): value is (typeof LEVELS)[number] {
  return (LEVELS as readonly unknown[]).includes(value);
}

const consistencyShape: Shape<Consistency> = {
  schema: { oneOf: [level, lagBound], default: 'linearizable' },
  read(value, path) {
    if (isLevel(value)) return value;
    if (isObject(value)) return lagBound.read(value, path);
    throw refuse(path, 'must be "linearizable", "session", "stale" or {"maxLagMs": n}');
  },
};

const queryBody: Shape<QueryBody> = object<QueryBody>(
  {
    sql: sqlShape,
    params: paramsShape,
    consistency: consistencyShape,
    minIndex: integer('not before this index is applied here'),
    history: text('the cluster that minIndex belongs to', 0, 64),
    timeoutMs: timeoutShape,
    format: oneOf('rows as arrays (default) or as objects keyed by column name', [
      'arrays',
      'objects',
    ] as const),
  },
  ['sql'],
);

async function query(call: Call<QueryBody>): Promise<Response> {
  const { sql, params, minIndex, history, format, consistency = 'linearizable' } = call.body;
  const timeoutMs = timeoutOf(call, call.body.timeoutMs);
  const { client } = call;
  const request = { sql, params, consistency, minIndex, history, timeoutMs, client };
  const { columns, rows, index, lagMs } = await untilDone<QueryResult>(call, (resolve, reject) =>
    call.api.service.query(request, (error, result) => {
      if (error !== null) reject(error);
      else resolve(result!);
    }),
  );
  const shown = format === 'objects' ? jsonObjects(columns, rows) : jsonRows(rows);
  const fields = `"columns":${JSON.stringify(columns)},"rows":${shown},"lagMs":${lagMs}`;
  return answerAt(call, fields, index);
}

interface TxnBody {
  readonly statements: Statement[];
  readonly guard?: Guard;
  readonly slow?: boolean;
  readonly timeoutMs?: number;
}

const statementShape: Shape<Statement> = object<Statement>(
  {
    sql: sqlShape,
    params: txnParamsShape,
    many: list(
      txnParamsShape as Shape<Params<SqlInput | Ref>>,
      'runs the statement once per parameter list; not together with params',
    ) as Shape<readonly Params<SqlInput | Ref>[]>,
    expect: object<Expectation>(
      { rows: count, rowsAffected: count, minRows: count, minRowsAffected: count },
      [],
    ),
  },
  ['sql'],
);

const txnBody: Shape<TxnBody> = object<TxnBody>(
  {
    statements: list(statementShape, 'all or nothing, in this order', 1),
    guard: object<Guard>(
      {
        index: integer('an index that an earlier answer carried'),
        tables: list(text('name of a table', 1, 1024), 'fail when one changed since') as Shape<
          readonly string[]
        >,
      },
      ['index', 'tables'],
    ),
    slow,
    timeoutMs: timeoutShape,
  },
  ['statements'],
);

async function txn(call: Call<TxnBody>): Promise<Response> {
  const { statements, guard, slow } = call.body;
  statements.forEach((statement, i) => {
    if (statement.many !== undefined && statement.params !== undefined) {
      throw refuse(['statements', i], 'takes params or many, not both');
    }
  });
  const timeoutMs = timeoutOf(call, call.body.timeoutMs);
  const operation = { op: 'txn', statements, guard, slow } as const;
  const { index, result } = await write(call, operation, timeoutMs, 'statements');
  return answerAt(call, `"results":${jsonResults(result.results)}`, index);
}

interface BatchBody {
  readonly sql: string;
  readonly atomic?: boolean;
  readonly slow?: boolean;
  readonly timeoutMs?: number;
}

const batchBody: Shape<BatchBody> = object<BatchBody>(
  {
    sql: text('statements, separated by semicolons', 1),
    atomic: flag('all or nothing (default); false lets each statement stand alone'),
    slow,
    timeoutMs: timeoutShape,
  },
  ['sql'],
);

async function batch(call: Call<BatchBody>): Promise<Response> {
  const { sql, atomic = true, slow } = call.body;
  const timeoutMs = timeoutOf(call, call.body.timeoutMs);
  const operation = { op: 'batch', sql, atomic, slow } as const;
  const { index, result } = await write(call, operation, timeoutMs, 'statements');
  return answerAt(call, `"results":${jsonResults(result.results)}`, index);
}

function jsonResults(results: readonly (StatementResult | StatementFailure)[]): string {
  const shown = results.map((one) =>
    'error' in one ? JSON.stringify({ error: toProblem(one.error) }) : `{${statementFields(one)}}`,
  );
  return `[${shown.join(',')}]`;
}

/** The routes that run SQL. */
export const sqlRoutes: readonly AnyRoute[] = [
  route<ExecuteBody>({
    method: 'POST',
    path: '/v1/execute',
    summary: 'Run one statement; RETURNING rows come back as rows',
    access: 'token',
    body: executeBody,
    keyed: true,
    answer: executeAnswer,
    handle: execute,
  }),
  route<QueryBody>({
    method: 'POST',
    path: '/v1/query',
    summary: 'Read; a statement that writes is SQL_READ_ONLY',
    access: 'token',
    body: queryBody,
    answer: queryAnswer,
    handle: query,
  }),
  route<TxnBody>({
    method: 'POST',
    path: '/v1/txn',
    summary: 'Run statements, all or nothing',
    access: 'token',
    body: txnBody,
    keyed: true,
    answer: txnAnswer,
    handle: txn,
  }),
  route<BatchBody>({
    method: 'POST',
    path: '/v1/batch',
    summary: 'Run several statements given as one text',
    access: 'token',
    body: batchBody,
    keyed: true,
    answer: batchAnswer,
    handle: batch,
  }),
];
