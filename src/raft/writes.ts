/** Writes on their way to storage, and the messages that may leave only when they are durable (rules E1, D2, D4). */
import { assert } from '../wire/assert.ts';
import type { LogIndex, Term } from '../wire/entry.ts';
import { type Message, MessageType } from '../wire/message.ts';

interface PendingWrite {
  readonly token: number;
  /** The log is durable up to here once this write and all before it are; a later truncation lowers it. */
  upTo: LogIndex;
  term: Term;
  done: boolean;
  readonly held: Message[];
}

/** What became durable. */
export interface Completion {
  readonly upTo: LogIndex;
  readonly term: Term;
  readonly messages: Message[];
}

/**
 * Writes in order. Completions may arrive in any order (rule D10): a write counts once all before it are complete.
 * A truncation lowers what the writes before it claim, so an old completion never vouches for an entry that a later
 * write replaces, even by one of the same index and term (the ABA race of rule D11).
 */
export class WriteQueue {
  #next = 1;
  #pending: PendingWrite[] = [];
  #held: Message[] = [];

  /** Keeps `message` back until everything that the core knows by now is durable. */
  hold(message: Message): void {
    const { length } = this.#held;
    if (length > 0 && supersedes(message, this.#held[length - 1]!))
      this.#held[length - 1] = message;
    else this.#held.push(message);
  }

  /** Begins a write after which the log is durable up to (upTo, term); held messages wait for it. Returns its token. */
  begin(upTo: LogIndex, term: Term): number {
    const token = this.#next++;
    this.#pending.push({ token, upTo, term, done: false, held: this.#held });
    this.#held = [];
    return token;
  }

  /** A token for a write that nobody waits for. */
  unsynced(): number {
    return this.#next++;
  }

  /** No write began: held messages wait for the newest one under way. Returns them when there is none. */
  settle(): Message[] {
    const held = this.#held;
    if (held.length === 0) return held;
    this.#held = [];
    const newest = this.#pending[this.#pending.length - 1];
    if (newest === undefined) return held;
    for (const message of held) newest.held.push(message);
    return [];
  }

  /** The log was truncated behind `last`. */
  clip(last: LogIndex, term: Term): void {
    for (const write of this.#pending) {
      if (write.upTo <= last) continue;
      write.upTo = last;
      write.term = term;
    }
  }

  /** Storage completed `token`. Returns what became durable by it, null when earlier writes are still under way. */
  complete(token: number): Completion | null {
    assert(token < this.#next, () => `storage completed write ${token}, which was never begun`);
    const completed = this.#pending.find((write) => write.token === token);
    if (completed === undefined) return null;
    completed.done = true;
    let last: PendingWrite | null = null;
    const messages: Message[] = [];
    while (this.#pending.length > 0 && this.#pending[0]!.done) {
      last = this.#pending.shift()!;
      for (const message of last.held) messages.push(message);
    }
    return last === null ? null : { upTo: last.upTo, term: last.term, messages };
  }
}

/** An acknowledgement says all that an earlier one of the same session said. */
function supersedes(message: Message, earlier: Message): boolean {
  return (
    message.type === MessageType.appendReply &&
    earlier.type === MessageType.appendReply &&
    !message.reject &&
    !earlier.reject &&
    message.index >= earlier.index &&
    message.session === earlier.session &&
    message.term === earlier.term &&
    message.to === earlier.to
  );
}
