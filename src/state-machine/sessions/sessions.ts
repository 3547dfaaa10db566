/**
 * Exactly-once (rule C1): every session remembers what became of its commands, so that a retry gets the first outcome.
 * Opened and closed through the log, expired by replicated time, part of every checkpoint.
 */
import { VersionedMap } from '../../storage/versioned-map.ts';
import { ByteReader, ByteWriter } from '../../wire/bytes.ts';
import { QuorliteError } from '../../wire/error.ts';
import type { CommandOutcome } from '../../wire/result.ts';
import { IdleQueue } from '../idle-queue.ts';
import type { KeptBytes } from '../kept.ts';
import type { FrozenModule, ModuleMark, SectionPair, StateModule } from '../module.ts';
import type { ClusterSettings } from '../settings.ts';
import { Session } from './session.ts';

/** The module of sessions. */
export class Sessions implements StateModule {
  readonly section = 'sessions';
  readonly #map = new VersionedMap<number, Session>();
  readonly #kept: KeptBytes;
  readonly #settings: () => ClusterSettings;
  readonly #idle = new IdleQueue((id) => this.#map.get(id)?.used ?? -Infinity);
  #generation = 1;
  /** The session of the command before: batches often come from one client. */
  #last: Session | undefined;

  constructor(kept: KeptBytes, settings: () => ClusterSettings) {
    this.#kept = kept;
    this.#settings = settings;
  }

  get size(): number {
    return this.#map.size;
  }

  /** Opens a session, or finds it open already (the request was sent twice). Throws `OVERLOADED` when the table is full. */
  open(id: number, now: number): void {
    if (id === 0) throw new QuorliteError('BAD_REQUEST', 'a session needs an id other than 0');
    const found = this.#writable(id);
    if (found !== undefined) {
      found.used = now;
      return;
    }
    if (this.#map.size >= this.#settings().sessions) {
      throw new QuorliteError(
        'OVERLOADED',
        `all ${this.#map.size} sessions are taken; one ends when its client closes it or is silent for long`,
        { hint: 'raise the cluster setting `sessions`, or close clients that are not used' },
      );
    }
    this.#map.set(id, new Session(id, now, this.#generation));
    this.#idle.add(id, now);
  }

  /** Ends a session and forgets its outcomes. A session that is not there is closed already. */
  close(id: number): void {
    if (this.#forget(id)) this.#idle.removed();
  }

  #forget(id: number): boolean {
    const session = this.#map.get(id);
    if (session === undefined) return false;
    session.open = false;
    if (this.#last === session) this.#last = undefined;
    session.forEach((_, outcome) => {
      this.#kept.drop(outcome);
    });
    this.#map.delete(id);
    return true;
  }

  /**
   * Admits a command: returns its session, whose slot for `sequence` tells whether the command is new. Throws
   * `SESSION_EXPIRED`, `OVERLOADED` beyond the window, `RESULT_NOT_KEPT` below it.
   */
  admit(id: number, sequence: number, acknowledged: number, now: number): Session {
    const session = this.#writable(id);
    if (session === undefined) {
      throw new QuorliteError(
        'SESSION_EXPIRED',
        'this session is not open: it was closed, or its client was silent for too long',
      );
    }
    session.used = now;
    if (acknowledged > session.base) session.acknowledge(acknowledged, this.#kept);
    if (sequence < session.base) {
      throw new QuorliteError(
        'RESULT_NOT_KEPT',
        `command ${sequence} was acknowledged before; its outcome is not kept`,
        { outcome: 'unknown' },
      );
    }
    const window = this.#settings().sessionWindow;
    if (sequence - session.base >= window) {
      throw new QuorliteError(
        'OVERLOADED',
        `command ${sequence} is more than ${window} ahead of the first unacknowledged one, ${session.base}`,
      );
    }
    return session;
  }

  /** Keeps what became of a command, unless its session ended meanwhile. */
  settle(session: Session, sequence: number, outcome: CommandOutcome): void {
    if (!session.open || sequence < session.base) return;
    session.set(sequence, this.#kept.keep(outcome, this.#settings()));
  }

  /** Ends every session that has been idle for `sessionMs`. */
  expire(now: number): void {
    const limit = now - this.#settings().sessionMs;
    for (;;) {
      const id = this.#idle.takeIdle(limit);
      if (id === undefined) return;
      this.#forget(id);
    }
  }

  /** When the next session may expire. */
  nextExpiry(): number {
    return this.#idle.oldest() + this.#settings().sessionMs;
  }

  /** The session as an object that no checkpoint shares. */
  #writable(id: number): Session | undefined {
    const last = this.#last;
    if (last !== undefined && last.id === id) return last;
    let session = this.#map.get(id);
    if (session === undefined) return undefined;
    if (session.generation !== this.#generation) {
      session = session.clone(this.#generation);
      this.#map.set(id, session);
    }
    this.#last = session;
    return session;
  }

  restore(pairs: Iterable<SectionPair>): void {
    for (const [key, value] of pairs) {
      const session = Session.decode(new ByteReader(key).u53(), value, this.#generation);
      this.#map.set(session.id, session);
      session.forEach((_, outcome) => {
        this.#kept.restored(outcome);
      });
      this.#idle.add(session.id, session.used);
    }
  }

  freeze(): FrozenModule {
    this.#generation++;
    this.#last = undefined;
    const fork = this.#map.fork();
    return {
      mark: fork.mark,
      *changes(since: ModuleMark | null) {
        if (since === null) {
          for (const [id, session] of fork.entries()) yield [sessionKey(id), session.encode()];
          return;
        }
        for (const id of fork.dirtySince(since)) {
          yield [sessionKey(id), fork.get(id)?.encode() ?? null];
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

function sessionKey(id: number): Uint8Array {
  const out = new ByteWriter(8);
  out.u53(id);
  return out.take();
}
