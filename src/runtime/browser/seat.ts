/**
 * Who runs a node that several tabs share: the one that holds the lock of its storage. Others wait for the lock and reach
 * the node over a channel meanwhile; when its tab goes, the next one starts it from the same storage.
 */
import { asQuorliteError, type QuorliteError } from '../../wire/error.ts';
import type { ResolvedBrowserConfig } from './config.ts';
import { portLink } from './message-link.ts';
import { seatAddress } from './places.ts';
import { createBrowserPlatform } from './platform.ts';
import { type HostedNode, runNode } from './run-node.ts';
import { createTabLinks } from './tab-links.ts';

/** What becomes of a seat. Nothing comes after `stopped`. */
export interface SeatEvents {
  /** Another tab runs the node. */
  waiting(): void;
  /** The node runs here. */
  running(): void;
  /** The node has stopped, or could not start; null after `shutdown`. */
  stopped(error: QuorliteError | null): void;
}

/** A place in the queue for running a node. */
export interface Seat {
  /** The node, while it runs here. */
  readonly node: HostedNode | null;
  /** Serves a client of the node over `port`; closes it when the node does not run here. */
  serve(port: MessagePort): void;
  shutdown(): Promise<void>;
}

/** Queues for the node's lock and runs the node when it has it. */
export function takeSeat(config: ResolvedBrowserConfig, events: SeatEvents): Seat {
  const seat = new LockedSeat(config, events);
  seat.start();
  return seat;
}

class LockedSeat implements Seat {
  node: HostedNode | null = null;
  readonly #config: ResolvedBrowserConfig;
  readonly #events: SeatEvents;
  readonly #life: AbortController = new AbortController();
  #over: Promise<void> = Promise.resolve();

  constructor(config: ResolvedBrowserConfig, events: SeatEvents) {
    this.#config = config;
    this.#events = events;
  }

  start(): void {
    this.#over = this.#queue().then(
      (error) => this.#events.stopped(error),
      (error) => this.#events.stopped(asQuorliteError(error)),
    );
  }

  serve(port: MessagePort): void {
    const { node } = this;
    if (node === null) {
      port.postMessage({ kind: 'close', reason: 'the node does not run here' });
      port.close();
      return;
    }
    portLink(port, { accepted: true, listen: (link) => node.accept(link, 'this tab') });
  }

  async shutdown(): Promise<void> {
    this.#life.abort();
    await this.node?.shutdown();
    await this.#over;
  }

  /** Resolves with the reason when the node stopped by itself. */
  async #queue(): Promise<QuorliteError | null> {
    const { storage } = this.#config;
    const { locks } = globalThis.navigator ?? {};
    // What is in memory is nobody else's; without locks the storage has to be its own guard.
    if (locks === undefined || storage.kind === 'memory') return this.#run();
    const name = `quorlite:${seatAddress(storage)}`;
    const first = await locks.request(name, { ifAvailable: true }, (lock) =>
      lock === null ? WAITS : this.#run(),
    );
    if (first !== WAITS) return first;
    this.#events.waiting();
    const { signal } = this.#life;
    try {
      return await locks.request(name, { signal }, () => this.#run());
    } catch (error) {
      if (signal.aborted) return null;
      throw error;
    }
  }

  async #run(): Promise<QuorliteError | null> {
    if (this.#life.signal.aborted) return null;
    const node = await runNode(this.#config);
    this.node = node;
    const tabs = createTabLinks(createBrowserPlatform().entropy);
    tabs.listen(seatAddress(this.#config.storage), (link, remote) => node.accept(link, remote));
    if (this.#life.signal.aborted) void node.shutdown();
    else this.#events.running();
    const error = await node.stopped;
    if (error !== null) await node.shutdown().catch(() => {});
    this.node = null;
    tabs.close();
    return error;
  }
}

/** Said instead of a result by whoever has to wait. */
const WAITS = Symbol('waits');
