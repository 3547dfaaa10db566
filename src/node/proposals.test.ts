/** Outcomes of writes, step by step: what is definite, what is in doubt, and what is never sent. */
import { describe, expect, test } from 'vitest';
import { DEFAULT_LIMITS } from '../config/limits.ts';
import type { Clock } from '../platform/contract.ts';
import type { Raft } from '../raft/contract.ts';
import { ByteReader } from '../wire/bytes.ts';
import { readBatchHeader, readCommand } from '../wire/command.ts';
import { type EntryKind, entryPayload, stampEntry } from '../wire/entry.ts';
import { QuorliteError } from '../wire/error.ts';
import { writeOperation } from '../wire/operation.ts';
import type { CommandOutcome } from '../wire/result.ts';
import type { PendingWrite } from './pending-write.ts';
import { Proposals } from './proposals.ts';
import { Stamper } from './stamps.ts';

const LEADER = 7;

/** Proposals in a node whose log and leader are played by the test. */
class Stage {
  now = 0;
  leader = 0;
  /** Why the core refuses, or '' when it takes entries. */
  refusal: '' | 'transferring' = '';
  /** Sequences of the commands of each proposed entry. */
  readonly proposed: number[][] = [];
  readonly frames: { id: number; command: Uint8Array }[][] = [];
  readonly outcomes = new Map<number, CommandOutcome>();
  readonly proposals: Proposals;
  #sequence = 0;

  constructor(limits: Partial<typeof DEFAULT_LIMITS> = {}) {
    this.proposals = new Proposals({
      limits: { ...DEFAULT_LIMITS, ...limits },
      now: () => this.now,
      resendMs: 1000,
      seed: () => new Uint8Array(32),
      wake: () => {},
      needsOwnEntry: () => false,
      validate: () => {},
      maxEntryBytes: () => 1e6,
      forward: (_, writes) => {
        this.frames.push([...writes]);
        return true;
      },
      whenApplied: (_, run) => run(),
    });
  }

  get raft(): Raft {
    const propose = (record: Uint8Array, kind: EntryKind) => {
      if (this.refusal !== '') return this.refusal;
      const entry = stampEntry(record, 1, this.proposed.length + 1, kind, 0);
      const input = new ByteReader(entryPayload(entry));
      const { count } = readBatchHeader(input);
      this.proposed.push(Array.from({ length: count }, () => readCommand(input).sequence));
      return entry;
    };
    return { leader: this.leader, propose } as unknown as Raft;
  }

  write(timeoutMs = 10_000, bytes = 10): PendingWrite {
    const sequence = ++this.#sequence;
    const operation = { op: 'execute', sql: 'x'.repeat(bytes) } as const;
    return this.proposals.submit(
      { operation: (out) => writeOperation(out, operation), timeoutMs },
      { session: 1, sequence, acknowledged: 1 },
      false,
      (outcome) => {
        expect(this.outcomes.has(sequence), 'answered once').toBe(false);
        this.outcomes.set(sequence, outcome);
      },
    );
  }

  lead(): void {
    const clock = { monotonicMs: () => this.now, wallMs: () => this.now } as Clock;
    this.leader = 1;
    this.proposals.lead(new Stamper(clock, { wall: 0, elapsed: 0 }));
  }

  flush(): void {
    this.proposals.flush(this.raft);
  }

  follow(leader: number): void {
    this.leader = leader;
    this.proposals.leaderChanged();
    this.flush();
  }

  pass(ms: number): void {
    this.now += ms;
    this.proposals.expire(this.leader !== 0);
    this.flush();
  }

  refuse(id: number, code: 'OVERLOADED' | 'NOT_LEADER', outcome: 'not-applied' | 'unknown'): void {
    const error = new QuorliteError(code, 'refused', { outcome });
    this.proposals.forwardedOutcome(id, { ok: false, index: 0, error });
  }

  /** Code and outcome of a write's answer, null while it has none. */
  answer(sequence: number): [code: string, outcome: string] | null {
    const outcome = this.outcomes.get(sequence);
    if (!outcome) return null;
    return outcome.ok ? ['ok', 'applied'] : [outcome.error.code, outcome.error.outcome];
  }
}

describe('deadlines', () => {
  test('a write that waited in a batch is not applied, and not proposed later', () => {
    const stage = new Stage();
    stage.lead();
    stage.refusal = 'transferring';
    stage.write(100);
    stage.write(10_000);
    stage.write(100);
    stage.flush();
    stage.pass(200);
    expect(stage.answer(1)).toEqual(['TIMEOUT', 'not-applied']);
    expect(stage.answer(2)).toBeNull();
    stage.refusal = '';
    stage.flush();
    expect(stage.proposed).toEqual([[2]]);
  });

  test('a batch of which nobody waits for anything is not proposed at all', () => {
    const stage = new Stage();
    stage.lead();
    stage.refusal = 'transferring';
    stage.write(100);
    stage.flush();
    stage.pass(200);
    stage.refusal = '';
    stage.flush();
    expect(stage.proposed).toEqual([]);
  });

  test('a write that was proposed is in doubt', () => {
    const stage = new Stage();
    stage.lead();
    stage.write(100);
    stage.flush();
    stage.pass(200);
    expect(stage.answer(1)).toEqual(['TIMEOUT', 'unknown']);
  });

  test('a write that waited for a leader is not applied', () => {
    const stage = new Stage();
    stage.write(100);
    stage.flush();
    stage.pass(200);
    expect(stage.answer(1)).toEqual(['NO_QUORUM', 'not-applied']);
    stage.follow(LEADER);
    expect(stage.frames).toEqual([]);
  });

  test('writes that were given up while there is no leader are not kept', () => {
    const stage = new Stage();
    const write = stage.write();
    stage.flush();
    stage.proposals.abandon(write, (outcome) => new QuorliteError('ABORTED', '', { outcome }));
    expect(stage.answer(1)).toEqual(['ABORTED', 'not-applied']);
    stage.follow(LEADER);
    expect(stage.frames).toEqual([]);
  });
});

describe('forwarding', () => {
  test('a refusal is definite when nothing was tried before', () => {
    const stage = new Stage();
    stage.write();
    stage.follow(LEADER);
    stage.refuse(stage.frames[0]![0]!.id, 'OVERLOADED', 'not-applied');
    expect(stage.answer(1)).toEqual(['OVERLOADED', 'not-applied']);
  });

  test('a refusal says nothing about an earlier attempt', () => {
    const stage = new Stage();
    stage.write();
    stage.follow(LEADER);
    stage.follow(LEADER + 1);
    stage.refuse(stage.frames[1]![0]!.id, 'OVERLOADED', 'not-applied');
    expect(stage.answer(1)).toEqual(['OVERLOADED', 'unknown']);
  });

  test('an attempt that did not happen does not count', () => {
    const stage = new Stage();
    stage.write(5000);
    stage.follow(LEADER);
    stage.refuse(stage.frames[0]![0]!.id, 'NOT_LEADER', 'not-applied');
    stage.follow(0);
    stage.pass(6000);
    expect(stage.answer(1)).toEqual(['NO_QUORUM', 'not-applied']);
  });

  test('what is not answered for long is sent again, each time later', () => {
    const stage = new Stage();
    stage.write(100_000);
    stage.follow(LEADER);
    const sentAt: number[] = [0];
    for (let ms = 100; ms <= 8000; ms += 100) {
      const before = stage.frames.length;
      stage.pass(100);
      if (stage.frames.length > before) sentAt.push(ms);
    }
    expect(sentAt).toEqual([0, 1000, 3000, 7000]);
    const { id } = stage.frames.at(-1)![0]!;
    stage.proposals.forwardedOutcome(id, { ok: true, index: 1, result: { type: 'done' } });
    expect(stage.answer(1)).toEqual(['ok', 'applied']);
  });

  test('frames to the leader are bounded by bytes', () => {
    const stage = new Stage();
    for (let i = 0; i < 5; i++) stage.write(10_000, 600_000);
    stage.follow(LEADER);
    expect(stage.frames.map((frame) => frame.length)).toEqual([1, 1, 1, 1, 1]);
  });
});

describe('limits', () => {
  test('bytes that wait are bounded, and free again when they are answered', () => {
    const stage = new Stage({ maxPendingBytes: 1000 });
    stage.write(100, 490);
    expect(() => stage.write(100, 990)).not.toThrow();
    expect(() => stage.write()).toThrow('maxPendingBytes');
    stage.pass(200);
    expect(() => stage.write()).not.toThrow();
  });

  test('entries of an earlier leadership do not take the room of the present one', () => {
    const stage = new Stage();
    stage.lead();
    for (let i = 0; i < 4; i++) {
      stage.write();
      stage.flush();
    }
    stage.follow(0);
    stage.lead();
    stage.flush();
    expect(stage.proposed.flat().sort()).toEqual([1, 1, 2, 2, 3, 3, 4, 4]);
    expect(stage.proposals.takeWaiters(1, 1)?.map(({ sequence }) => sequence)).toEqual([1]);
  });
});
