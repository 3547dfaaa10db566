/**
 * The way of writes through a node: gathered into batches and proposed while this node leads, forwarded while another
 * one does, kept while nobody does. Every command carries a session and a sequence, so whatever is in doubt after a
 * change of leaders is sent again, and takes effect once (rules C1 to C3).
 */
import type { NodeLimits } from '../config/limits.ts';
import type { Raft } from '../raft/contract.ts';
import { ByteWriter } from '../wire/bytes.ts';
import { BatchBuilder, type CommandHeader, decodeCommand } from '../wire/command.ts';
import { ENTRY_SLOW, EntryKind, type LogIndex, type ReplicaId, type Term } from '../wire/entry.ts';
import { QuorliteError } from '../wire/error.ts';
import { operationIsSlow, writeOperation } from '../wire/operation.ts';
import type { CommandOutcome } from '../wire/result.ts';
import type { WriteRequest } from './contract.ts';
import { NO_SESSION } from './no-session.ts';
import { commandBytes, PendingList, type PendingWrite } from './pending-write.ts';
import type { Stamper } from './stamps.ts';

/** Entries in flight beyond which arriving writes gather in the next batch: what makes group commit. */
const MAX_BATCHES_IN_FLIGHT = 4;
/** Commands in one frame to the leader. */
const MAX_FORWARDED = 512;

interface Batch {
  readonly builder: BatchBuilder;
  readonly writes: PendingWrite[];
  slow: boolean;
  /** Nothing may join it: it holds a command that wants an entry of its own. */
  sealed: boolean;
}

/** What proposals need of the node around them. */
export interface ProposalsHost {
  readonly limits: NodeLimits;
  now(): number;
  /** Fills an entry's seed. */
  seed(): Uint8Array;
  /** Wakes the loop. */
  wake(): void;
  /** Whether a command must have an entry to itself. */
  needsOwnEntry(body: Uint8Array): boolean;
  validate(body: Uint8Array): void;
  maxEntryBytes(): number;
  /** Sends commands to the leader; false when there is no connection. */
  forward(leader: ReplicaId, writes: readonly { id: number; command: Uint8Array }[]): boolean;
  /** Calls back when `index` is applied here. */
  whenApplied(index: LogIndex, run: () => void): void;
}

/** All writes of a node that are not answered yet. */
export class Proposals {
  readonly #host: ProposalsHost;
  /** Not proposed yet, in order; only the last one is open. */
  #batches: Batch[] = [];
  /** Proposed by this node, by index. */
  readonly #inFlight = new Map<LogIndex, { term: Term; writes: PendingWrite[] }>();
  /** Waiting for a leader, or to be sent again. */
  #unsent: PendingWrite[] = [];
  readonly #forwarded = new Map<number, PendingWrite>();
  #nextForward = 1;
  /** All that are not answered; `#own` those of the node's session, in the order of their sequence. */
  readonly #waiting = new PendingList();
  #leading = false;
  #stamper: Stamper | null = null;
  #lastBatchBytes = 4096;
  /** Why nothing is accepted any more, or null. */
  #closed: QuorliteError | null = null;

  constructor(host: ProposalsHost) {
    this.#host = host;
  }

  /** Writes accepted and not yet answered. */
  get pending(): number {
    return this.#waiting.length;
  }

  /** Whether something waits to be proposed or forwarded. */
  get hasWork(): boolean {
    return this.#batches.length > 0 || this.#unsent.length > 0;
  }

  /** Takes a write in; `header` names its session. Throws `OVERLOADED`, `BAD_REQUEST` and the like: nothing was taken then. */
  submit(
    request: WriteRequest,
    header: CommandHeader,
    own: boolean,
    done: (outcome: CommandOutcome) => void,
  ): PendingWrite {
    this.#admit();
    const batch = this.#openBatch();
    const { builder } = batch;
    builder.begin(header.session, header.sequence, header.acknowledged, header.key);
    const bodyAt = builder.writer.length;
    try {
      const encoded = typeof request.operation === 'function';
      if (encoded) request.operation(builder.writer);
      else builder.writer.raw(request.operation);
      const body = builder.writer.bytes.subarray(bodyAt, builder.writer.length);
      // What was encoded here is well-formed; bytes from elsewhere may not be, and their sender should hear of it at once.
      if (!encoded) this.#host.validate(body);
      if (body.length + 1024 > this.#host.maxEntryBytes()) throw tooLarge(body.length);
      return this.#enter(batch, body, own, header.sequence, request.timeoutMs, done);
    } catch (error) {
      builder.cancel();
      if (batch.writes.length === 0) this.#batches.pop();
      throw error;
    }
  }

  #admit(): void {
    if (this.#closed) throw this.#closed;
    if (this.#waiting.length >= this.#host.limits.maxPendingWrites) {
      throw new QuorliteError(
        'OVERLOADED',
        `${this.#waiting.length} writes are waiting on this node (limit maxPendingWrites)`,
      );
    }
  }

  #enter(
    batch: Batch,
    body: Uint8Array,
    own: boolean,
    sequence: number,
    timeoutMs: number,
    done: (outcome: CommandOutcome) => void,
  ): PendingWrite {
    const alone = this.#host.needsOwnEntry(body);
    const slow = operationIsSlow(body);
    const { start, end } = batch.builder.end();
    const write: PendingWrite = {
      done,
      deadline: this.#host.now() + timeoutMs,
      own,
      sequence,
      attempts: 0,
      builder: batch.builder,
      start,
      end,
      command: null,
      forwardedAs: 0,
      previous: null,
      next: null,
    };
    this.#waiting.push(write);
    if (alone && batch.writes.length > 0) this.#moveToOwnBatch(batch, write, slow);
    else {
      batch.writes.push(write);
      batch.slow ||= slow;
      batch.sealed ||= alone;
    }
    this.#host.wake();
    return write;
  }

  /** Takes the newest command out of a batch that others share. */
  #moveToOwnBatch(batch: Batch, write: PendingWrite, slow: boolean): void {
    write.command = batch.builder.slice(write);
    batch.builder.cancelLast(write.start);
    batch.sealed = true;
    this.#push({ write, slow, alone: true });
  }

  #push(item: { write: PendingWrite; slow: boolean; alone: boolean }): void {
    const batch = this.#openBatch(commandBytes(item.write).length);
    const target = item.alone && batch.writes.length > 0 ? this.#newBatch() : batch;
    target.builder.append(commandBytes(item.write));
    target.writes.push(item.write);
    target.slow ||= item.slow;
    target.sealed ||= item.alone;
  }

  #openBatch(extra = 0): Batch {
    const last = this.#batches[this.#batches.length - 1];
    const { maxBatchBytes, maxBatchCommands } = this.#host.limits;
    if (
      last &&
      !last.sealed &&
      last.builder.bytes + extra < maxBatchBytes &&
      last.writes.length < maxBatchCommands
    ) {
      return last;
    }
    return this.#newBatch();
  }

  #newBatch(): Batch {
    const builder = new BatchBuilder(this.#lastBatchBytes);
    const batch: Batch = { builder, writes: [], slow: false, sealed: false };
    this.#batches.push(batch);
    return batch;
  }

  /** Commands that another node forwarded; answers go through `done` without a deadline of their own. */
  submitForwarded(command: Uint8Array, done: (outcome: CommandOutcome) => void): void {
    if (!this.#leading) {
      done(failure('NOT_LEADER', 'this node does not lead (any more)'));
      return;
    }
    try {
      this.#admit();
      const { body, sequence } = decodeCommand(command);
      this.#host.validate(body);
      const write = standalone(command, sequence, false, Number.POSITIVE_INFINITY, done);
      this.#waiting.push(write);
      this.#push({ write, slow: operationIsSlow(body), alone: this.#host.needsOwnEntry(body) });
      this.#host.wake();
    } catch (error) {
      done({ ok: false, index: 0, error: error as QuorliteError });
    }
  }

  /** Replicated milliseconds as of now, by the leader's clock; −1 on others. */
  elapsed(): number {
    return this.#stamper?.elapsed() ?? -1;
  }

  /** Proposes a tick, so that what is due expires though no write comes. Nobody waits for it. */
  tick(): void {
    if (!this.#leading || this.#closed) return;
    const command = encodeCommand(
      NO_SESSION,
      operationBytes((out) => writeOperation(out, { op: 'tick' })),
    );
    const write = standalone(command, 0, false, Number.POSITIVE_INFINITY, () => {});
    this.#waiting.push(write);
    this.#push({ write, slow: false, alone: false });
    this.#host.wake();
  }

  /** This node leads from now on and stamps entries with `stamper`. */
  lead(stamper: Stamper): void {
    this.#leading = true;
    this.#stamper = stamper;
    this.#resendForwarded();
  }

  /** Leader or term changed, or the connection to the leader was lost: whatever is in doubt will be sent again. */
  leaderChanged(): void {
    const wasLeading = this.#leading;
    this.#leading = false;
    this.#stamper = null;
    if (wasLeading) this.#takeBack();
    this.#resendForwarded();
    if (this.#unsent.length > 0) this.#host.wake();
  }

  #takeBack(): void {
    for (const { writes } of this.#inFlight.values()) {
      for (const write of writes) this.#returnOrKeep(write, true);
    }
    for (const { writes } of this.#batches) {
      for (const write of writes) this.#returnOrKeep(write, false);
    }
    this.#batches = [];
  }

  /** Own writes wait for the next leader; the ones of other nodes go back to them. */
  #returnOrKeep(write: PendingWrite, inDoubt: boolean): void {
    if (!write.done) return;
    if (write.deadline !== Number.POSITIVE_INFINITY) {
      this.#unsent.push(write);
    } else {
      const outcome = inDoubt ? 'unknown' : 'not-applied';
      this.#answer(write, failure('LEADER_CHANGED', 'the leader changed', outcome));
    }
  }

  #resendForwarded(): void {
    for (const write of this.#forwarded.values()) {
      write.forwardedAs = 0;
      if (write.done) this.#unsent.push(write);
    }
    this.#forwarded.clear();
  }

  /** Proposes or forwards what waits. Called once per turn of the loop. */
  flush(raft: Raft): void {
    if (this.#leading) this.#proposeAll(raft);
    else this.#forwardAll(raft.leader);
  }

  #proposeAll(raft: Raft): void {
    if (this.#unsent.length > 0) this.#rebatch();
    while (this.#batches.length > 0 && this.#inFlight.size < MAX_BATCHES_IN_FLIGHT) {
      const batch = this.#batches[0]!;
      if (!this.#propose(raft, batch)) return;
      this.#batches.shift();
    }
  }

  #rebatch(): void {
    for (const write of this.#unsent) {
      if (!write.done) continue;
      const { body } = decodeCommand(commandBytes(write));
      this.#push({
        write,
        slow: operationIsSlow(body),
        alone: this.#host.needsOwnEntry(body),
      });
    }
    this.#unsent = [];
  }

  #propose(raft: Raft, batch: Batch): boolean {
    const { wall, elapsed } = this.#stamper!.next();
    const record = batch.builder.finish(wall, elapsed, this.#host.seed());
    const flags = batch.slow ? ENTRY_SLOW : 0;
    const entry = raft.propose(record, EntryKind.commands, flags);
    if (typeof entry === 'string') return false;
    this.#lastBatchBytes = record.length + (record.length >> 2);
    for (const write of batch.writes) write.attempts++;
    this.#inFlight.set(entry.index, { term: entry.term, writes: batch.writes });
    return true;
  }

  #forwardAll(leader: ReplicaId): void {
    for (const batch of this.#batches) {
      for (const write of batch.writes) if (write.done) this.#unsent.push(write);
    }
    this.#batches = [];
    if (leader === 0) return;
    while (this.#unsent.length > 0) {
      const writes = this.#unsent.splice(0, MAX_FORWARDED).filter((write) => write.done);
      if (!this.#forward(leader, writes)) {
        this.#unsent.unshift(...writes);
        return;
      }
    }
  }

  #forward(leader: ReplicaId, writes: readonly PendingWrite[]): boolean {
    const items = writes.map((write) => ({
      id: this.#nextForward++,
      command: commandBytes(write),
    }));
    if (!this.#host.forward(leader, items)) return false;
    writes.forEach((write, i) => {
      write.attempts++;
      write.forwardedAs = items[i]!.id;
      this.#forwarded.set(write.forwardedAs, write);
    });
    return true;
  }

  /** The leader's answer to a forwarded write. Answered here once its entry is applied here too. */
  forwardedOutcome(id: number, outcome: CommandOutcome): void {
    const write = this.#forwarded.get(id);
    if (!write) return;
    this.#forwarded.delete(id);
    write.forwardedAs = 0;
    if (!write.done) return;
    if (
      !outcome.ok &&
      (outcome.error.code === 'NOT_LEADER' || outcome.error.code === 'LEADER_CHANGED')
    ) {
      if (outcome.error.outcome === 'not-applied') write.attempts--;
      this.#unsent.push(write);
      return;
    }
    this.#host.whenApplied(outcome.index, () => this.#answer(write, outcome));
  }

  /** Who waits for the entry at `index`: null when nobody does. Called just before it is applied. */
  takeWaiters(index: LogIndex, term: Term): readonly PendingWrite[] | null {
    const waiting = this.#inFlight.get(index);
    if (!waiting) return null;
    this.#inFlight.delete(index);
    if (waiting.term === term) return waiting.writes;
    // Another leader's entry stands here: ours was truncated and is already queued to be sent again.
    for (const write of waiting.writes) if (write.done && this.#leading) this.#unsent.push(write);
    return null;
  }

  /** A snapshot took the place of the log up to `index`: what waited there is sent again (rule S9). */
  skipped(index: LogIndex): void {
    for (const [at, { writes }] of this.#inFlight) {
      if (at > index) continue;
      this.#inFlight.delete(at);
      for (const write of writes) if (write.done) this.#unsent.push(write);
    }
  }

  answer(write: PendingWrite, outcome: CommandOutcome): void {
    this.#answer(write, outcome);
  }

  #answer(write: PendingWrite, outcome: CommandOutcome): void {
    const { done } = write;
    if (!done) return;
    write.done = null;
    this.#waiting.remove(write);
    if (write.forwardedAs !== 0) this.#forwarded.delete(write.forwardedAs);
    done(outcome);
  }

  /** Gives up waiting (abort); the write may still happen. */
  abandon(write: PendingWrite, error: (outcome: 'unknown' | 'not-applied') => QuorliteError): void {
    if (!write.done) return;
    const queued = write.attempts === 0 && this.#withdraw(write);
    const outcome = queued ? 'not-applied' : 'unknown';
    this.#answer(write, { ok: false, index: 0, error: error(outcome) });
  }

  /** Takes a write that never left out of the queues; false when its bytes stand in a batch that will be proposed. */
  #withdraw(write: PendingWrite): boolean {
    const at = this.#unsent.indexOf(write);
    if (at < 0) return false;
    this.#unsent.splice(at, 1);
    return true;
  }

  /** Answers what waited too long. `leader` tells whether one is known. */
  expire(leaderKnown: boolean): void {
    const now = this.#host.now();
    for (let write = this.#waiting.head; write; ) {
      const { next } = write;
      if (write.deadline <= now) {
        this.abandon(write, (outcome) =>
          leaderKnown
            ? new QuorliteError('TIMEOUT', 'the write was not answered in time', { outcome })
            : new QuorliteError(
                'NO_QUORUM',
                'no leader is known: a majority of nodes is not reachable',
                {
                  outcome,
                },
              ),
        );
      }
      write = next;
    }
  }

  /** Accepts nothing more; `error` answers new writes, and those that wait when `now` is true. */
  close(error: QuorliteError, now: boolean): void {
    this.#closed = error;
    if (!now) return;
    for (let write = this.#waiting.head; write; ) {
      const { next } = write;
      const outcome = write.attempts === 0 ? 'not-applied' : 'unknown';
      const failed = new QuorliteError(error.code, error.message, { outcome });
      this.#answer(write, { ok: false, index: 0, error: failed });
      write = next;
    }
  }
}

/** A pending write whose bytes stand alone. */
function standalone(
  command: Uint8Array,
  sequence: number,
  own: boolean,
  deadline: number,
  done: (outcome: CommandOutcome) => void,
): PendingWrite {
  return {
    done,
    deadline,
    own,
    sequence,
    attempts: 0,
    builder: null,
    start: 0,
    end: 0,
    command,
    forwardedAs: 0,
    previous: null,
    next: null,
  };
}

function failure(
  code: 'NOT_LEADER' | 'LEADER_CHANGED',
  message: string,
  outcome: 'not-applied' | 'unknown' = 'not-applied',
): CommandOutcome {
  return { ok: false, index: 0, error: new QuorliteError(code, message, { outcome }) };
}

function tooLarge(bytes: number): QuorliteError {
  return new QuorliteError(
    'ENTRY_TOO_LARGE',
    `the operation has ${bytes} bytes, more than one log entry may hold (cluster setting entryBytes); split it`,
  );
}

/** Encodes one command that stands alone. */
export function encodeCommand(header: CommandHeader, body: Uint8Array): Uint8Array {
  const builder = new BatchBuilder(body.length + 512);
  builder.begin(header.session, header.sequence, header.acknowledged, header.key);
  builder.writer.raw(body);
  return builder.slice(builder.end());
}

/** Bytes of an operation, encoded now. */
export function operationBytes(operation: WriteRequest['operation']): Uint8Array {
  if (typeof operation !== 'function') return operation;
  const out = new ByteWriter();
  operation(out);
  return out.take();
}
