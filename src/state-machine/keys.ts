/**
 * Idempotency keys of HTTP requests: scoped per token, kept for `keyMs` of replicated time with a hash of the body. Only
 * keys that a client sent are here; everything else is protected by its session.
 */
import { VersionedMap } from '../storage/versioned-map.ts';
import { ByteReader, ByteWriter } from '../wire/bytes.ts';
import { type IdempotencyKey, KEY_HASH_BYTES } from '../wire/command.ts';
import { QuorliteError } from '../wire/error.ts';
import { type CommandOutcome, readOutcome, writeOutcome } from '../wire/result.ts';
import type { KeptBytes } from './kept.ts';
import type { FrozenModule, ModuleMark, SectionPair, StateModule } from './module.ts';
import type { ClusterSettings } from './settings.ts';

/** Version of the encoding. */
const KEY_VERSION = 1;

/** A key that was seen. Never changed once settled, so checkpoints may share it. */
export interface KeyRecord {
  readonly scope: string;
  readonly key: string;
  readonly hash: Uint8Array;
  /** When it came, replicated milliseconds. */
  readonly at: number;
  /** What became of the command, or its ordinal while its entry is applied. */
  outcome: CommandOutcome | number;
}

/** The module of idempotency keys. */
export class Keys implements StateModule {
  readonly section = 'keys';
  readonly #map = new VersionedMap<string, KeyRecord>();
  readonly #kept: KeptBytes;
  readonly #settings: () => ClusterSettings;
  readonly #perScope = new Map<string, number>();
  /** Records in the order of their time; `#first` is the oldest that is left. */
  #order: KeyRecord[] = [];
  #first = 0;

  constructor(kept: KeptBytes, settings: () => ClusterSettings) {
    this.#kept = kept;
    this.#settings = settings;
  }

  get size(): number {
    return this.#map.size;
  }

  /**
   * The record of a key that was seen before, or undefined when it is new. Throws `IDEMPOTENCY_MISMATCH` when it came
   * with another body, `OVERLOADED` when it is new and there is no room.
   */
  find({ scope, key, hash }: IdempotencyKey): KeyRecord | undefined {
    const record = this.#map.get(mapKey(scope, key));
    if (record !== undefined) {
      if (sameBytes(record.hash, hash)) return record;
      throw new QuorliteError(
        'IDEMPOTENCY_MISMATCH',
        'this Idempotency-Key was used for another request before',
      );
    }
    const { keys, keysPerToken } = this.#settings();
    if (this.#map.size >= keys) {
      throw new QuorliteError('OVERLOADED', `all ${keys} idempotency keys are in use`);
    }
    if ((this.#perScope.get(scope) ?? 0) >= keysPerToken) {
      throw new QuorliteError(
        'OVERLOADED',
        `this token has used ${keysPerToken} idempotency keys; they are kept for a day`,
      );
    }
    return undefined;
  }

  /** Records a new key for command `ordinal` of the open entry. */
  add({ scope, key, hash }: IdempotencyKey, now: number, ordinal: number): KeyRecord {
    const record: KeyRecord = { scope, key, hash: hash.slice(), at: now, outcome: ordinal };
    this.#insert(record);
    return record;
  }

  #insert(record: KeyRecord): void {
    this.#map.set(mapKey(record.scope, record.key), record);
    this.#order.push(record);
    this.#perScope.set(record.scope, (this.#perScope.get(record.scope) ?? 0) + 1);
  }

  /** Keeps what became of the command. */
  settle(record: KeyRecord, outcome: CommandOutcome): void {
    record.outcome = this.#kept.keep(outcome, this.#settings());
  }

  /** Forgets every key older than `keyMs`. */
  expire(now: number): void {
    const limit = now - this.#settings().keyMs;
    for (;;) {
      const record = this.#order[this.#first];
      if (record === undefined || record.at > limit) break;
      this.#first++;
      this.#forget(record);
    }
    if (this.#first > 1024 && this.#first * 2 > this.#order.length) {
      this.#order = this.#order.slice(this.#first);
      this.#first = 0;
    }
  }

  #forget(record: KeyRecord): void {
    const { scope, outcome } = record;
    this.#map.delete(mapKey(scope, record.key));
    const left = this.#perScope.get(scope)! - 1;
    if (left === 0) this.#perScope.delete(scope);
    else this.#perScope.set(scope, left);
    if (typeof outcome === 'object') this.#kept.drop(outcome);
  }

  /** When the next key expires. */
  nextExpiry(): number {
    const oldest = this.#order[this.#first];
    return oldest === undefined ? Infinity : oldest.at + this.#settings().keyMs;
  }

  restore(pairs: Iterable<SectionPair>): void {
    const records = Array.from(pairs, ([, value]) => decodeKey(value));
    records.sort((a, b) => a.at - b.at);
    for (const record of records) {
      this.#insert(record);
      if (typeof record.outcome === 'object') this.#kept.restored(record.outcome);
    }
  }

  freeze(): FrozenModule {
    const fork = this.#map.fork();
    return {
      mark: fork.mark,
      *changes(since: ModuleMark | null) {
        if (since === null) {
          for (const [key, record] of fork.entries()) yield [sectionKey(key), encodeKey(record)];
          return;
        }
        for (const key of fork.dirtySince(since)) {
          const record = fork.get(key);
          yield [sectionKey(key), record === undefined ? null : encodeKey(record)];
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

/** The length in front keeps ('a', 'b:c') and ('a:b', 'c') apart. */
function mapKey(scope: string, key: string): string {
  return `${scope.length}:${scope}${key}`;
}

function sectionKey(key: string): Uint8Array {
  const out = new ByteWriter(key.length + 8);
  out.text(key);
  return out.take();
}

function encodeKey({ scope, key, hash, at, outcome }: KeyRecord): Uint8Array {
  const out = new ByteWriter(128);
  out.u8(KEY_VERSION);
  out.text(scope);
  out.text(key);
  out.raw(hash);
  out.f64(at);
  writeOutcome(out, outcome as CommandOutcome);
  return out.take();
}

function decodeKey(bytes: Uint8Array): KeyRecord {
  const input = new ByteReader(bytes);
  const version = input.u8();
  if (version !== KEY_VERSION) {
    throw new QuorliteError('CORRUPT', `a key has the unknown format version ${version}`);
  }
  const scope = input.text();
  const key = input.text();
  const hash = input.raw(KEY_HASH_BYTES).slice();
  return { scope, key, hash, at: input.f64(), outcome: readOutcome(input) };
}

function sameBytes(a: Uint8Array, b: Uint8Array): boolean {
  return a.length === b.length && a.every((byte, i) => byte === b[i]);
}
