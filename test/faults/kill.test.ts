/**
 * Durability over real processes: clients write while leaders are killed with SIGKILL, then all nodes at once. Every
 * acknowledged write is there exactly once, nothing refused is there, and the exported databases are equal.
 */
import { createHash } from 'node:crypto';
import { afterEach, expect, test } from 'vitest';
import type { Client } from '../../src/client/contract.ts';
import { connect } from '../../src/runtime/node/connect.ts';
import { QuorliteError } from '../../src/wire/error.ts';
import { ProcessCluster } from '../kit/process-cluster.ts';

const CLIENTS = 4;
const LEADER_KILLS = 3;

let cluster: ProcessCluster | null = null;

afterEach(async () => {
  await cluster?.dispose();
  cluster = null;
});

/** What one client knows of its writes, by sequence. */
interface History {
  readonly acknowledged: Set<number>;
  readonly refused: Set<number>;
  readonly unknown: Set<number>;
}

/** Writes one row after the other until told to stop. */
async function writeRows(
  client: Client,
  id: number,
  history: History,
  stopped: () => boolean,
): Promise<void> {
  for (let sequence = 1; !stopped(); sequence++) {
    try {
      await client.execute('INSERT INTO written (client, sequence) VALUES (?, ?)', [id, sequence], {
        timeoutMs: 20_000,
      });
      history.acknowledged.add(sequence);
    } catch (error) {
      expect(error).toBeInstanceOf(QuorliteError);
      const { outcome } = error as QuorliteError;
      if (outcome === 'not-applied') history.refused.add(sequence);
      else history.unknown.add(sequence);
    }
  }
}

/** SHA-256 of a node's export, taken once it has applied `index`. */
async function exportHash(url: string, index: number): Promise<{ index: number; hash: string }> {
  const client = connect(url);
  try {
    const consistency = 'session';
    const [row] = await client.query<{ n: number }>('SELECT count(*) AS n FROM written', [], {
      consistency,
      minIndex: index,
    });
    expect(row?.n).toBeGreaterThan(0);
    const hash = createHash('sha256');
    for await (const chunk of client.export()) hash.update(chunk);
    const status = await client.status();
    return { index: status.index, hash: hash.digest('hex') };
  } finally {
    await client.close();
  }
}

test('no acknowledged write is lost or doubled when leaders and then all nodes are killed', async () => {
  cluster = await ProcessCluster.create(3);
  await cluster.start();
  const setup = connect(cluster.urls);
  await setup.execute('CREATE TABLE written (client INTEGER, sequence INTEGER)');

  let stopped = false;
  const histories = Array.from({ length: CLIENTS }, (): History => {
    return { acknowledged: new Set(), refused: new Set(), unknown: new Set() };
  });
  const clients = histories.map(() => connect(cluster!.urls));
  const writing = clients.map((client, i) => writeRows(client, i, histories[i]!, () => stopped));
  const acknowledged = (): number =>
    histories.reduce((sum, history) => sum + history.acknowledged.size, 0);
  /** Faults come while writes are being acknowledged, not between them. */
  async function untilMoreAcknowledged(): Promise<void> {
    const before = acknowledged();
    while (acknowledged() < before + 50) await new Promise((resolve) => setTimeout(resolve, 5));
  }

  for (let kill = 0; kill < LEADER_KILLS; kill++) {
    await untilMoreAcknowledged();
    const leader = await cluster.leader();
    await leader.stop('SIGKILL');
    await untilMoreAcknowledged();
    await leader.start();
  }
  await untilMoreAcknowledged();
  await cluster.stop('SIGKILL');
  await cluster.start();
  await untilMoreAcknowledged();
  stopped = true;
  await Promise.all(writing);

  const rows = await setup.queryRaw('SELECT client, sequence FROM written', [], {
    consistency: 'linearizable',
  });
  const present = histories.map(() => new Set<number>());
  for (const [client, sequence] of rows.rows as [number, number][]) {
    expect(present[client]!.has(sequence), `client ${client} sequence ${sequence} is doubled`).toBe(
      false,
    );
    present[client]!.add(sequence);
  }
  histories.forEach((history, client) => {
    for (const sequence of history.acknowledged) {
      expect(present[client]!.has(sequence), `client ${client} lost ${sequence}`).toBe(true);
    }
    for (const sequence of history.refused) {
      expect(present[client]!.has(sequence), `client ${client} refused ${sequence}`).toBe(false);
    }
  });

  const exports = await Promise.all(cluster.urls.map((url) => exportHash(url, rows.index)));
  expect(new Set(exports.map(({ hash }) => hash)).size, JSON.stringify(exports)).toBe(1);
  await Promise.all([setup, ...clients].map((client) => client.close()));
}, 90_000);
