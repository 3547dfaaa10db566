/** VACUUM: the one command that runs outside of a transaction, alone in its entry. */
import { PAGE_SIZE, type PageStore } from '../../../wasm/page-store.ts';
import type { LogIndex } from '../../wire/entry.ts';
import { QuorliteError } from '../../wire/error.ts';
import type { CommandOutcome, OperationResult } from '../../wire/result.ts';
import { isCrash, isLimit, publicError } from './errors.ts';
import type { EntryTransaction } from './transaction.ts';

/** Copies of the database that it holds in engine memory at once: the new one and the journal of the old one. */
const COPIES = 2;

/** What it needs. */
export interface VacuumJob {
  readonly transaction: EntryTransaction;
  readonly store: PageStore;
  readonly index: LogIndex;
  /** Engine memory that it may take. */
  readonly memoryBytes: number;
  /** Runs it once under the limits of a first or of a canonical run. */
  readonly attempt: (canonical: boolean) => OperationResult;
}

/** Runs it to its outcome. Whether it may run is decided by the page count, not by memory running out. */
export function vacuum(job: VacuumJob): CommandOutcome {
  const { store, index, memoryBytes } = job;
  const bytes = store.pageCount * PAGE_SIZE * COPIES;
  if (bytes <= memoryBytes) return attempts(job);
  const error = new QuorliteError(
    'TRANSACTION_TOO_LARGE',
    `VACUUM of ${store.pageCount} pages needs ${bytes} bytes of memory`,
    { hint: 'raise the cluster setting hardMemoryBytes' },
  );
  return { ok: false, index, error };
}

function attempts({ transaction, store, index, attempt }: VacuumJob): CommandOutcome {
  const { epoch } = store;
  for (let canonical = false; ; ) {
    try {
      return { ok: true, index, result: attempt(canonical) };
    } catch (error) {
      if (isCrash(error)) {
        if (store.epoch === epoch) transaction.crashed(error);
        transaction.renewBare();
        // Behind the commit point a crash looks like a failure; the store knows better.
        if (store.epoch !== epoch) return done(index);
      } else if (isLimit(error) && !canonical) {
        transaction.stats.canonicalRuns++;
        canonical = true;
        transaction.renewBare();
      } else {
        transaction.rollback();
        return { ok: false, index, error: publicError(error) };
      }
    }
  }
}

function done(index: LogIndex): CommandOutcome {
  const result = { rowsAffected: 0, lastInsertRowid: 0 };
  return { ok: true, index, result: { type: 'statement', result } };
}
