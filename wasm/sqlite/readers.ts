/** Connections that read: each statement sees the newest commit at its first step and keeps that view until reset. */
import { type EngineLimits, type Reader, type ReaderHost, SqlError } from '../engine.ts';
import { PREPARE_BYTES, READER_CACHE_PAGES } from '../limits.ts';
import { SQLITE } from './codes.ts';
import { Connection } from './connection.ts';
import { NO_HEAP_LIMIT, WORD } from './control.ts';
import type { Pointer } from './exports.ts';
import type { LinkedInstance } from './linked.ts';

/** An instance for readers. */
export class Readers implements ReaderHost {
  readonly #linked: LinkedInstance;
  readonly #limits: EngineLimits;
  #closed = false;

  constructor(linked: LinkedInstance, limits: EngineLimits) {
    this.#linked = linked;
    this.#limits = limits;
  }

  openReader(): Reader {
    return new ReaderConnection(this.#linked, this.#limits);
  }

  memoryBytes(): number {
    return this.#linked.instance.memoryBytes;
  }

  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#linked.instance.crash(new Error('the readers were closed'));
  }
}

class ReaderConnection extends Connection implements Reader {
  readonly interruptKind = 'timeout' as const;
  readonly #file: Pointer;
  /** Engine time that is left. */
  #leftMs = Infinity;
  #heapLimit = NO_HEAP_LIMIT;

  constructor(linked: LinkedInstance, limits: EngineLimits) {
    super(linked, 'reader');
    this.#file = linked.files.lastOpened;
    this.applyTextLimits(limits);
    this.exec(`PRAGMA cache_size = ${READER_CACHE_PAGES}`);
  }

  protected override compileLimit(used: number): number {
    return Math.min(this.#heapLimit >>> 0, used + PREPARE_BYTES.hard);
  }

  setDeadline(ms: number): void {
    this.#leftMs = ms;
  }

  setMemoryLimit(bytes: number): void {
    this.#heapLimit = bytes >= 0xffffffff ? NO_HEAP_LIMIT : Math.max(0, Math.floor(bytes));
  }

  epoch(): number {
    return this.linked.files.epochOf(this.#file);
  }

  step(statement: Pointer): number {
    const { instance } = this;
    const timed = this.#leftMs !== Infinity && !this.unlimited;
    const words = instance.i32;
    const at = instance.control >> 2;
    words[at + WORD.armed] = timed ? 1 : 0;
    words[at + WORD.ask] = 1;
    words[at + WORD.interrupted] = 0;
    words[at + WORD.heapLimit] = this.unlimited ? NO_HEAP_LIMIT : this.#heapLimit;
    words[at + WORD.heapRefused] = 0;
    words[at + WORD.heapFailed] = 0;
    try {
      return timed ? this.#stepTimed(statement) : instance.x.sqlite3_step(statement);
    } catch (error) {
      throw error instanceof SqlError ? error : instance.crash(error);
    }
  }

  #stepTimed(statement: Pointer): number {
    const { host } = this.linked;
    if (this.#leftMs <= 0) {
      this.instance.setWord(WORD.interrupted, 1);
      return SQLITE.INTERRUPT;
    }
    const start = host.monotonicMs();
    this.linked.deadlineAt = start + this.#leftMs;
    const rc = this.instance.x.sqlite3_step(statement);
    this.#leftMs -= host.monotonicMs() - start;
    return rc;
  }
}
