/**
 * A map with versions, in which the modules of the state machine keep their state: a fork is taken in O(1) and shows the
 * map as it was, while writes go on; the keys changed since an earlier fork are known without a scan.
 *
 * Time is counted in epochs; each fork or mark ends one. A key has a chain of cells, newest first, each with the epoch
 * that wrote it; an older cell is kept only while an open fork sees it. Each epoch lists the keys that it wrote. What a
 * release or `forget` leaves behind is swept a few steps at a time by later writes, so that none of them is slow.
 *
 * Values are the owner's: the map never copies them, so a value that a fork may see must not be changed in place.
 */
import { assert, must } from '../wire/assert.ts';
import { VERSIONED_MAP_SWEEP } from './limits.ts';

/** A point in the history of one map; grows. */
export type Mark = number;

/** The map as it was at one moment. */
export interface Fork<K extends string | number, V> {
  /** The moment of the fork: what later forks count changes from. */
  readonly mark: Mark;
  readonly size: number;
  get(key: K): V | undefined;
  has(key: K): boolean;
  /** All pairs, in no promised order. May be iterated in slices while the map changes. */
  entries(): IterableIterator<[K, V]>;
  keys(): IterableIterator<K>;
  /**
   * Keys set or deleted behind `mark` and up to this fork, each once; `get` tells what became of them. To ask is to
   * promise that no mark before this one will be asked for again: what only they need is forgotten once no fork is
   * open.
   */
  dirtySince(mark: Mark): IterableIterator<K>;
  /** Ends the fork, which must not be used any more; a second call does nothing. */
  release(): void;
}

/** A value that a key had. */
interface Cell<V> {
  epoch: number;
  /** `undefined`: deleted. */
  value: V | undefined;
  older: Cell<V> | null;
}

/** An open fork, as the map knows it. */
interface Holder<K> {
  readonly epoch: number;
  /** Keys of which an older cell is kept because this fork (and no newer one) sees it. */
  readonly held: K[];
}

/** Keys whose chain may hold more than is needed. */
interface Garbage<K> {
  readonly keys: K[];
  /** True when a fork kept these keys' older cells: another one that sees them takes over. */
  readonly held: boolean;
}

/** Keys written in one epoch. */
interface Written<K> {
  readonly epoch: number;
  readonly keys: K[];
}

/**
 * A map from strings or numbers to values other than `undefined`. For byte strings see `keyOfBytes`.
 *
 * @example
 * const map = new VersionedMap<string, number>();
 * map.set('a', 1);
 * const fork = map.fork();
 * map.set('a', 2);
 * fork.get('a'); // 1
 */
export class VersionedMap<K extends string | number, V> {
  readonly #cells = new Map<K, Cell<V>>();
  /** Epochs behind the last forgotten mark, oldest first; the last one is open. */
  #written: Written<K>[] = [{ epoch: 1, keys: [] }];
  /** Open forks, oldest first. */
  readonly #holders: Holder<K>[] = [];
  readonly #garbage: Garbage<K>[] = [];
  #epoch = 1;
  /** Changes since earlier marks are forgotten, and those before `#wanted` will be when no fork is open. */
  #floor: Mark = 0;
  #wanted: Mark = 0;
  #size = 0;

  get size(): number {
    return this.#size;
  }

  get(key: K): V | undefined {
    return this.#cells.get(key)?.value;
  }

  has(key: K): boolean {
    return this.get(key) !== undefined;
  }

  set(key: K, value: V): void {
    assert(value !== undefined, 'undefined is not a value');
    this.#write(key, value);
  }

  /** False when the key was not there. */
  delete(key: K): boolean {
    if (!this.has(key)) return false;
    this.#write(key, undefined);
    return true;
  }

  /** All pairs, in no promised order. */
  *entries(): IterableIterator<[K, V]> {
    for (const [key, { value }] of this.#cells) if (value !== undefined) yield [key, value];
  }

  *keys(): IterableIterator<K> {
    for (const [key] of this.entries()) yield key;
  }

  *values(): IterableIterator<V> {
    for (const [, value] of this.entries()) yield value;
  }

  /** Ends an epoch without a fork: a point from which changes can be counted. */
  mark(): Mark {
    const mark = this.#epoch++;
    this.#written.push({ epoch: this.#epoch, keys: [] });
    return mark;
  }

  /** Freezes the map as it is now, in O(1). */
  fork(): Fork<K, V> {
    const size = this.#size;
    const mark = this.mark();
    const holder: Holder<K> = { epoch: mark, held: [] };
    this.#holders.push(holder);
    let asked: Mark = 0;
    let open = true;
    return {
      mark,
      size,
      get: (key) => this.#valueAt(key, mark),
      has: (key) => this.#valueAt(key, mark) !== undefined,
      entries: () => this.#entriesAt(mark),
      keys: () => this.#keysAt(mark),
      dirtySince: (since) => {
        asked = Math.max(asked, since);
        return this.#dirtyBetween(since, mark);
      },
      release: () => {
        if (!open) return;
        open = false;
        this.#release(holder);
        this.forget(asked);
      },
    };
  }

  /** How many keys were written behind `mark`; one that was written in several epochs counts in each. */
  dirtyCount(mark: Mark): number {
    let count = 0;
    for (const { epoch, keys } of this.#written) if (epoch > mark) count += keys.length;
    return count;
  }

  /** Promises that changes since marks before `mark` are not asked for any more: deleted keys can go. */
  forget(mark: Mark): void {
    assert(mark < this.#epoch, 'a mark lies in the past');
    this.#wanted = Math.max(this.#wanted, mark);
    if (this.#holders.length > 0 || this.#wanted === this.#floor) return;
    this.#floor = this.#wanted;
    const kept = this.#written.findIndex(({ epoch }) => epoch > this.#floor);
    for (const { keys } of this.#written.splice(0, kept)) this.#discard(keys, false);
  }

  /** Values held, old and deleted ones included; walks the whole map: for tests and diagnosis. */
  heldCells(): number {
    let count = 0;
    for (let cell of this.#cells.values()) {
      for (count++; cell.older !== null; count++) cell = cell.older;
    }
    return count;
  }

  #write(key: K, value: V | undefined): void {
    if (this.#garbage.length > 0) this.#sweep();
    const cell = this.#cells.get(key);
    this.#size += Number(value !== undefined) - Number(cell?.value !== undefined);
    if (cell !== undefined && cell.epoch === this.#epoch) {
      cell.value = value;
      return;
    }
    this.#written.at(-1)!.keys.push(key);
    if (cell === undefined) {
      this.#cells.set(key, { epoch: this.#epoch, value, older: null });
      return;
    }
    const newest = this.#holders.at(-1);
    if (newest !== undefined && newest.epoch >= cell.epoch) {
      newest.held.push(key);
      this.#cells.set(key, { epoch: this.#epoch, value, older: cell });
    } else {
      // No fork sees the old value itself; what it keeps for older ones stays in the chain.
      cell.epoch = this.#epoch;
      cell.value = value;
    }
  }

  #cellAt(key: K, epoch: number): Cell<V> | null {
    let cell = this.#cells.get(key) ?? null;
    while (cell !== null && cell.epoch > epoch) cell = cell.older;
    return cell;
  }

  #valueAt(key: K, epoch: number): V | undefined {
    return this.#cellAt(key, epoch)?.value;
  }

  *#entriesAt(epoch: number): IterableIterator<[K, V]> {
    // Keys that the fork sees are not removed while it is open, and those added later have no cell as old as it.
    for (const key of this.#cells.keys()) {
      const value = this.#valueAt(key, epoch);
      if (value !== undefined) yield [key, value];
    }
  }

  *#keysAt(epoch: number): IterableIterator<K> {
    for (const [key] of this.#entriesAt(epoch)) yield key;
  }

  *#dirtyBetween(since: Mark, until: Mark): IterableIterator<K> {
    assert(since >= this.#floor, () => `changes since ${since} are forgotten`);
    for (const { epoch, keys } of this.#written.slice()) {
      if (epoch <= since) continue;
      if (epoch > until) break;
      // A key that was written again before the fork is listed by the later epoch.
      for (const key of keys) if (this.#cellAt(key, until)?.epoch === epoch) yield key;
    }
  }

  #release(holder: Holder<K>): void {
    this.#holders.splice(this.#holders.indexOf(holder), 1);
    this.#discard(holder.held, true);
  }

  #discard(keys: K[], held: boolean): void {
    if (keys.length > 0) this.#garbage.push({ keys, held });
  }

  #sweep(): void {
    for (let steps = 0; steps < VERSIONED_MAP_SWEEP; steps++) {
      const garbage = this.#garbage.at(-1);
      if (garbage === undefined) return;
      const key = must(garbage.keys.pop());
      if (garbage.keys.length === 0) this.#garbage.pop();
      this.#trim(key, garbage.held);
    }
  }

  /** Drops the cells of a key that nobody sees, and the key when it is deleted and no delta needs to say so. */
  #trim(key: K, held: boolean): void {
    const head = this.#cells.get(key);
    if (head === undefined) return;
    for (let cell = head; cell.older !== null; ) {
      const holder = this.#holderBetween(cell.older.epoch, cell.epoch);
      if (holder === null) {
        cell.older = cell.older.older;
      } else {
        cell = cell.older;
        if (held) holder.held.push(key);
      }
    }
    if (head.older === null && head.value === undefined && head.epoch <= this.#floor) {
      this.#cells.delete(key);
    }
  }

  /** The newest open fork that sees a cell written in `from` and replaced in `until`. */
  #holderBetween(from: number, until: number): Holder<K> | null {
    for (let i = this.#holders.length - 1; i >= 0; i--) {
      const holder = this.#holders[i]!;
      if (holder.epoch < until) return holder.epoch >= from ? holder : null;
    }
    return null;
  }
}
