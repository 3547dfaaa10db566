/** Nodes that an operator adds: dialled until they answer with their replica id, or time is over. */
import type { Hello } from '../transport/contract.ts';
import type { ReplicaId } from '../wire/entry.ts';
import { QuorliteError } from '../wire/error.ts';
import type { Callback } from './contract.ts';

interface Invitation {
  readonly url: string;
  readonly deadline: number;
  readonly done: Callback<ReplicaId>;
}

/** Open invitations, by number. */
export class Invitations {
  readonly #open = new Map<number, Invitation>();
  readonly #now: () => number;
  /** Tells that the set of nodes to dial changed. */
  readonly #changed: () => void;

  constructor(now: () => number, changed: () => void) {
    this.#now = now;
    this.#changed = changed;
  }

  invite(node: number, url: string, timeoutMs: number, done: Callback<ReplicaId>): void {
    this.#open.set(node, { url, done, deadline: this.#now() + timeoutMs });
    this.#changed();
  }

  /** Whom to dial: number and URL. */
  urls(): [node: number, url: string][] {
    return [...this.#open].map(([node, { url }]) => [node, url]);
  }

  answered(hello: Hello): void {
    const invitation = this.#open.get(hello.node);
    if (!invitation) return;
    this.#open.delete(hello.node);
    invitation.done(null, hello.replica);
  }

  expire(): void {
    const now = this.#now();
    for (const [node, { url, done, deadline }] of this.#open) {
      if (deadline > now) continue;
      this.#open.delete(node);
      done(new QuorliteError('TIMEOUT', `node ${node} did not answer at ${url}`), null);
    }
  }
}
