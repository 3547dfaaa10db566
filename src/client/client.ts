/** Puts a `Client` together over a driver. */
import { checkAddress, checkMember, createCallLimits } from './call-options.ts';
import type { Client, IntegerMode } from './contract.ts';
import type { Driver } from './driver.ts';
import { createReads } from './reads.ts';
import { createTransactions } from './transaction.ts';
import { createWrites } from './writes.ts';

/** What calls do unless they say otherwise. */
export interface ClientDefaults {
  readonly integers: IntegerMode;
  readonly timeoutMs: number;
}

/** The client interface over a driver. Throws `BAD_REQUEST` for defaults that cannot be. */
export function createClient(driver: Driver, { integers, timeoutMs }: ClientDefaults): Client {
  const callLimits = createCallLimits(timeoutMs);
  const { query, queryOne, queryOptional, queryRaw, stream } = createReads(
    driver,
    integers,
    callLimits,
  );
  const { execute, txn, batch, migrate, setSettings } = createWrites(driver, integers, callLimits);
  return {
    execute,
    query,
    queryOne,
    queryOptional,
    queryRaw,
    stream,
    txn,
    transaction: createTransactions(driver, txn, integers, callLimits),
    batch,
    migrate,
    settings: {
      get: async (options) => ({ ...(await driver.settings(callLimits(options))) }),
      set: setSettings,
    },
    cluster: {
      status: async (options) => driver.status(callLimits(options)),
      add: async ({ id, url, voter = true }, options) => {
        checkMember(id);
        checkAddress(url);
        return driver.admin({ op: 'addMember', id, url, voter }, callLimits(options));
      },
      remove: async (id, options) => {
        checkMember(id);
        return driver.admin({ op: 'removeMember', id }, callLimits(options));
      },
      promote: async (id, options) => {
        checkMember(id);
        return driver.admin({ op: 'promote', id }, callLimits(options));
      },
      transfer: async (to, options) => {
        if (to !== undefined) checkMember(to);
        return driver.admin({ op: 'transfer', to }, callLimits(options));
      },
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
