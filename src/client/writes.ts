/** The writing half of a client. */
import type { ByteWriter } from '../wire/bytes.ts';
import { QuorliteError } from '../wire/error.ts';
import { type Operation, type Statement, writeExecute, writeOperation } from '../wire/operation.ts';
import type { OperationResult } from '../wire/result.ts';
import type { Params } from '../wire/value.ts';
import { type FillLimits, statementText } from './call-options.ts';
import type {
  CallOptions,
  Client,
  ExecuteResult,
  IntegerMode,
  Row,
  Sql,
  WriteOptions,
} from './contract.ts';
import type { Driver } from './driver.ts';
import { migratedOf, settingsOf, statementOf, statementsOf, toExecuteResult } from './results.ts';

type Writes = Pick<Client, 'execute' | 'txn' | 'batch' | 'migrate'> & {
  setSettings: Client['settings']['set'];
};

/** Writes over a driver. */
export function createWrites(
  driver: Driver,
  integers: IntegerMode,
  callLimits: FillLimits,
): Writes {
  /** One promise per write: `map` runs inside it. */
  function write<R>(
    encode: (out: ByteWriter) => void,
    options: CallOptions | undefined,
    map: (result: OperationResult, index: number) => R,
  ): Promise<R> {
    return new Promise<R>((resolve, reject) => {
      driver.write(encode, callLimits(options), (outcome) => {
        if (!outcome.ok) {
          reject(outcome.error);
          return;
        }
        try {
          resolve(map(outcome.result, outcome.index));
        } catch (failure) {
          reject(failure);
        }
      });
    });
  }

  function operate<R>(
    operation: Operation,
    options: CallOptions | undefined,
    map: (result: OperationResult, index: number) => R,
  ): Promise<R> {
    return write((out) => writeOperation(out, operation), options, map);
  }

  return {
    execute<T = Row>(text: string | Sql, given?: Params, options?: WriteOptions) {
      const slow = options?.slow === true;
      return write(
        (out) => {
          const { sql, params } = statementText(text, given);
          writeExecute(out, sql, params, slow);
        },
        options,
        (result, index) => toExecuteResult<T>(statementOf(result), index, integers),
      );
    },
    async txn(statements, options) {
      const checked = checkStatements(statements);
      return operate(
        { op: 'txn', statements: checked, guard: options?.guard, slow: options?.slow },
        options,
        (result, index) => statementsOf(result).map((one) => whole(one, index, integers)),
      );
    },
    async batch(text, options) {
      const atomic = options?.atomic ?? true;
      return operate(
        { op: 'batch', sql: text, atomic, slow: options?.slow },
        options,
        (result, index) => ({
          index,
          results: statementsOf(result).map((one) =>
            'error' in one ? { error: one.error } : toExecuteResult<Row>(one, index, integers),
          ),
        }),
      );
    },
    async migrate(migrations, options) {
      return operate({ op: 'migrate', migrations }, options, (result) => {
        const { applied, current } = migratedOf(result);
        return { applied, current };
      });
    },
    async setSettings(patch, options) {
      return operate({ op: 'settings', patch }, options, settingsOf);
    },
  };
}

function whole(
  result: ReturnType<typeof statementsOf>[number],
  index: number,
  integers: IntegerMode,
): ExecuteResult {
  if ('error' in result) throw result.error;
  return toExecuteResult<Row>(result, index, integers);
}

function checkStatements(statements: readonly (Statement | Sql)[]): readonly Statement[] {
  if (!Array.isArray(statements)) {
    throw new QuorliteError('BAD_REQUEST', 'txn takes an array of statements');
  }
  for (const statement of statements as readonly unknown[]) {
    const one = statement as { readonly sql?: unknown } | null;
    if (typeof one !== 'object' || one === null || typeof one.sql !== 'string') {
      throw new QuorliteError('BAD_REQUEST', 'a statement is { sql, params?, many?, expect? }');
    }
  }
  return statements;
}
