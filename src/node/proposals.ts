/**
 * The way of writes through a node: gathered into batches and proposed while this node leads, forwarded while another
 * one does, kept while nobody does. Every command carries a session and a sequence, so whatever is in doubt after a
 * change of leaders is sent again, and takes effect once (rules C1 to C3).
 */
import type { NodeLimits } from '../config/limits.ts';
import type { Raft } from '../raft/contract.ts';
import { type CommandHeader, decodeCommand } from '../wire/command.ts';
import { ENTRY_SLOW, EntryKind, type LogIndex, type ReplicaId, type Term } from '../wire/entry.ts';
import { asQuorliteError, QuorliteError } from '../wire/error.ts';
import { operationIsSlow, writeOperation } from '../wire/operation.ts';
import type { CommandOutcome } from '../wire/result.ts';
import { type Batch, Batches, type Manner } from './batches.ts';
import type { WriteRequest } from './contract.ts';
import { encodeCommand, operationBytes } from './encode-command.ts';
import { Forwarding, type ForwardingHost } from './forwarding.ts';
import { InFlight } from './in-flight.ts';
import { NO_SESSION } from './no-session.ts';
import { commandBytes, PendingList, type PendingWrite, pendingWrite } from './pending-write.ts';
import type { Stamper } from './stamps.ts';
import { isPassing, noAnswer, notDone, refusedInDoubt, tooLarge } from './write-errors.ts';

/** Entries in flight beyond which arriving writes gather in the next batch: what makes group commit. */
const MAX_BATCHES_IN_FLIGHT = 4;
/** How nearly every command is proposed. */
const PLAIN: Manner = { slow: false, alone: false };

/** What proposals need of the node around them. */
export interface ProposalsHost extends ForwardingHost {
  readonly limits: NodeLimits;
  /** Fills an entry's seed. */
  seed(): Uint8Array;
  /** Wakes the loop. */
  wake(): void;
  /** Whether a command must have an entry to itself. */
  needsOwnEntry(bytes: Uint8Array, start: number, end: number): boolean;
  validate(body: Uint8Array): void;
  maxEntryBytes(): number;
  /** Calls back when `index` is applied here. */
  whenApplied(index: LogIndex, run: () => void): void;
}

/** All writes of a node that are not answered yet. */
export class Proposals {
  readonly #host: ProposalsHost;
  /** Encoded and not proposed yet. */
  readonly #batches: Batches;
  readonly #inFlight = new InFlight();
  /** Waiting for a leader, or to be sent again. */
  #unsent: PendingWrite[] = [];
  /** Some write was given up that may still stand in `#unsent`. */
  #abandoned = false;
  readonly #forwarding: Forwarding;
  /** All that are not answered, in the order they came. */
  readonly #waiting = new PendingList();
  #leading = false;
  /** The core refused a batch: it is tried again in the next turn, whatever brings it. */
  #held = false;
  #stamper: Stamper | null = null;
  /** Why nothing is accepted any more, or null. */
  #closed: QuorliteError | null = null;

  constructor(host: ProposalsHost) {
    this.#host = host;
    this.#batches = new Batches(host.limits);
    this.#forwarding = new Forwarding(host);
  }

  /** Writes accepted and not yet answered. */
  get pending(): number {
    return this.#waiting.length;
  }

  /** Whether a turn of the loop could propose something that the last one had no room for. */
  get canPropose(): boolean {
    return this.#leading && !this.#held && this.#batches.length > 0 && this.#hasRoom;
  }

  get #hasRoom(): boolean {
    return this.#inFlight.current < MAX_BATCHES_IN_FLIGHT;
  }

  /** Takes a write in; `header` names its session. Throws `OVERLOADED`, `BAD_REQUEST` and the like: nothing was taken then. */
  submit(
    request: WriteRequest,
    header: CommandHeader,
    own: boolean,
    done: (outcome: CommandOutcome) => void,
  ): PendingWrite {
    this.#admit();
    const batch = this.#batches.open();
    const { builder } = batch;
    builder.begin(header.session, header.sequence, header.acknowledged, header.key);
    const bodyAt = builder.writer.length;
    try {
      const encodedHere = typeof request.operation === 'function';
      if (encodedHere) request.operation(builder.writer);
      else builder.writer.raw(request.operation);
      // Bytes from elsewhere may be malformed, and their sender should hear of it at once. Looking at what was just encoded
      // here would cost a third of a write.
      if (!encodedHere) this.#host.validate(request.operation as Uint8Array);
      const bytes = builder.writer.length - bodyAt + builder.textBytes;
      if (bytes + 1024 > this.#host.maxEntryBytes()) throw tooLarge(bytes);
      return this.#enter(batch, bodyAt, own, header.sequence, request.timeoutMs, done);
    } catch (error) {
      builder.cancel();
      this.#batches.refused(batch);
      throw error;
    }
  }

  #admit(): void {
    if (this.#closed) throw this.#closed;
    const { maxPendingWrites, maxPendingBytes } = this.#host.limits;
    const { length, bytes } = this.#waiting;
    if (length >= maxPendingWrites) {
      throw overloaded(`${length} writes are waiting on this node (limit maxPendingWrites)`);
    }
    if (bytes >= maxPendingBytes) {
      throw overloaded(`writes of ${bytes} bytes are waiting on this node (limit maxPendingBytes)`);
    }
  }

  #enter(
    batch: Batch,
    bodyAt: number,
    own: boolean,
    sequence: number,
    timeoutMs: number,
    done: (outcome: CommandOutcome) => void,
  ): PendingWrite {
    const { builder } = batch;
    const manner = this.#manner(builder.writer.bytes, bodyAt, builder.writer.length);
    const write = pendingWrite(done, this.#host.now() + timeoutMs, own, sequence);
    write.builder = builder;
    write.start = builder.end();
    write.end = builder.bytes;
    write.textAt = builder.textAt;
    this.#waiting.push(write);
    this.#batches.enter(batch, write, manner);
    this.#host.wake();
    return write;
  }

  #manner(bytes: Uint8Array, start: number, end: number): Manner {
    const slow = operationIsSlow(bytes, start);
    const alone = this.#host.needsOwnEntry(bytes, start, end);
    return slow || alone ? { slow, alone } : PLAIN;
  }

  /** Commands that another node forwarded; answers go through `done` without a deadline of their own. */
  submitForwarded(command: Uint8Array, done: (outcome: CommandOutcome) => void): void {
    if (!this.#leading) {
      done(notDone('NOT_LEADER', 'this node does not lead (any more)', 'not-applied'));
      return;
    }
    try {
      this.#admit();
      const { body, sequence } = decodeCommand(command);
      this.#host.validate(body);
      this.#take(command, sequence, this.#manner(body, 0, body.length), done);
    } catch (error) {
      done({ ok: false, index: 0, error: asQuorliteError(error, 'not-applied') });
    }
  }

  #take(
    command: Uint8Array,
    sequence: number,
    manner: Manner,
    done: (outcome: CommandOutcome) => void,
  ): void {
    const write = pendingWrite(done, Number.POSITIVE_INFINITY, false, sequence);
    write.command = command;
    this.#waiting.push(write);
    this.#batches.push(write, manner);
    this.#host.wake();
  }

  /** Replicated milliseconds as of now, by the leader's clock; −1 on others. */
  elapsed(): number {
    return this.#stamper?.elapsed() ?? -1;
  }

  /** Proposes a tick, so that what is due expires though no write comes. Nobody waits for it. */
  tick(): void {
    if (!this.#leading || this.#closed) return;
    const operation = operationBytes((out) => writeOperation(out, { op: 'tick' }));
    this.#take(encodeCommand(NO_SESSION, operation), 0, PLAIN, () => {});
  }

  /** This node leads from now on and stamps entries with `stamper`. */
  lead(stamper: Stamper): void {
    this.#leading = true;
    this.#stamper = stamper;
    this.#unsent.push(...this.#forwarding.drain());
  }

  /** Leader or term changed, or the connection to the leader was lost: whatever is in doubt will be sent again. */
  leaderChanged(): void {
    const wasLeading = this.#leading;
    this.#leading = false;
    this.#stamper = null;
    if (wasLeading) {
      for (const write of this.#inFlight.leadershipEnded()) this.#returnOrKeep(write);
      for (const write of this.#batches.drain()) this.#returnOrKeep(write);
    }
    this.#unsent.push(...this.#forwarding.drain());
    if (this.#unsent.length > 0) this.#host.wake();
  }

  /** Own writes wait for the next leader; the ones of other nodes go back to them. */
  #returnOrKeep(write: PendingWrite): void {
    if (!write.done) return;
    if (write.deadline !== Number.POSITIVE_INFINITY) this.#unsent.push(write);
    else {
      const outcome = write.attempts > 0 ? 'unknown' : 'not-applied';
      this.#answer(write, notDone('LEADER_CHANGED', 'the leader changed', outcome));
    }
  }

  /** Proposes or forwards what waits. Called once per turn of the loop. */
  flush(raft: Raft): void {
    if (this.#leading) this.#proposeAll(raft);
    else this.#forwardAll(raft.leader);
  }

  #proposeAll(raft: Raft): void {
    this.#held = false;
    if (this.#unsent.length > 0) this.#rebatch();
    while (this.#hasRoom) {
      const batch = this.#batches.next();
      if (!batch) return;
      if (!this.#propose(raft, batch)) {
        this.#held = true;
        return;
      }
    }
  }

  #rebatch(): void {
    for (const write of this.#takeUnsent()) {
      const { body } = decodeCommand(commandBytes(write));
      this.#batches.push(write, this.#manner(body, 0, body.length));
    }
  }

  #takeUnsent(): PendingWrite[] {
    const writes = this.#unsent.filter(({ done }) => done !== null);
    this.#unsent = [];
    return writes;
  }

  #propose(raft: Raft, batch: Batch): boolean {
    const { wall, elapsed } = this.#stamper!.next();
    const record = batch.builder.finish(wall, elapsed, this.#host.seed());
    const flags = batch.slow ? ENTRY_SLOW : 0;
    const entry = raft.propose(record, EntryKind.commands, flags);
    if (typeof entry === 'string') return false;
    this.#batches.proposed(record.length);
    for (const write of batch.writes) write.attempts++;
    this.#inFlight.add(entry.index, entry.term, batch.writes);
    return true;
  }

  #forwardAll(leader: ReplicaId): void {
    if (this.#batches.length > 0) this.#unsent.push(...this.#batches.drain());
    if (leader === 0 || this.#unsent.length === 0) return;
    this.#unsent = this.#forwarding.send(leader, this.#takeUnsent());
  }

  /** The leader's answer to a forwarded write. Answered here once its entry is applied here too. */
  forwardedOutcome(id: number, outcome: CommandOutcome): void {
    const write = this.#forwarding.answered(id);
    if (!write) return;
    if (outcome.ok || outcome.index > 0) {
      this.#host.whenApplied(outcome.index, () => this.#answer(write, outcome));
      return;
    }
    // Nothing came of this attempt; what an earlier one did is another matter.
    const { error } = outcome;
    if (error.outcome === 'not-applied') write.attempts--;
    if (isPassing(error)) this.#unsent.push(write);
    else this.#answer(write, write.attempts > 0 ? refusedInDoubt(error) : outcome);
  }

  /** Who waits for the entry at `index`: null when nobody does. Called just before it is applied. */
  takeWaiters(index: LogIndex, term: Term): readonly PendingWrite[] | null {
    return this.#inFlight.take(index, term);
  }

  /** A snapshot took the place of the log up to `index`: what waited there is sent again (rule S9). */
  skipped(index: LogIndex): void {
    this.#unsent.push(...this.#inFlight.skipped(index));
  }

  answer(write: PendingWrite, outcome: CommandOutcome): void {
    this.#answer(write, outcome);
  }

  #answer(write: PendingWrite, outcome: CommandOutcome): void {
    const { done } = write;
    if (!done) return;
    write.done = null;
    this.#waiting.remove(write);
    if (write.forwardedAs !== 0) this.#forwarding.forget(write);
    done(outcome);
  }

  /** Gives up waiting (abort). What was not proposed or forwarded yet will not be; anything else may still happen. */
  abandon(write: PendingWrite, error: (outcome: 'unknown' | 'not-applied') => QuorliteError): void {
    if (!write.done) return;
    this.#abandoned = true;
    if (write.attempts === 0) this.#batches.withdrawn();
    const outcome = write.attempts === 0 ? 'not-applied' : 'unknown';
    this.#answer(write, { ok: false, index: 0, error: error(outcome) });
  }

  /** Answers what waited too long, and sends again what may be lost. `leaderKnown` tells whether one is known. */
  expire(leaderKnown: boolean): void {
    const now = this.#host.now();
    for (let write = this.#waiting.head; write; ) {
      const { next } = write;
      if (write.deadline <= now) {
        this.abandon(write, (outcome) => noAnswer(leaderKnown, outcome));
      }
      write = next;
    }
    if (this.#abandoned) this.#unsent = this.#takeUnsent();
    this.#abandoned = false;
    this.#unsent.push(...this.#forwarding.overdue());
  }

  /** Accepts nothing more, and answers everything that waits with `error`. */
  close(error: QuorliteError): void {
    this.#closed = error;
    this.answerAll(error);
  }

  /** Answers everything that waits with `error`. */
  answerAll(error: QuorliteError): void {
    this.#batches.withdrawn();
    this.#abandoned = true;
    for (let write = this.#waiting.head; write; write = this.#waiting.head) {
      const outcome = write.attempts === 0 ? 'not-applied' : 'unknown';
      this.#answer(write, notDone(error.code, error.message, outcome));
    }
  }
}

function overloaded(message: string): QuorliteError {
  return new QuorliteError('OVERLOADED', message);
}
