/** Puts a `Client` together over a driver. */
import { callLimits } from './call-options.ts';
import type { Client, IntegerMode } from './contract.ts';
import type { Driver } from './driver.ts';
import { createReads } from './reads.ts';
import { createTransactions } from './transaction.ts';
import { createWrites } from './writes.ts';

/** The client interface over a driver. `integers`: how integers come out, unless a call says otherwise. */
export function createClient(driver: Driver, integers: IntegerMode): Client {
  const { query, queryOne, queryOptional, queryRaw, stream } = createReads(driver, integers);
  const { execute, txn, batch, migrate, setSettings } = createWrites(driver, integers);
  return {
    execute,
    query,
    queryOne,
    queryOptional,
    queryRaw,
    stream,
    txn,
    transaction: createTransactions(driver, txn, integers),
    batch,
    migrate,
    settings: {
      get: async (options) => ({ ...(await driver.settings(callLimits(options))) }),
      set: setSettings,
    },
    cluster: {
      status: async (options) => driver.status(callLimits(options)),
      add: async ({ id, url, voter = true }, options) =>
        driver.admin({ op: 'addMember', id, url, voter }, callLimits(options)),
      remove: async (id, options) => driver.admin({ op: 'removeMember', id }, callLimits(options)),
      promote: async (id, options) => driver.admin({ op: 'promote', id }, callLimits(options)),
      transfer: async (to, options) => driver.admin({ op: 'transfer', to }, callLimits(options)),
    },
    snapshot: async (options) => {
      const { index } = await driver.snapshot(callLimits(options));
      return { index };
    },
    export: (options) => driver.export(callLimits(options)),
    status: async (options) => driver.status(callLimits(options)),
    metrics: async (options) => driver.metrics(callLimits(options)),
    ready: async (options) => driver.ready(callLimits(options)),
    close: () => driver.close(),
  };
}
