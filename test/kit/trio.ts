/**
 * Three replicas of the state machine that live through the same log differently. What they answer and the pages they
 * end up with must be the same:
 *
 * - `live` applies entry after entry;
 * - `restored` has a page cache of 16 pages and is restored from a checkpoint after every third entry;
 * - `troubled` answers reads all the time, goes back to an older checkpoint and replays, and its engine crashes and
 *   runs into its soft limit wherever the chooser says.
 */
import { expect } from 'vitest';
import type { StateMachine } from '../../src/state-machine/contract.ts';
import { openStateMachine } from '../../src/state-machine/state-machine.ts';
import type { CheckpointContent } from '../../src/storage/contract.ts';
import type { Entry } from '../../src/wire/entry.ts';
import { EMPTY_MEMBERSHIP } from '../../src/wire/membership.ts';
import type { Operation } from '../../src/wire/operation.ts';
import { type CommandOutcome, encodeOutcome } from '../../src/wire/result.ts';
import { type Engine, type EngineLimits, SqlError, type Writer } from '../../wasm/engine.ts';
import { engineUnderTest } from './engine.ts';
import { applyEntry, entryOf, MemoryCheckpoint, TEST_WALL, type TestCommand } from './entries.ts';

/** A number from 0 to below `bound`, the same sequence for the same seed (xorshift32). */
export function seededChooser(seed: number): (bound: number) => number {
  let state = (seed * 2654435761) | 1;
  return (bound) => {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    return (state >>> 0) % bound;
  };
}

/** How often the troubled engine fails: once in so many commands. 0 for never. */
export interface Trouble {
  readonly crashes: number;
  readonly softLimits: number;
  /** Crashes before every COMMIT, once. */
  readonly commits?: boolean | undefined;
}

/** Runs after a failure in which the engine does not fail again: as many as one command may take. */
const CALM_RUNS = 8;

/** An engine whose writer fails behind commands that did their work, and around COMMIT. */
function troubledEngine(
  engine: Engine,
  choose: (bound: number) => number,
  trouble: Trouble,
): Engine {
  let calm = 0;
  /** A fresh instance may be in a canonical run, whose limits are real: no soft limit until a transaction ends. */
  let fresh = true;
  let refused = false;
  const fails = (rate: number) => {
    if (rate === 0 || calm > 0 || choose(rate) !== 0) return false;
    calm = CALM_RUNS;
    return true;
  };
  const wrap = (writer: Writer): Writer => {
    let first = false;
    const overrides: Partial<Writer> = {
      beginCommand(budget) {
        first = Number.isFinite(budget.steps);
        if (first && calm > 0) calm--;
        writer.beginCommand(budget);
      },
      schemaOrStatisticsChanged() {
        if (first && fails(trouble.crashes)) throw crash();
        if (first && !fresh && fails(trouble.softLimits)) throw limit();
        return writer.schemaOrStatisticsChanged();
      },
      exec(sql) {
        if (sql === 'COMMIT' && trouble.commits === true) {
          refused = !refused;
          if (refused) throw crash();
        }
        const late = sql === 'COMMIT' && fails(trouble.crashes);
        if (late && choose(2) === 0) throw crash();
        writer.exec(sql);
        if (sql === 'COMMIT' || sql === 'ROLLBACK') fresh = false;
        if (late) throw crash();
      },
    };
    return overriding(writer, overrides);
  };
  return {
    id: engine.id,
    capabilities: engine.capabilities,
    openWriter(store, host, limits) {
      fresh = true;
      return wrap(engine.openWriter(store, host, limits));
    },
    openReaders: (store, host, limits) => engine.openReaders(store, host, limits),
  };
}

function crash(): SqlError {
  return new SqlError('crash', 1, 'SQLITE_ERROR', 'the test says so');
}

function limit(): SqlError {
  return new SqlError('steps', 9, 'SQLITE_INTERRUPT', 'the test says so');
}

/** An engine whose first writer has a small cache. Later ones may run canonically, where all caches are equal. */
function smallCache(engine: Engine): Engine {
  const small = (limits: EngineLimits): EngineLimits => ({ ...limits, cachePages: 16 });
  let first = true;
  return {
    id: engine.id,
    capabilities: engine.capabilities,
    openWriter(store, host, limits) {
      if (!first) return engine.openWriter(store, host, limits);
      first = false;
      const writer = engine.openWriter(store, host, small(limits));
      return overriding(writer, { setLimits: (changed) => writer.setLimits(small(changed)) });
    },
    openReaders: (store, host, limits) => engine.openReaders(store, host, limits),
  };
}

function overriding(writer: Writer, overrides: Partial<Writer>): Writer {
  return new Proxy(writer, {
    get(target, name) {
      const own = overrides[name as keyof Writer];
      if (own !== undefined) return own;
      const value = Reflect.get(target, name);
      return typeof value === 'function' ? value.bind(target) : value;
    },
  });
}

/** See the file's comment. */
export class Trio {
  /** Makers, since what an engine does depends on when it is opened. */
  readonly #engines: readonly (() => Engine)[];
  readonly #machines: StateMachine[];
  readonly #log: Entry[] = [];
  readonly #kept = new MemoryCheckpoint();
  #keptAt = 0;
  #wall = TEST_WALL;

  constructor(seed: number = 1, trouble: Trouble = { crashes: 7, softLimits: 9 }) {
    const engine = engineUnderTest();
    const troubled = troubledEngine(engine, seededChooser(seed), trouble);
    this.#engines = [() => engine, () => smallCache(engine), () => troubled];
    this.#machines = this.#engines.map((make) => open(make(), null));
  }

  get live(): StateMachine {
    return this.#machines[0]!;
  }

  get troubled(): StateMachine {
    return this.#machines[2]!;
  }

  /** Applies operations as one entry on all three; returns the outcomes after comparing everything. */
  apply(...commands: readonly (TestCommand | Operation)[]): CommandOutcome[] {
    return this.applyAt(1, commands);
  }

  /** The same, `elapsedMs` of replicated time after the entry before. */
  applyAt(elapsedMs: number, commands: readonly (TestCommand | Operation)[]): CommandOutcome[] {
    const index = this.#log.length + 1;
    this.#wall += 1000;
    const stamp = { index, wall: this.#wall, elapsed: this.live.elapsed + elapsedMs };
    const entry = entryOf(stamp, commands);
    this.#log.push(entry);
    this.#read(this.#machines[2]!);
    const outcomes = this.#machines.map((machine) => applyEntry(machine, entry));
    this.compare();
    const shown = outcomes.map((list) => list.map((outcome) => encodeOutcome(outcome).join()));
    expect(shown[1]).toEqual(shown[0]);
    expect(shown[2]).toEqual(shown[0]);
    this.#disturb(index);
    return outcomes[0]!;
  }

  /** Throws unless the three databases are equal. */
  compare(): void {
    const hashes = this.#machines.map((machine) => machine.databaseHash());
    const counts = this.#machines.map((machine) => machine.openExport());
    for (const one of counts) one.close();
    expect(hashes.slice(1), `hashes after ${this.live.applied.index}`).toEqual([
      hashes[0],
      hashes[0],
    ]);
  }

  /** All of the state in one list of lines, from each replica: pages by hash, sections by content. */
  dumps(): string[][] {
    return this.#machines.map((machine) => {
      const checkpoint = new MemoryCheckpoint().add(machine.cut(0, EMPTY_MEMBERSHIP));
      return [machine.databaseHash(), ...checkpoint.dump()];
    });
  }

  #disturb(index: number): void {
    if (index % 3 === 0) {
      const checkpoint = new MemoryCheckpoint().add(this.#machines[1]!.cut(0, EMPTY_MEMBERSHIP));
      this.#replace(1, checkpoint.content());
      this.compare();
    }
    if (index % 4 === 0) {
      this.#kept.add(this.#machines[2]!.cut(this.#keptAt, EMPTY_MEMBERSHIP));
      this.#machines[2]!.checkpointed(index);
      this.#keptAt = index;
    }
    if (index % 5 === 0 && this.#keptAt > 0) {
      this.#replace(2, this.#kept.content());
      for (const entry of this.#log.slice(this.#keptAt)) applyEntry(this.#machines[2]!, entry);
      this.compare();
    }
  }

  #replace(which: number, checkpoint: CheckpointContent): void {
    this.#machines[which]!.close();
    this.#machines[which] = open(this.#engines[which]!(), checkpoint);
  }

  #read(machine: StateMachine): void {
    const request = { deadlineMs: Infinity, maxRows: Infinity, maxBytes: Infinity };
    machine.readNow({ ...request, sql: 'SELECT count(*), max(sql) FROM sqlite_schema' });
  }

  close(): void {
    for (const machine of this.#machines) machine.close();
  }
}

function open(engine: Engine, checkpoint: CheckpointContent | null): StateMachine {
  return openStateMachine({
    engine,
    checkpoint,
    maxPageBytes: 1024 * 1024 * 1024,
    readHost: { wallMs: () => TEST_WALL, random: (out) => out.fill(7), monotonicMs: () => 0 },
  });
}
