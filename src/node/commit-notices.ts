/**
 * Commit notices: heartbeats that only tell a follower how far it may apply. They wait for one turn of the loop, since
 * the next append usually follows at once and carries the same; an idle cluster hears of a commit just as soon.
 */
import type { ReplicaId } from '../wire/entry.ts';
import { type Message, MessageType } from '../wire/message.ts';

/** Holds commit notices back for one turn. */
export class CommitNotices {
  /** Held back in this turn, and due at the end of it. */
  #held = new Map<ReplicaId, Message>();
  #due = new Map<ReplicaId, Message>();

  /** Whether a turn is needed to send what is held. */
  get pending(): boolean {
    return this.#held.size > 0;
  }

  /** A turn begins: what was held in the last one is due. */
  beginTurn(): void {
    const sent = this.#due;
    this.#due = this.#held;
    this.#held = sent;
  }

  /** Takes a message that is about to be sent; true when it is held back instead. */
  hold(message: Message): boolean {
    if (message.type === MessageType.append) {
      this.#held.delete(message.to);
      this.#due.delete(message.to);
      return false;
    }
    // A heartbeat of session 0 asks for nothing.
    if (message.type !== MessageType.heartbeat || message.session !== 0) return false;
    this.#due.delete(message.to);
    this.#held.set(message.to, message);
    return true;
  }

  /** Sends everything now: something follows that keeps this node busy, and its followers must know why. */
  flush(send: (message: Message) => void): void {
    for (const message of this.#due.values()) if (!this.#held.has(message.to)) send(message);
    for (const message of this.#held.values()) send(message);
    this.#due.clear();
    this.#held.clear();
  }

  /** Sends what is due. */
  endTurn(send: (message: Message) => void): void {
    for (const message of this.#due.values()) send(message);
    this.#due.clear();
  }
}
