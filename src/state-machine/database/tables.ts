/** When each table changed last, for guards. Names are lower case, as SQLite compares them. */
import { VersionedMap } from '../../storage/versioned-map.ts';
import { ByteReader, ByteWriter } from '../../wire/bytes.ts';
import type { LogIndex } from '../../wire/entry.ts';
import { QuorliteError } from '../../wire/error.ts';
import type { FrozenModule, ModuleMark, SectionPair, StateModule } from '../module.ts';

/** Version of the encoding. */
const TABLE_VERSION = 1;
/** Under this name stands the last change of the schema, which counts for every table. No table can be called so. */
const SCHEMA = '';

/** The module of change marks. */
export class TableMarks implements StateModule {
  readonly section = 'tables';
  readonly #map = new VersionedMap<string, LogIndex>();

  /** Tables changed in the entry at `index`. Names come lower-case from the engine. */
  changed(tables: readonly string[], index: LogIndex): void {
    for (let i = 0; i < tables.length; i++) {
      const table = tables[i]!;
      if (this.#map.get(table) !== index) this.#map.set(table, index);
    }
  }

  /** The schema or the statistics changed: every table counts as changed. */
  schemaChanged(index: LogIndex): void {
    if (this.#map.get(SCHEMA) !== index) this.#map.set(SCHEMA, index);
  }

  /** Index of the last entry that may have changed `table`; 0 when none has. */
  changedAt(table: string): LogIndex {
    const own = this.#map.get(table.toLowerCase()) ?? 0;
    return Math.max(own, this.#map.get(SCHEMA) ?? 0);
  }

  restore(pairs: Iterable<SectionPair>): void {
    for (const [key, value] of pairs) {
      const input = new ByteReader(value);
      const version = input.u8();
      if (version !== TABLE_VERSION) {
        throw new QuorliteError(
          'CORRUPT',
          `a table mark has the unknown format version ${version}`,
        );
      }
      this.#map.set(new ByteReader(key).text(), input.uint());
    }
  }

  freeze(): FrozenModule {
    const fork = this.#map.fork();
    return {
      mark: fork.mark,
      *changes(since: ModuleMark | null) {
        for (const name of since === null ? fork.keys() : fork.dirtySince(since)) {
          const index = fork.get(name);
          yield [encodeName(name), index === undefined ? null : encodeIndex(index)];
        }
      },
      release: () => fork.release(),
    };
  }

  dirtySince(mark: ModuleMark | null): number {
    return mark === null ? this.#map.size : this.#map.dirtyCount(mark);
  }

  forget(mark: ModuleMark): void {
    this.#map.forget(mark);
  }
}

function encodeName(name: string): Uint8Array {
  const out = new ByteWriter(32);
  out.text(name);
  return out.take();
}

function encodeIndex(index: LogIndex): Uint8Array {
  const out = new ByteWriter(10);
  out.u8(TABLE_VERSION);
  out.uint(index);
  return out.take();
}
