/**
 * The way of reads through a node: a gate per consistency level, then the state machine. All linearizable reads that
 * wait at the same moment share one quorum round (rules L1 to L4, L7).
 */
import { PAGE_SIZE } from '../../wasm/page-store.ts';
import type { NodeLimits } from '../config/limits.ts';
import type { Raft, ReadGrant } from '../raft/contract.ts';
import type { ReadCursor, ReadRequest, StateMachine } from '../state-machine/contract.ts';
import type { LogIndex } from '../wire/entry.ts';
import { asQuorliteError, QuorliteError } from '../wire/error.ts';
import { type SqlValue, toSqlParams } from '../wire/value.ts';
import type { ApplyWaiters } from './apply-waiters.ts';
import type { Callback, QueryRequest, QueryResult, QueryStream } from './contract.ts';
import { FirstLooks } from './first-looks.ts';
import { type Place, ReadPlaces } from './read-places.ts';
import { ReadStreams } from './read-streams.ts';
import { Turns } from './turns.ts';

/** Longest single engine call while it runs inline, as a part of the election timeout. */
const INLINE_PART = 4;

/** What reads need of the node around them. */
export interface ReadGateHost {
  readonly limits: NodeLimits;
  readonly electionMs: number;
  readonly applyWaiters: ApplyWaiters;
  stateMachine(): StateMachine;
  now(): number;
  wake(): void;
  soon(run: () => void): void;
  /** How far behind the leader this replica may be; null when unknown. */
  lagMs(): number | null;
  /** The cluster id as clients see it. */
  history(): string;
}

interface Waiting {
  readonly deadline: number;
  /** The read must not be older than this, whatever its level. */
  readonly minIndex: LogIndex;
  /** Called when the gate opens at `index`, or with the error that closed it. Null once called. */
  pass: ((error: QuorliteError | null) => void) | null;
  /** Takes it out of those who wait for an index; null while it is not there. */
  withdraw: (() => void) | null;
}

function nothing(): void {}

/** All reads of a node that are not answered yet. */
export class ReadGate {
  readonly #host: ReadGateHost;
  /** Waiting for the next quorum round. */
  #gathering: Waiting[] = [];
  readonly #rounds = new Map<number, Waiting[]>();
  /** Everything behind a gate, for deadlines. */
  readonly #waiting = new Set<Waiting>();
  /** Reads that run in slices; each ends its own with an error. */
  readonly #slicing = new Set<(error: QuorliteError) => void>();
  #nextRound = 1;
  #closed: QuorliteError | null = null;
  readonly #turns: Turns;
  readonly #looks: FirstLooks;
  readonly places: ReadPlaces;
  readonly streams: ReadStreams;

  constructor(host: ReadGateHost) {
    this.#host = host;
    const { limits, now, soon } = host;
    this.#turns = new Turns({ now, soon, turnMs: () => this.#sliceMs() });
    this.#looks = new FirstLooks({ limits, now, soon });
    this.places = new ReadPlaces({ limits, now });
    this.streams = new ReadStreams({
      limits,
      now,
      turns: this.#turns,
      sliceMs: () => this.#sliceMs(),
      heldBytes: () => {
        const { pageBytes = 0, pages = 0 } = host.stateMachine().stats();
        return pageBytes - pages * PAGE_SIZE;
      },
    });
  }

  get pending(): number {
    return this.#waiting.size + this.#looks.waiting;
  }

  /** Runs a read to its end. Returns how to give up: before the gate, or between two slices. */
  query(request: QueryRequest, done: Callback<QueryResult>): () => void {
    let stop = nothing;
    const leave = this.#enter(request, (error) => {
      if (error) done(error, null);
      else stop = this.#run(request, done);
    });
    return () => {
      leave();
      stop();
    };
  }

  /** Opens a stream. */
  stream(request: QueryRequest, done: Callback<QueryStream>): () => void {
    return this.#enter(request, (error) => {
      if (error) done(error, null);
      else this.#open(request, done);
    });
  }

  #enter(request: QueryRequest, pass: (error: QuorliteError | null) => void): () => void {
    const problem = this.#closed ?? this.#checkHistory(request);
    if (problem) {
      pass(problem);
      return () => {};
    }
    const { consistency, minIndex = 0 } = request;
    if (consistency === 'stale') {
      pass(null);
      return () => {};
    }
    if (this.#waiting.size >= this.#host.limits.maxPendingReads) {
      pass(
        new QuorliteError('OVERLOADED', 'too many reads wait on this node (limit maxPendingReads)'),
      );
      return () => {};
    }
    const deadline = this.#host.now() + request.timeoutMs;
    const waiting: Waiting = { deadline, minIndex, pass, withdraw: null };
    this.#waiting.add(waiting);
    if (consistency === 'linearizable') this.#gather(waiting);
    else if (consistency === 'session') this.#whenApplied(waiting, minIndex);
    else this.#checkLag(waiting, consistency.maxLagMs);
    return () => this.#settle(waiting, null, true);
  }

  #checkHistory({ history }: QueryRequest): QuorliteError | null {
    if (history === undefined || history === this.#host.history()) return null;
    return new QuorliteError(
      'CLUSTER_MISMATCH',
      `minIndex belongs to the history ${history}, this cluster is ${this.#host.history()}`,
    );
  }

  #gather(waiting: Waiting): void {
    this.#gathering.push(waiting);
    this.#host.wake();
  }

  #whenApplied(waiting: Waiting, index: LogIndex): void {
    if (!waiting.pass) return;
    const least = Math.max(index, waiting.minIndex);
    waiting.withdraw = this.#host.applyWaiters.wait(least, () => this.#settle(waiting, null));
  }

  #checkLag(waiting: Waiting, maxLagMs: number): void {
    const lag = this.#host.lagMs();
    if (lag !== null && lag <= maxLagMs) {
      this.#whenApplied(waiting, waiting.minIndex);
      return;
    }
    const behind = lag === null ? 'unknown' : `up to ${Math.ceil(lag)} ms`;
    this.#settle(
      waiting,
      new QuorliteError(
        'NOT_READY',
        `this node's lag is ${behind}, more than maxLagMs ${maxLagMs}`,
      ),
    );
  }

  #settle(waiting: Waiting, error: QuorliteError | null, silently = false): void {
    const { pass } = waiting;
    if (!pass) return;
    waiting.pass = null;
    waiting.withdraw?.();
    this.#waiting.delete(waiting);
    if (!silently) pass(error);
  }

  /** Asks for one round for all that gathered. Called once per turn of the loop. */
  flush(raft: Raft): void {
    if (this.#gathering.length === 0 || (raft.leader === 0 && raft.role !== 'leader')) return;
    const round = this.#nextRound++;
    this.#rounds.set(round, this.#gathering);
    this.#gathering = [];
    raft.readIndex(round);
  }

  granted({ context, index }: ReadGrant): void {
    const round = this.#rounds.get(context);
    this.#rounds.delete(context);
    if (!round) return;
    for (const waiting of round) this.#whenApplied(waiting, index);
  }

  /** The round will never be granted: gather again for the next leader. */
  dropped(context: number): void {
    const round = this.#rounds.get(context);
    this.#rounds.delete(context);
    for (const waiting of round ?? []) if (waiting.pass) this.#gathering.push(waiting);
  }

  /** All rounds in flight go to the next leader. */
  leaderChanged(): void {
    for (const context of [...this.#rounds.keys()]) this.dropped(context);
  }

  expire(leaderKnown: boolean): void {
    this.streams.expire();
    this.places.expire();
    const now = this.#host.now();
    for (const waiting of this.#waiting) {
      if (waiting.deadline > now) continue;
      const error = leaderKnown
        ? new QuorliteError('TIMEOUT', 'the read could not be served in time')
        : new QuorliteError(
            'NO_QUORUM',
            'no leader is known: a majority of nodes is not reachable',
          );
      this.#settle(waiting, error);
    }
    this.#gathering = this.#gathering.filter((waiting) => waiting.pass !== null);
  }

  close(error: QuorliteError): void {
    this.#closed = error;
    this.answerAll(error);
    this.#looks.refuseAll(error);
    this.places.refuseAll(error);
    this.#endRunning(error);
  }

  /** Answers everything that waits behind a gate with `error`. */
  answerAll(error: QuorliteError): void {
    for (const waiting of [...this.#waiting]) this.#settle(waiting, error);
    this.#gathering = [];
    this.#rounds.clear();
  }

  /** Another state takes the place of the one that open readers see: they end before it is closed. */
  stateReplaced(): void {
    this.#endRunning(
      new QuorliteError(
        'SNAPSHOT_TOO_OLD',
        'this replica was brought up to date by a snapshot while it read: read again',
      ),
    );
  }

  #endRunning(error: QuorliteError): void {
    for (const end of [...this.#slicing]) end(error);
    this.streams.endAll(error);
  }

  /** Lag that a result of now carries: a bound, so whole milliseconds, rounded up. */
  lagNow(): number | null {
    const lag = this.#host.lagMs();
    return lag === null ? null : Math.ceil(lag);
  }

  #request(request: QueryRequest, deadlineMs: number): ReadRequest {
    const { limits } = this.#host;
    return {
      sql: request.sql,
      params: toSqlParams(request.params),
      deadlineMs,
      maxRows: request.maxRows ?? limits.maxReadRows,
      maxBytes: request.maxBytes ?? limits.maxReadBytes,
      maxStepMs: this.#host.electionMs / INLINE_PART,
    };
  }

  #run(request: QueryRequest, done: Callback<QueryResult>): () => void {
    const { client } = request;
    if (this.#looks.isFree(client)) {
      if (this.#isAnswered(request, done)) return nothing;
      this.#looks.spent();
      return this.#runWithPlace(request, done);
    }
    let stop = this.#looks.wait({
      client,
      deadline: this.#host.now() + request.timeoutMs,
      look: () => {
        if (this.#isAnswered(request, done)) return true;
        stop = this.#runWithPlace(request, done);
        return false;
      },
      refuse: (error) => done(error, null),
    });
    return () => stop();
  }

  /** Answers a read that fits into a slice, or cannot be. */
  #isAnswered(request: QueryRequest, done: Callback<QueryResult>): boolean {
    try {
      const read = this.#request(request, this.#host.limits.readDeadlineMs);
      const fast = this.#host.stateMachine().readNow(read);
      if (!fast) return false;
      const { columns, rows, index } = fast;
      done(null, { columns, rows, index, lagMs: this.lagNow() });
    } catch (error) {
      done(asQuorliteError(error, 'not-applied'), null);
    }
    return true;
  }

  /** Runs a read that takes longer, in slices, as soon as it has a place. */
  #runWithPlace(request: QueryRequest, done: Callback<QueryResult>): () => void {
    let stop = nothing;
    const place: Place = this.places.ask(
      request.client,
      this.#host.now() + request.timeoutMs,
      () => {
        // Later: whoever gives the place away may be amid the end of another read.
        this.#turns.after(() => {
          if (left) return;
          stop = this.#start(request, (error, result) => {
            leave();
            done(error, result);
          });
        });
      },
      (error) => done(error, null),
    );
    let left = false;
    const leave = (): void => {
      left = true;
      place.leave();
    };
    return () => {
      stop();
      leave();
    };
  }

  #start(request: QueryRequest, done: Callback<QueryResult>): () => void {
    if (this.#closed) {
      done(this.#closed, null);
      return nothing;
    }
    try {
      const read = this.#request(request, this.#host.limits.readDeadlineMs);
      return this.#runInSlices(this.#host.stateMachine().openRead(read), done);
    } catch (error) {
      done(asQuorliteError(error, 'not-applied'), null);
      return nothing;
    }
  }

  #runInSlices(cursor: ReadCursor, done: Callback<QueryResult>): () => void {
    const rows: SqlValue[][] = [];
    const finish = (error: QuorliteError | null): void => {
      if (!this.#slicing.delete(finish)) return;
      const { columns, index } = cursor;
      cursor.close();
      if (error) done(error, null);
      else done(null, { columns, rows, index, lagMs: this.lagNow() });
    };
    const slice = (): void => {
      if (!this.#slicing.has(finish)) return;
      try {
        if (cursor.next(rows, Number.POSITIVE_INFINITY, this.#sliceMs())) finish(null);
        else this.#turns.after(slice);
      } catch (error) {
        finish(asQuorliteError(error, 'not-applied'));
      }
    };
    this.#slicing.add(finish);
    this.#turns.after(slice);
    return () => {
      if (this.#slicing.delete(finish)) cursor.close();
    };
  }

  #sliceMs(): number {
    return Math.min(this.#host.limits.readSliceMs, this.#host.electionMs / INLINE_PART);
  }

  #open(request: QueryRequest, done: Callback<QueryStream>): void {
    const { maxRows = Number.POSITIVE_INFINITY, maxBytes = Number.POSITIVE_INFINITY } = request;
    try {
      this.streams.admit();
      const read = this.#request({ ...request, maxRows, maxBytes }, Number.POSITIVE_INFINITY);
      done(null, this.streams.open(this.#host.stateMachine().openRead(read)));
    } catch (error) {
      done(asQuorliteError(error, 'not-applied'), null);
    }
  }
}
