/** Log entries made of operations, and a state machine to apply them to: for tests of every room. */

import type { StateMachine } from '../../src/state-machine/contract.ts';
import { openStateMachine } from '../../src/state-machine/state-machine.ts';
import type { CheckpointContent, CheckpointCut } from '../../src/storage/contract.ts';
import { ByteWriter } from '../../src/wire/bytes.ts';
import { BatchBuilder, type IdempotencyKey, SEED_BYTES } from '../../src/wire/command.ts';
import { ENTRY_SLOW, type Entry, EntryKind, stampEntry } from '../../src/wire/entry.ts';
import { type Operation, operationIsSlow, writeOperation } from '../../src/wire/operation.ts';
import type { CommandOutcome, OperationResult, StatementResult } from '../../src/wire/result.ts';
import { engineUnderTest } from './engine.ts';

/** A command of an entry; without a session it is one of the node's own. */
export interface TestCommand {
  readonly operation: Operation | Uint8Array;
  readonly session?: number | undefined;
  readonly sequence?: number | undefined;
  readonly acknowledged?: number | undefined;
  readonly key?: IdempotencyKey | undefined;
}

/** What an entry is stamped with. */
export interface TestStamp {
  readonly index: number;
  readonly term?: number | undefined;
  readonly wall?: number | undefined;
  readonly elapsed?: number | undefined;
  /** Made from the index unless given. */
  readonly seed?: Uint8Array | undefined;
}

/** 2026-01-02T03:04:05.678Z: the wall clock of test entries unless they say otherwise. */
export const TEST_WALL = 1_767_323_045_678;

/** Bytes of an operation. */
export function operationBytes(operation: Operation): Uint8Array {
  const out = new ByteWriter();
  writeOperation(out, operation);
  return out.take();
}

/** A seed that is different for every number. */
export function testSeed(number: number): Uint8Array {
  const seed = new Uint8Array(SEED_BYTES);
  new DataView(seed.buffer).setUint32(0, number);
  return seed;
}

/** An entry that holds `commands`. */
export function entryOf(stamp: TestStamp, commands: readonly (TestCommand | Operation)[]): Entry {
  const builder = new BatchBuilder();
  let slow = false;
  for (const one of commands) {
    const command = 'op' in one ? { operation: one } : one;
    const { operation, session = 0, sequence = 0, acknowledged = 0, key } = command as TestCommand;
    builder.begin(session, sequence, acknowledged, key);
    const at = builder.bytes;
    if (operation instanceof Uint8Array) builder.writer.raw(operation);
    else writeOperation(builder.writer, operation);
    slow ||= operationIsSlow(builder.writer.bytes, at);
    builder.end();
  }
  const { index, term = 1, wall = TEST_WALL + index, elapsed = index } = stamp;
  const record = builder.finish(wall, elapsed, stamp.seed ?? testSeed(index));
  return stampEntry(record, term, index, EntryKind.commands, slow ? ENTRY_SLOW : 0);
}

/** An `execute`. */
export function execute(
  sql: string,
  params?: (Operation & { op: 'execute' })['params'],
): Operation {
  return { op: 'execute', sql, params };
}

/** Options of a test state machine. */
export interface TestMachineOptions {
  readonly checkpoint?: CheckpointContent | null | undefined;
  readonly maxPageBytes?: number | undefined;
}

/** A state machine on the default engine whose reads see a fixed clock. */
export function openTestMachine(options: TestMachineOptions = {}): StateMachine {
  return openStateMachine({
    engine: engineUnderTest(),
    checkpoint: options.checkpoint ?? null,
    maxPageBytes: options.maxPageBytes ?? 512 * 1024 * 1024,
    readHost: { wallMs: () => TEST_WALL, random: (out) => out.fill(7), monotonicMs: () => 0 },
  });
}

/** Applies an entry and returns its outcomes. Throws what `apply` reports. */
export function applyEntry(machine: StateMachine, entry: Entry): CommandOutcome[] {
  const outcomes: CommandOutcome[] = [];
  let failure: Error | null = null;
  machine.apply(
    entry,
    (ordinal, outcome) => {
      outcomes[ordinal] = outcome;
    },
    (error) => {
      failure = error;
    },
  );
  if (failure !== null) throw failure;
  return outcomes;
}

/** Applies operations as the next entry. */
export function applyNext(
  machine: StateMachine,
  ...commands: readonly (TestCommand | Operation)[]
): CommandOutcome[] {
  const index = machine.applied.index + 1;
  return applyEntry(machine, entryOf({ index, elapsed: machine.elapsed + 1 }, commands));
}

/** The result of an outcome that must be good. */
export function resultOf(outcome: CommandOutcome | undefined): OperationResult {
  if (outcome === undefined) throw new Error('there is no outcome');
  if (!outcome.ok) throw outcome.error;
  return outcome.result;
}

/** Runs one statement as an entry of its own; throws its error. */
export function run(
  machine: StateMachine,
  sql: string,
  params?: (Operation & { op: 'execute' })['params'],
): StatementResult {
  const result = resultOf(applyNext(machine, execute(sql, params))[0]);
  if (result.type !== 'statement') throw new Error(`a ${result.type} came back`);
  return result.result;
}

/** Rows of a read. */
export function rowsOf(machine: StateMachine, sql: string): unknown[][] {
  const request = { sql, deadlineMs: 10_000, maxRows: Infinity, maxBytes: Infinity };
  const result = machine.readNow(request);
  if (result === null) throw new Error('the read did not end');
  return result.rows;
}

/** A checkpoint kept in memory, from full and delta cuts. */
export class MemoryCheckpoint {
  readonly #pages = new Map<number, { bytes: Uint8Array | null; lo: number; hi: number }>();
  readonly #sections = new Map<string, Map<string, [Uint8Array, Uint8Array]>>();
  #meta: CheckpointCut['meta'] | null = null;

  /** Takes what a cut holds and releases it. */
  add(cut: CheckpointCut): this {
    if (cut.since === 0) this.#clear();
    for (const number of cut.pages) {
      const { bytes, hashLo, hashHi } = cut.page(number);
      this.#pages.set(number, { bytes: bytes?.slice() ?? null, lo: hashLo, hi: hashHi });
    }
    for (const { section, entries } of cut.sections) this.#addSection(section, entries());
    this.#meta = cut.meta;
    cut.release();
    return this;
  }

  #clear(): void {
    this.#pages.clear();
    this.#sections.clear();
  }

  #addSection(
    section: string,
    entries: Iterable<readonly [key: Uint8Array, value: Uint8Array | null]>,
  ): void {
    const pairs = this.#sections.get(section) ?? new Map<string, [Uint8Array, Uint8Array]>();
    this.#sections.set(section, pairs);
    for (const [key, value] of entries) {
      if (value === null) pairs.delete(key.join());
      else pairs.set(key.join(), [key.slice(), value.slice()]);
    }
  }

  /** What a restart would read. */
  content(): CheckpointContent {
    const meta = this.#meta;
    if (meta === null) throw new Error('there is no checkpoint');
    return {
      meta,
      readPage: (page, out) => {
        const bytes = this.#pages.get(page)?.bytes ?? null;
        if (bytes !== null) out.set(bytes);
        return bytes !== null;
      },
      pageHash: (page) => this.#pages.get(page) ?? { lo: 0, hi: 0 },
      sections: () => this.#sections.keys(),
      entries: (section) => this.#sections.get(section)?.values() ?? [],
      close: () => {},
    };
  }

  /** Pairs by section, as text, for comparing. */
  dump(): string[] {
    const lines: string[] = [];
    for (const [section, pairs] of this.#sections) {
      for (const [key, value] of pairs.values())
        lines.push(`${section} ${key.join()} ${value.join()}`);
    }
    return lines.sort();
  }
}
