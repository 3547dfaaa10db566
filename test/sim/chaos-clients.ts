/** Clients of a chaotic cluster: some ask once and take what they hear, some have a session and ask until they know. */
import type { NodeService, WriteRequest } from '../../src/node/contract.ts';
import type { Random } from '../../src/runtime/virtual/random.ts';
import { type Operation, writeOperation } from '../../src/wire/operation.ts';
import type { CommandOutcome } from '../../src/wire/result.ts';
import type { VirtualCluster } from '../kit/virtual-cluster.ts';
import { type CounterCall, History } from './chaos-history.ts';

const ADD = 'UPDATE counter SET n = n + 1 RETURNING n';
/** Session of the first client; opened before the chaos begins. */
const FIRST_SESSION = 1000;

interface Client {
  readonly number: number;
  readonly session: boolean;
  /** Of its session, or of its rows. */
  sequence: number;
  /** What a client with a session does not know the outcome of yet. */
  open: { readonly operation: Operation; readonly call: CounterCall | null } | null;
  /** Grows when it starts over because a node died: answers that come yet do not make it go on twice. */
  life: number;
}

export class ChaosClients {
  readonly history: History = new History();
  /** No new calls are made; what is open is asked until it is known. */
  stopped = false;
  readonly #cluster: VirtualCluster;
  readonly #random: Random;
  readonly #clients: Client[];

  constructor(cluster: VirtualCluster, random: Random) {
    this.#cluster = cluster;
    this.#random = random;
    this.#clients = [false, false, true, true].map((session, number) => ({
      number,
      session,
      sequence: 0,
      open: null,
      life: 0,
    }));
  }

  /** Opens the sessions and begins. */
  start(): void {
    for (const client of this.#clients) {
      if (client.session) {
        const session = FIRST_SESSION + client.number;
        this.#cluster.write(this.#cluster.elect().id, { op: 'openSession', session });
      }
      this.#next(client);
    }
  }

  get settled(): boolean {
    return (
      this.history.calls.every(({ outcome }) => outcome !== 'open') &&
      this.#clients.every(({ open }) => open === null)
    );
  }

  /** A node died: everybody starts over elsewhere. */
  interrupted(): void {
    this.history.interrupted(this.#cluster.world.nowMs);
    for (const client of this.#clients) {
      client.life++;
      this.#next(client);
    }
  }

  #next(client: Client): void {
    if (this.stopped && client.open === null) return;
    const { life } = client;
    const again = (): void => {
      if (client.life !== life) return;
      const pause = this.#random.between(1, 50);
      this.#cluster.world.after(pause, () => {
        if (client.life === life) this.#next(client);
      });
    };
    const { alive } = this.#cluster;
    const member = alive[this.#random.below(Math.max(1, alive.length))];
    if (!member) again();
    else if (client.session) this.#askUntilKnown(client, member.service, again);
    else this.#askOnce(client, member.service, again);
  }

  #askOnce(client: Client, service: NodeService, again: () => void): void {
    const kind = this.#random.below(3);
    if (kind === 2) this.#read(service, again);
    else if (kind === 1) {
      const call = this.history.begin('add', this.#cluster.world.nowMs);
      this.#write(service, { op: 'execute', sql: ADD }, {}, (outcome) => {
        if (call.outcome === 'open') this.history.added(call, outcome, this.#cluster.world.nowMs);
        again();
      });
    } else {
      const row = this.#row(client);
      this.#write(service, row, {}, (outcome) => {
        this.history.wrote(keyOf(row), outcome);
        again();
      });
    }
  }

  #row(client: Client): Operation & { op: 'execute' } {
    const params = [client.number, ++client.sequence];
    return { op: 'execute', sql: 'INSERT INTO written VALUES (?, ?)', params };
  }

  /** The same command of the same session, at one node after another, until one knows what became of it. */
  #askUntilKnown(client: Client, service: NodeService, again: () => void): void {
    client.open ??= this.#newCommand(client);
    const { open, sequence } = client;
    if (open.call) open.call.outcome = 'open';
    const session = { id: FIRST_SESSION + client.number, sequence, acknowledged: sequence };
    this.#write(service, open.operation, { session }, (outcome) => {
      // An answer without an index is one node's about this attempt: an earlier one may have done it.
      const known = outcome.ok || outcome.index > 0;
      if (client.open === open && known) {
        client.open = null;
        if (open.call) this.history.added(open.call, outcome, this.#cluster.world.nowMs);
        else this.history.wrote(keyOf(open.operation), outcome);
      }
      again();
    });
  }

  #newCommand(client: Client): NonNullable<Client['open']> {
    const row = this.#row(client);
    if (this.#random.below(2) === 0) return { operation: row, call: null };
    const call = this.history.begin('add', this.#cluster.world.nowMs);
    return { operation: { op: 'execute', sql: ADD }, call };
  }

  #write(
    service: NodeService,
    operation: Operation,
    request: Partial<WriteRequest>,
    done: (outcome: CommandOutcome) => void,
  ): void {
    const timeoutMs = this.#random.between(200, 8000);
    const encoded = {
      operation: (out: Parameters<typeof writeOperation>[0]) => writeOperation(out, operation),
    };
    service.write({ ...encoded, timeoutMs, ...request }, done);
  }

  #read(service: NodeService, again: () => void): void {
    const call = this.history.begin('read', this.#cluster.world.nowMs);
    const timeoutMs = this.#random.between(200, 8000);
    const sql = 'SELECT n FROM counter';
    service.query({ sql, consistency: 'linearizable', timeoutMs }, (error, result) => {
      if (call.outcome === 'open') {
        call.to = this.#cluster.world.nowMs;
        call.outcome = error ? 'not-applied' : 'ok';
        call.value = result ? (result.rows[0]![0] as number) : null;
      }
      again();
    });
  }
}

function keyOf(operation: Operation): string {
  return operation.op === 'execute' ? (operation.params as number[]).join('/') : '';
}
