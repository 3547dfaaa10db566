/** The Durable Object class. */
import { problemResponse } from '../../api/problem.ts';
import type { NodeConfig } from '../../config/node-config.ts';
import { numberOf } from '../../storage/row-storage.ts';
import { asQuorliteError } from '../../wire/error.ts';
import { configOfEnvironment, resolveObjectConfig } from './config.ts';
import {
  BINDING,
  nodeOfPath,
  type ObjectContext,
  type ObjectNamespace,
  type WorkerEnvironment,
} from './contract.ts';
import { type ObjectNode, openObjectNode } from './object-node.ts';

/** An alarm wakes a member of a cluster that the platform has put away, milliseconds. */
const WATCHDOG_MS = 30_000;
/** A database that is on its own is closed when nobody has used it for so long, milliseconds: its object may then sleep. */
const SLEEP_MS = 10_000;

/**
 * A node of a cluster, or a database on its own, as a Durable Object with SQLite storage. Its number is in the path of
 * the requests that reach it (`/nodes/1/…`); its configuration is in the Worker's variables.
 *
 * @example
 * export { QuorliteNode } from 'quorlite/worker';
 */
export class QuorliteNode {
  protected readonly ctx: ObjectContext;
  protected readonly env: WorkerEnvironment;
  #node: ObjectNode | null = null;
  #closing: Promise<void> | null = null;
  #sleep: ReturnType<typeof setTimeout> | null = null;
  #lastUse = 0;

  constructor(ctx: ObjectContext, env: WorkerEnvironment) {
    this.ctx = ctx;
    this.env = env;
  }

  /**
   * The configuration of node `id`; a class of yours may give another one.
   *
   * @example
   * class Mine extends QuorliteNode {
   *   override configure(id: number) {
   *     return { ...super.configure(id), engine: sqljs };
   *   }
   * }
   */
  configure(_id: number): NodeConfig {
    return configOfEnvironment(this.env);
  }

  /** Answers HTTP and upgrades; starts the node when it does not run. */
  async fetch(request: Request): Promise<Response> {
    try {
      const id = nodeOfPath(new URL(request.url).pathname) ?? this.#storedNumber() ?? 1;
      const node = await this.#running(id);
      this.#lastUse = Date.now();
      return await node.fetch(request);
    } catch (error) {
      return problemResponse(asQuorliteError(error, 'not-applied'));
    }
  }

  /** The platform's alarm: a member that was put away runs again. */
  async alarm(): Promise<void> {
    const id = this.#storedNumber();
    if (id !== null) await this.#running(id);
    if (this.#node !== null && !this.#isAlone(this.#node)) await this.#watch();
  }

  async #running(id: number): Promise<ObjectNode> {
    if (this.#closing !== null) await this.#closing;
    return this.#node ?? this.#start(id);
  }

  #start(id: number): ObjectNode {
    this.#storeNumber(id);
    const resolved = resolveObjectConfig(this.configure(id), id);
    const namespace = this.env[BINDING] as ObjectNamespace | undefined;
    const node = openObjectNode({ resolved, storage: this.ctx.storage, namespace });
    this.#node = node;
    // A node that stopped by itself is started anew by whoever comes next.
    node.service.whenFailed?.(() => {
      if (this.#node === node) this.#close(node);
    });
    this.#lastUse = Date.now();
    if (resolved.nodes.length > 1) void this.#watch();
    else this.#sleepLater();
    return node;
  }

  #watch(): Promise<void> {
    return this.ctx.storage.setAlarm(Date.now() + WATCHDOG_MS);
  }

  /** Timers keep an object awake: a node without peers stops when it has nothing to do, and starts with the next request. */
  #sleepLater(): void {
    this.#sleep = setTimeout(() => {
      this.#sleep = null;
      const node = this.#node;
      if (node === null) return;
      if (!this.#isAlone(node)) void this.#watch();
      else if (node.uses === 0 && Date.now() - this.#lastUse >= SLEEP_MS) this.#close(node);
      else this.#sleepLater();
    }, SLEEP_MS);
  }

  #isAlone(node: ObjectNode): boolean {
    return node.service.status().members.length <= 1;
  }

  #close(node: ObjectNode): void {
    if (this.#sleep !== null) clearTimeout(this.#sleep);
    this.#sleep = null;
    this.#node = null;
    this.#closing = node
      .shutdown()
      // It failed before, or fails again at the next start, which says why.
      .catch(() => {})
      .then(() => {
        this.#closing = null;
      });
  }

  /** An alarm comes without a path. */
  #storedNumber(): number | null {
    const { sql } = this.ctx.storage;
    const create = 'CREATE TABLE IF NOT EXISTS own_number (id INTEGER PRIMARY KEY, node INTEGER)';
    [...sql.exec(create)];
    const [row] = [...sql.exec('SELECT node FROM own_number')];
    return row === undefined ? null : numberOf(row['node']);
  }

  #storeNumber(id: number): void {
    if (this.#storedNumber() === id) return;
    this.ctx.storage.sql.exec('INSERT OR REPLACE INTO own_number (id, node) VALUES (1, ?)', id);
  }
}
