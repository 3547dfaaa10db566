/**
 * Transactions with reads: optimistic. The first read fixes an index; at commit a guard makes the transaction fail with
 * `CONFLICT` when a table that was read changed after it, and the body runs again. So what a body read was one
 * snapshot whenever the transaction succeeds, and a body that failed on reads that were none runs again, too.
 */
import { QuorliteError } from '../wire/error.ts';
import type { Statement } from '../wire/operation.ts';
import type { Params } from '../wire/value.ts';
import { aborted } from './abort.ts';
import { type FillLimits, statementText } from './call-options.ts';
import type { Client, IntegerMode, Row, Sql, Transaction, WriteOptions } from './contract.ts';
import type { CallLimits, Driver, DriverResult } from './driver.ts';
import { atMostOne, exactlyOne } from './results.ts';
import { toObjects } from './rows.ts';

/** Runs of a body before its `CONFLICT` reaches the caller. */
const MAX_ATTEMPTS = 10;
/** Pause after the first conflict, milliseconds; doubles, with jitter. */
const FIRST_PAUSE_MS = 4;
const MAX_PAUSE_MS = 250;

/** Stands for "changes nothing", when only the guard matters. */
const NO_CHANGE: Statement = { sql: 'SELECT 1' };

/** `transaction` over a driver and the client's own `txn`. */
export function createTransactions(
  driver: Driver,
  txn: Client['txn'],
  integers: IntegerMode,
  callLimits: FillLimits,
): Client['transaction'] {
  async function transaction<T>(
    body: (tx: Transaction) => Promise<T>,
    options?: WriteOptions,
  ): Promise<T> {
    const { signal, timeoutMs } = callLimits(options);
    if (signal?.aborted) throw aborted(signal, 'not-applied');
    const deadline = driver.monotonicMs() + timeoutMs;
    function limits(): CallLimits {
      return { signal, timeoutMs: Math.max(1, Math.ceil(deadline - driver.monotonicMs())) };
    }
    for (let attempt = 1; ; attempt++) {
      const attempted = new Attempt(driver, limits, integers);
      const done = await attempted.run(body);
      const conflict = await attempted.commit(txn, { ...limits(), slow: options?.slow }, done.ok);
      if (conflict === null) {
        if (done.ok) return done.value;
        throw done.error;
      }
      const pause = Math.min(FIRST_PAUSE_MS * 2 ** (attempt - 1), MAX_PAUSE_MS);
      if (attempt === MAX_ATTEMPTS || driver.monotonicMs() + pause >= deadline) throw conflict;
      await driver.pause(pause * (0.5 + driver.random()), signal);
    }
  }
  return transaction;
}

function nothing(): void {}

type Run<T> = { readonly ok: true; readonly value: T } | { readonly ok: false; error: unknown };

/** One run of a body. */
class Attempt implements Transaction {
  readonly #driver: Driver;
  readonly #limits: () => CallLimits;
  readonly #integers: IntegerMode;
  readonly #tables: Set<string> = new Set();
  readonly #writes: Statement[] = [];
  /** The read that is about to fix the snapshot; others wait for it. */
  #first: Promise<void> | null = null;
  #fixed = false;
  #index = 0;
  /** Whether a read was as of a later index: then the guard alone tells whether it was the same snapshot. */
  #mixed = false;
  #ended = false;

  constructor(driver: Driver, limits: () => CallLimits, integers: IntegerMode) {
    this.#driver = driver;
    this.#limits = limits;
    this.#integers = integers;
  }

  async run<T>(body: (tx: Transaction) => Promise<T>): Promise<Run<T>> {
    try {
      return { ok: true, value: await body(this) };
    } catch (error) {
      return { ok: false, error };
    }
  }

  /** Commits what was buffered if the body succeeded; returns the `CONFLICT`, or null. Throws everything else. */
  async commit(
    txn: Client['txn'],
    options: WriteOptions,
    ok: boolean,
  ): Promise<QuorliteError | null> {
    this.#ended = true;
    const statements = ok && this.#writes.length > 0 ? this.#writes : [NO_CHANGE];
    if (statements[0] === NO_CHANGE && !this.#mixed) return null;
    const tables = [...this.#tables].sort();
    const guard = this.#fixed ? { index: this.#index, tables } : undefined;
    try {
      await txn(statements, { ...options, guard });
      return null;
    } catch (error) {
      if (error instanceof QuorliteError && error.code === 'CONFLICT') return error;
      if (ok) throw error;
      return null;
    }
  }

  async query<T = Row>(text: string | Sql, params?: Params): Promise<T[]> {
    const { columns, rows } = await this.#read(text, params);
    return toObjects<T>(columns, rows, this.#integers);
  }

  async queryOne<T = Row>(text: string | Sql, params?: Params): Promise<T> {
    return exactlyOne(await this.query<T>(text, params));
  }

  async queryOptional<T = Row>(text: string | Sql, params?: Params): Promise<T | undefined> {
    return atMostOne(await this.query<T>(text, params));
  }

  execute(text: string | Sql, params?: Params): void {
    this.#check();
    this.#writes.push(statementText(text, params));
  }

  #check(): void {
    if (!this.#ended) return;
    throw new QuorliteError('BAD_REQUEST', 'the transaction is over; await everything inside it');
  }

  async #read(text: string | Sql, params: Params | undefined): Promise<DriverResult> {
    const statement = statementText(text, params);
    for (;;) {
      this.#check();
      if (this.#fixed) return this.#send(statement, false);
      if (this.#first === null) {
        const first = this.#send(statement, true);
        this.#first = first.then(nothing, nothing);
        try {
          return await first;
        } finally {
          this.#first = null;
        }
      }
      await this.#first;
    }
  }

  /** The first read is linearizable; what it saw is fresh enough for the others. */
  #send(
    statement: { readonly sql: string; readonly params: Params | undefined },
    first: boolean,
  ): Promise<DriverResult> {
    return new Promise((resolve, reject) => {
      const query = {
        ...statement,
        consistency: first ? ('linearizable' as const) : ('session' as const),
        minIndex: first ? undefined : this.#index,
        tables: true,
      };
      this.#driver.query(query, this.#limits(), (error, result) => {
        if (result === null) {
          reject(error);
          return;
        }
        if (first) {
          this.#fixed = true;
          this.#index = result.index;
        } else if (result.index !== this.#index) {
          this.#mixed = true;
        }
        for (const table of result.tables ?? []) this.#tables.add(table);
        resolve(result);
      });
    });
  }
}
