/** Starts a node in a browser: in a worker of its own, shared by the tabs that start the same one. */
import type { Client } from '../../client/contract.ts';
import { connect } from '../../client/remote/connect.ts';
import type { ClientRuntime } from '../../client/remote/runtime.ts';
import type { Link, LinkEvents } from '../../platform/links.ts';
import { QuorliteError } from '../../wire/error.ts';
import { type BrowserNodeConfig, resolveBrowserConfig } from './config.ts';
import { hostInWorker, isPage, type NodeHost } from './host.ts';
import { portLink } from './message-link.ts';
import { hasOpfs, indexedDb, seatAddress } from './places.ts';
import { createBrowserPlatform } from './platform.ts';
import { createTabLinks, type TabLinks } from './tab-links.ts';
import type { DatabaseHash } from './worker-messages.ts';

/** A node that this tab has, alone or together with others. */
export interface BrowserNode {
  /** Its number in `nodes`. */
  readonly id: number;
  /** A client of the node, wherever it runs. Its calls survive the loss of the tab that ran the node. */
  readonly client: Client;
  /** Whether the node runs in this tab; else another tab runs it, and this one takes over when that tab goes. */
  readonly runsHere: boolean;
  /** The whole database in a few digits; `NOT_READY` when the node runs in another tab. */
  databaseHash(): Promise<DatabaseHash>;
  /**
   * Settles when this tab has no part in the node any more: with null after `shutdown`, with the reason when the node
   * stopped by itself. Never rejects.
   */
  readonly stopped: Promise<QuorliteError | null>;
  /** Leaves the node to other tabs; hands leadership over, flushes and closes when it ran here. May be called again. */
  shutdown(): Promise<void>;
  [Symbol.asyncDispose](): Promise<void>;
}

/** Stands for the node in `connect`: every dial goes to it. */
const NODE_URL = 'http://node.tab';

/**
 * Starts a node, or joins the tab of this origin that runs the same one. Resolves when the node runs here, or in another
 * tab. Rejects with `CONFIG_INVALID`, `CORRUPT`, `STORAGE_FAILED` or `NOT_SUPPORTED`.
 *
 * @example
 * const node = await startNode();
 * await node.client.execute('CREATE TABLE IF NOT EXISTS notes (id INTEGER PRIMARY KEY, text TEXT)');
 */
export async function startNode(config: BrowserNodeConfig = {}): Promise<BrowserNode> {
  const inWorker = config.inWorker ?? isPage();
  const place = inWorker ? config : withoutFiles(config);
  const { node: resolved, storage } = resolveBrowserConfig(place);
  const tab = new Tab(seatAddress(storage));
  let started: () => void = () => {};
  let failed: (error: QuorliteError) => void = () => {};
  const begun = new Promise<void>((resolve, reject) => {
    started = resolve;
    failed = reject;
  });
  let settle: (error: QuorliteError | null) => void = () => {};
  const stopped = new Promise<QuorliteError | null>((resolve) => {
    settle = resolve;
  });
  const events = {
    waiting: () => started(),
    running() {
      tab.runs();
      started();
    },
    stopped(error: QuorliteError | null) {
      failed(error ?? new QuorliteError('SHUTTING_DOWN', 'the node was stopped while it started'));
      tab.close();
      host.close();
      settle(error);
    },
  };
  // Pages whose node runs in a worker never load the node itself.
  const host: NodeHost = inWorker
    ? hostInWorker(place, events)
    : (await import('./host-here.ts')).hostHere(place, events);
  tab.host = host;
  await begun;
  const client = connect(NODE_URL, {
    runtime: tab,
    followLeader: false,
    agent: 'quorlite tab',
    ...(resolved.secretApi === null ? {} : { token: resolved.secretApi }),
  });
  const shutdown = async (): Promise<void> => {
    await client.close();
    host.shutdown();
    await stopped;
  };
  return {
    id: resolved.id,
    client,
    get runsHere() {
      return tab.isRunning;
    },
    databaseHash: () => host.databaseHash(),
    stopped,
    shutdown,
    [Symbol.asyncDispose]: shutdown,
  };
}

/** In a page there are no files with synchronous access: what is not said otherwise goes to IndexedDB. */
function withoutFiles(config: BrowserNodeConfig): BrowserNodeConfig {
  if (config.storage !== undefined || !isPage() || !hasOpfs()) return config;
  return { ...config, storage: indexedDb(`node-${config.id ?? 1}`) };
}

/** This tab's way to the node: a port to where it runs here, else a channel to another tab. */
class Tab implements ClientRuntime {
  host: NodeHost | null = null;
  isRunning = false;
  readonly timers: ClientRuntime['timers'];
  readonly entropy: ClientRuntime['entropy'];
  readonly #address: string;
  readonly #tabs: TabLinks;
  /** Links to another tab. */
  readonly #away: Map<Link, LinkEvents> = new Map();

  constructor(address: string) {
    const { timers, entropy } = createBrowserPlatform();
    this.timers = timers;
    this.entropy = entropy;
    this.#address = address;
    this.#tabs = createTabLinks(entropy);
  }

  monotonicMs(): number {
    return performance.now();
  }

  dial(_url: string, events: LinkEvents): Link {
    return this.isRunning ? this.#dialHere(events) : this.#dialAway(events);
  }

  /** The node runs here from now on: what went to another tab is gone, or comes to this node all the same. */
  runs(): void {
    this.isRunning = true;
    for (const [link, events] of [...this.#away]) {
      link.close('this tab runs the node now');
      events.closed('this tab runs the node now');
    }
    this.#away.clear();
  }

  close(): void {
    this.isRunning = false;
    this.#tabs.close();
  }

  #dialHere(events: LinkEvents): Link {
    const { port1, port2 } = new MessageChannel();
    let dialled: Link | null = null;
    portLink(port1, {
      accepted: false,
      listen(link) {
        dialled = link;
        return events;
      },
    });
    this.host!.serve(port2);
    return dialled!;
  }

  #dialAway(events: LinkEvents): Link {
    const link = this.#tabs.dial(this.#address, {
      opened: () => events.opened(),
      message: (bytes) => events.message(bytes),
      drained: () => events.drained?.(),
      closed: (reason) => {
        this.#away.delete(link);
        events.closed(reason);
      },
    });
    this.#away.set(link, events);
    return link;
  }
}
