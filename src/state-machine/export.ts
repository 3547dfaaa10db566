/** The database as a plain SQLite file: the pages of one moment, in order. */
import type { PageStore } from '../../wasm/page-store.ts';
import type { LogIndex } from '../wire/entry.ts';

/** An open export; see `StateMachine.openExport`. */
export interface DatabaseExport {
  index: LogIndex;
  bytes: number;
  read(maxBytes: number): Uint8Array | null;
  close(): void;
}

/** Pins the database as it is at `index`. */
export function exportDatabase(store: PageStore, index: LogIndex): DatabaseExport {
  const pin = store.pin();
  const { pageSize } = store;
  let next = 1;
  let open = true;
  return {
    index,
    bytes: pin.pageCount * pageSize,
    read(maxBytes: number): Uint8Array | null {
      const pages = Math.min(
        Math.max(1, Math.floor(maxBytes / pageSize)),
        pin.pageCount + 1 - next,
      );
      if (!open || pages <= 0) return null;
      const bytes = new Uint8Array(pages * pageSize);
      for (let i = 0; i < pages; i++, next++) {
        const page = pin.page(next);
        if (page !== null) bytes.set(page, i * pageSize);
      }
      return bytes;
    },
    close(): void {
      if (open) pin.release();
      open = false;
    },
  };
}
