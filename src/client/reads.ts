/** The reading half of a client. */
import type { QuorliteError } from '../wire/error.ts';
import type { Params, SqlValue } from '../wire/value.ts';
import { driverQuery, type FillLimits } from './call-options.ts';
import type { Client, IntegerMode, ReadOptions, Row, Sql } from './contract.ts';
import type { Driver, DriverResult, DriverStream } from './driver.ts';
import { atMostOne, exactlyOne } from './results.ts';
import { toArrays, toObjects } from './rows.ts';

type Reads = Pick<Client, 'query' | 'queryOne' | 'queryOptional' | 'queryRaw' | 'stream'>;

/** Reads over a driver. `integers` is the mode of calls that do not choose. */
export function createReads(driver: Driver, integers: IntegerMode, callLimits: FillLimits): Reads {
  /** One promise per read: `map` runs inside it. */
  function read<R>(
    text: string | Sql,
    params: Params | undefined,
    options: ReadOptions | undefined,
    map: (result: DriverResult, integers: IntegerMode) => R,
  ): Promise<R> {
    return new Promise<R>((resolve, reject) => {
      const query = driverQuery(text, params, options);
      function done(error: QuorliteError | null, result: DriverResult | null): void {
        if (result === null) {
          reject(error);
          return;
        }
        try {
          resolve(map(result, options?.integers ?? integers));
        } catch (failure) {
          reject(failure);
        }
      }
      driver.query(query, callLimits(options), done);
    });
  }

  return {
    query: <T = Row>(text: string | Sql, params?: Params, options?: ReadOptions) =>
      read(text, params, options, objects<T>),
    queryOne: <T = Row>(text: string | Sql, params?: Params, options?: ReadOptions) =>
      read(text, params, options, (result, mode) => exactlyOne(objects<T>(result, mode))),
    queryOptional: <T = Row>(text: string | Sql, params?: Params, options?: ReadOptions) =>
      read(text, params, options, (result, mode) => atMostOne(objects<T>(result, mode))),
    queryRaw: (text, params, options) => read(text, params, options, raw),
    stream: <T = Row>(text: string | Sql, params?: Params, options?: ReadOptions) =>
      streamRows<T>(
        () => driver.stream(driverQuery(text, params, options), callLimits(options)),
        options?.integers ?? integers,
      ),
  };
}

function objects<T>(result: DriverResult, integers: IntegerMode): T[] {
  return toObjects<T>(result.columns, result.rows, integers);
}

function raw(
  { columns, rows, index, lagMs }: DriverResult,
  integers: IntegerMode,
): Awaited<ReturnType<Client['queryRaw']>> {
  const arrays: SqlValue[][] = toArrays(columns, rows, integers);
  return { columns, rows: arrays, index, lagMs };
}

/** Lazy: the read starts with the first `next`, and ends when the loop is left. */
async function* streamRows<T>(
  open: () => Promise<DriverStream>,
  integers: IntegerMode,
): AsyncGenerator<T, void, undefined> {
  const stream = await open();
  try {
    for (;;) {
      const rows = await stream.next();
      if (rows === null) return;
      yield* toObjects<T>(stream.columns, rows, integers);
    }
  } finally {
    stream.close();
  }
}
