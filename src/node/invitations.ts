/** Nodes that an operator adds: dialled until they answer with their replica id, or time is over. */
import type { Hello } from '../transport/contract.ts';
import type { ReplicaId } from '../wire/entry.ts';
import { QuorliteError } from '../wire/error.ts';
import type { Callback } from './contract.ts';

interface Invitation {
  /** The address named last. */
  url: string;
  readonly guests: { readonly deadline: number; readonly done: Callback<ReplicaId> }[];
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

  /** Dials `node` at `url`; whoever invited it before waits on. */
  invite(node: number, url: string, timeoutMs: number, done: Callback<ReplicaId>): void {
    const guest = { done, deadline: this.#now() + timeoutMs };
    const invitation = this.#open.get(node);
    if (invitation) {
      invitation.url = url;
      invitation.guests.push(guest);
    } else {
      this.#open.set(node, { url, guests: [guest] });
    }
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
    for (const { done } of invitation.guests) done(null, hello.replica);
  }

  expire(): void {
    const now = this.#now();
    for (const [node, { url, guests }] of this.#open) {
      const late = guests.filter(({ deadline }) => deadline <= now);
      if (late.length === 0) continue;
      const left = guests.filter(({ deadline }) => deadline > now);
      if (left.length > 0) this.#open.set(node, { url, guests: left });
      else {
        this.#open.delete(node);
        this.#changed();
      }
      const error = new QuorliteError('TIMEOUT', `node ${node} did not answer at ${url}`);
      for (const { done } of late) done(error, null);
    }
  }

  /** Answers everybody: the node stops. */
  stop(error: QuorliteError): void {
    const open = [...this.#open.values()];
    this.#open.clear();
    for (const { guests } of open) for (const { done } of guests) done(error, null);
  }
}
