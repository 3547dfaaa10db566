/** What `quorlite bench` does, over and over. */
import { QuorliteError } from '../../wire/error.ts';
import type { BenchConnection } from './connection.ts';

/** One kind of work. */
export interface Workload {
  readonly name: string;
  readonly help: string;
  /** Rows that one operation writes or reads. */
  readonly rows: number;
  /** Runs alone, whatever concurrency is asked for. */
  readonly alone: boolean;
  /** One operation; `n` counts up from 0 over all runs. */
  run(connection: BenchConnection, n: number): Promise<void>;
}

/** The table that is written to and read from. */
export const BENCH_TABLE =
  'CREATE TABLE _bench(id INTEGER PRIMARY KEY, ts INTEGER NOT NULL, name TEXT NOT NULL)';

/** Rows that exist before the first read. */
export const SEED_ROWS = 10_000;

const INSERT = 'INSERT INTO _bench (ts, name) VALUES (?, ?)';
const SELECT = 'SELECT id, ts, name FROM _bench WHERE id = ?';

/** All workloads, in the order in which they run. `txnRows` is the size of the big transaction. */
export function workloads(txnRows: number): readonly Workload[] {
  return [
    {
      name: 'insert',
      help: 'one INSERT each',
      rows: 1,
      alone: false,
      run: (connection, n) => connection.execute(INSERT, row(n)),
    },
    {
      name: 'txn',
      help: `one transaction of ${txnRows} INSERTs each`,
      rows: txnRows,
      alone: true,
      run: (connection, n) => connection.many(INSERT, rows(n, txnRows)),
    },
    select('select-stale', 'stale'),
    select('select-linearizable', 'linearizable'),
  ];
}

/** `count` parameter lists. */
export function rows(n: number, count: number): (readonly (number | string)[])[] {
  return Array.from({ length: count }, (_, i) => row(n * count + i));
}

function row(n: number): readonly (number | string)[] {
  return [n, `name ${n}`];
}

function select(name: string, consistency: 'stale' | 'linearizable'): Workload {
  return {
    name,
    help: `one SELECT by primary key each, ${consistency}`,
    rows: 1,
    alone: false,
    run: async (connection, n) => {
      // A stride that is prime to the number of rows visits all of them out of order.
      const found = await connection.query(SELECT, [1 + ((n * 7919) % SEED_ROWS)], consistency);
      if (found !== 1) throw new QuorliteError('CORRUPT', `${name} found ${found} rows, not 1`);
    },
  };
}
