/** What a remote client does when nodes die, fall silent, stop or refuse: every write exactly once, no outcome guessed. */
import { describe, expect, test } from 'vitest';
import type { Client } from '../../src/client/contract.ts';
import type { QuorliteError } from '../../src/wire/error.ts';
import { failure } from '../conformance/client-support.ts';
import { drive, ServedCluster } from '../kit/virtual-clients.ts';

const ALL = [1, 2, 3];

function cluster(seed: string): ServedCluster {
  const nodes = new ServedCluster(seed);
  const { id } = nodes.elect();
  nodes.execute(id, 'CREATE TABLE t (n INTEGER)');
  return nodes;
}

/** Starts writes of the numbers below `count`; how each ends. */
function writeNumbers(client: Client, count: number): Promise<(QuorliteError | null)[]> {
  return Promise.all(
    Array.from({ length: count }, (_, n) =>
      client.execute('INSERT INTO t VALUES (?)', [n]).then(
        () => null,
        (error: QuorliteError) => error,
      ),
    ),
  );
}

/** Writes numbers for so long, eight at a time, so that what happens meanwhile meets writes at every stage. */
async function writeFor(
  nodes: ServedCluster,
  client: Client,
  ms: number,
): Promise<(QuorliteError | null)[]> {
  const end = nodes.world.nowMs + ms;
  const ends: (QuorliteError | null)[] = [];
  let next = 0;
  async function writeOn(): Promise<void> {
    while (nodes.world.nowMs < end) {
      const n = next++;
      ends[n] = await client.execute('INSERT INTO t VALUES (?)', [n]).then(
        () => null,
        (error: QuorliteError) => error,
      );
    }
  }
  await Promise.all(Array.from({ length: 8 }, writeOn));
  return ends;
}

/** Every acknowledged number once, none that was refused, those in doubt at most once. */
function expectExactlyOnce(nodes: ServedCluster, ends: readonly (QuorliteError | null)[]): void {
  const { id } = nodes.elect();
  const counts = new Map<unknown, number>();
  for (const [n] of nodes.rows(id, 'SELECT n FROM t')) counts.set(n, (counts.get(n) ?? 0) + 1);
  ends.forEach((end, n) => {
    const count = counts.get(n) ?? 0;
    if (end === null) expect(count, `number ${n} was acknowledged`).toBe(1);
    else if (end.outcome === 'not-applied') expect(count, `number ${n} was refused`).toBe(0);
    else expect(count, `number ${n} is in doubt`).toBeLessThanOrEqual(1);
  });
}

describe('failover', () => {
  test.each([1, 2, 3, 4, 5])(
    'the leader is killed amid writes (seed %i): all succeed',
    async (seed) => {
      const nodes = cluster(`kill ${seed}`);
      const client = nodes.connect(ALL);
      await drive(nodes.world, client.ready());
      const writes = writeNumbers(client, 300);
      nodes.world.after(seed, () => nodes.leader()?.process.kill());
      const ends = await drive(nodes.world, writes);
      expect(ends.filter((end) => end !== null)).toEqual([]);
      expectExactlyOnce(nodes, ends);
    },
  );

  test.each([1, 2, 3])('the leader falls silent (seed %i): all succeed', async (seed) => {
    const nodes = cluster(`silence ${seed}`);
    const client = nodes.connect(ALL);
    await drive(nodes.world, client.execute('INSERT INTO t VALUES (-1)'));
    const writes = writeNumbers(client, 100);
    nodes.world.after(1, () => {
      const leader = nodes.leader();
      if (leader) nodes.world.network.isolate(leader.process.name);
    });
    const ends = await drive(nodes.world, writes);
    expect(ends.filter((end) => end !== null)).toEqual([]);
    nodes.world.network.healAll();
    nodes.converge();
    expectExactlyOnce(nodes, ends);
  });

  test('connections that break again and again', async () => {
    const nodes = cluster('resets');
    const client = nodes.connect(ALL);
    const name = nodes.world.processes.at(-1)!.name;
    const writes = writeFor(nodes, client, 2000);
    for (let ms = 3; ms < 2000; ms += 41.3) {
      nodes.world.after(ms, () => {
        for (const id of ALL) nodes.world.network.reset(name, `n${id}`);
      });
    }
    const ends = await drive(nodes.world, writes);
    expect(ends.filter((end) => end !== null)).toEqual([]);
    expectExactlyOnce(nodes, ends);
  });

  test('every node is killed and restarted in turn', async () => {
    const nodes = cluster('rolling');
    const client = nodes.connect(ALL);
    ALL.forEach((id, i) => {
      nodes.world.after(50 + i * 1300, () => nodes.member(id).process.kill());
      nodes.world.after(700 + i * 1300, () => nodes.member(id).process.restart());
    });
    const ends = await drive(nodes.world, writeFor(nodes, client, 4000), 120_000);
    expect(ends.filter((end) => end !== null)).toEqual([]);
    expectExactlyOnce(nodes, ends);
  });

  test('the client goes to the leader, wherever it connects first', async () => {
    const nodes = cluster('follow');
    const leader = nodes.leader()!.id;
    const follower = ALL.find((id) => id !== leader)!;
    const client = nodes.connect([follower]);
    await drive(nodes.world, client.query('SELECT 1'));
    nodes.world.run(1000);
    expect(nodes.servers.get(leader)!.stats().connections).toBe(1);
    expect(nodes.servers.get(follower)!.stats().connections).toBe(0);
    expect((await drive(nodes.world, client.status())).node).toBe(leader);
  });

  test('a leader that cannot be reached does not matter', async () => {
    const nodes = cluster('unreachable leader');
    const leader = nodes.leader()!.id;
    const client = nodes.connect(ALL.filter((id) => id !== leader));
    const name = nodes.world.processes.at(-1)!.name;
    nodes.world.network.cut(name, `n${leader}`);
    const ends = await drive(nodes.world, writeNumbers(client, 50));
    expect(ends.filter((end) => end !== null)).toEqual([]);
  });

  test('a node that stops answers what runs and sends its clients elsewhere', async () => {
    const nodes = cluster('goodbye');
    const client = nodes.connect(ALL);
    await drive(nodes.world, client.ready());
    nodes.world.run(500);
    const leader = nodes.leader()!.id;
    const writes = writeNumbers(client, 100);
    let stopped = false;
    nodes.world.after(1, () => {
      nodes.servers.get(leader)!.close(() => {
        stopped = true;
      });
    });
    const ends = await drive(nodes.world, writes);
    expect(ends.filter((end) => end !== null)).toEqual([]);
    expectExactlyOnce(nodes, ends);
    nodes.world.run(2000);
    expect(stopped).toBe(true);
  });
});

describe('honest outcomes', () => {
  test('no node at all: NO_QUORUM, not applied, at the deadline', async () => {
    const nodes = cluster('dead');
    for (const { process } of nodes.members) process.kill();
    const client = nodes.connect(ALL);
    const before = nodes.world.nowMs;
    const error = await drive(
      nodes.world,
      failure(client.execute('INSERT INTO t VALUES (1)', [], { timeoutMs: 1000 })),
    );
    expect(error).toMatchObject({ code: 'NO_QUORUM', outcome: 'not-applied', retryable: true });
    expect(error.message).toContain('connection refused');
    expect(nodes.world.nowMs - before).toBeLessThan(1010);
  });

  test('a minority: NO_QUORUM; a write that was sent is in doubt', async () => {
    const nodes = cluster('minority');
    const client = nodes.connect(ALL);
    await drive(nodes.world, client.execute('INSERT INTO t VALUES (-1)'));
    nodes.world.run(500);
    const leader = nodes.leader()!.id;
    for (const { id, process } of nodes.members) if (id !== leader) process.kill();
    const write = failure(client.execute('INSERT INTO t VALUES (1)', [], { timeoutMs: 3000 }));
    const error = await drive(nodes.world, write);
    expect(['NO_QUORUM', 'TIMEOUT', 'LEADER_CHANGED']).toContain(error.code);
    expect(error.outcome).toBe('unknown');
    const read = await drive(
      nodes.world,
      failure(client.query('SELECT 1', [], { timeoutMs: 1500 })),
    );
    expect(['NO_QUORUM', 'TIMEOUT']).toContain(read.code);
    expect(read.outcome).toBe('not-applied');
    const stale = client.query('SELECT count(*) AS n FROM t', [], { consistency: 'stale' });
    expect(await drive(nodes.world, stale)).toEqual([{ n: 1 }]);
  });

  test.each([400, 600, 777, 1000, 1500])(
    'a minority, asked for %i ms: NO_QUORUM whatever is under way at the deadline',
    async (timeoutMs) => {
      const nodes = cluster(`no session ${timeoutMs}`);
      const [leader, ...others] = [
        nodes.elect().id,
        ...ALL.filter((id) => id !== nodes.elect().id),
      ];
      for (const id of others) nodes.member(id).process.kill();
      nodes.world.run(3000);
      for (let i = 0; i < 5; i++) {
        const client = nodes.connect([leader!]);
        const write = failure(client.execute('INSERT INTO t VALUES (1)', [], { timeoutMs }));
        const read = failure(client.query('SELECT 1', [], { timeoutMs }));
        expect(await drive(nodes.world, write)).toMatchObject({
          code: 'NO_QUORUM',
          outcome: 'not-applied',
        });
        expect(await drive(nodes.world, read)).toMatchObject({ code: 'NO_QUORUM' });
        await drive(nodes.world, client.close());
      }
    },
  );

  test('a session that expired: what was never in doubt is written in a new one', async () => {
    const nodes = cluster('expired session');
    const client = nodes.connect(ALL);
    await drive(nodes.world, client.settings.set({ sessionMs: 60_000 }));
    await drive(nodes.world, client.execute('INSERT INTO t VALUES (0)'));
    nodes.world.run(200_000);
    const ends = await drive(nodes.world, writeNumbers(client, 20));
    expect(ends.filter((end) => end !== null)).toEqual([]);
    expect(nodes.rows(nodes.elect().id, 'SELECT count(*) FROM t')).toEqual([[21]]);
  });

  test('closing ends what waits, honestly', async () => {
    const nodes = cluster('closing');
    const client = nodes.connect(ALL);
    const early = failure(client.execute('INSERT INTO t VALUES (1)'));
    await client.close();
    expect(await early).toMatchObject({ code: 'SHUTTING_DOWN', outcome: 'not-applied' });
    const other = nodes.connect(ALL);
    await drive(nodes.world, other.execute('INSERT INTO t VALUES (2)'));
    const sent = failure(other.execute('INSERT INTO t VALUES (3)'));
    await drive(nodes.world, other.close());
    expect(await sent).toMatchObject({ code: 'SHUTTING_DOWN', outcome: 'unknown' });
  });

  test('beyond its bound a client says OVERLOADED, and serves what it took', async () => {
    const nodes = cluster('overload');
    const client = nodes.connect(ALL, { limits: { calls: 50 } });
    const ends = await drive(nodes.world, writeNumbers(client, 80));
    const refused = ends.filter((end) => end !== null);
    expect(refused).toHaveLength(30);
    for (const end of refused) {
      expect(end).toMatchObject({ code: 'OVERLOADED', outcome: 'not-applied' });
    }
    expectExactlyOnce(nodes, ends);
  });

  test('a client waits for room at a node that takes few requests at a time', async () => {
    const nodes = new ServedCluster('few', { size: 1, streamLimits: { requests: 4 } });
    nodes.execute(nodes.elect().id, 'CREATE TABLE t (n INTEGER)');
    const client = nodes.connect([1]);
    const ends = await drive(nodes.world, writeNumbers(client, 100));
    expect(ends.filter((end) => end !== null)).toEqual([]);
    expectExactlyOnce(nodes, ends);
  });

  test('more writes at a time than the session’s window', async () => {
    const nodes = cluster('window');
    const client = nodes.connect(ALL, { limits: { sessionWindow: 8 } });
    const ends = await drive(nodes.world, writeNumbers(client, 200));
    expect(ends.filter((end) => end !== null)).toEqual([]);
    expectExactlyOnce(nodes, ends);
  });

  test('a stream that loses its node fails; one that had not begun goes on elsewhere', async () => {
    const nodes = cluster('stream');
    const client = nodes.connect(ALL);
    await drive(nodes.world, client.ready());
    nodes.world.run(500);
    const rows = client.stream<{ x: number }>(
      'WITH RECURSIVE c(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM c LIMIT 1000000) SELECT x FROM c',
    );
    const iterator = rows[Symbol.asyncIterator]();
    await drive(nodes.world, iterator.next());
    nodes.leader()!.process.kill();
    async function readOn(): Promise<void> {
      while (!(await iterator.next()).done);
    }
    const error = await drive(nodes.world, failure(readOn()));
    expect(error).toMatchObject({ code: 'LEADER_CHANGED', outcome: 'not-applied' });
    const fresh = client.stream('SELECT 1 AS one')[Symbol.asyncIterator]();
    expect(await drive(nodes.world, fresh.next())).toEqual({ done: false, value: { one: 1 } });
  });
});

describe('tokens', () => {
  const token = 'a token of sixteen or more';

  test('the right one is taken', async () => {
    const nodes = new ServedCluster('token', { size: 1, token });
    nodes.elect();
    const client = nodes.connect([1], { token });
    expect(await drive(nodes.world, client.query('SELECT 1 AS one'))).toEqual([{ one: 1 }]);
  });

  test.each([
    ['a wrong one', { token: 'another token, as long' }],
    ['none', {}],
  ])('%s is refused at once', async (_name, options) => {
    const nodes = new ServedCluster('token', { size: 1, token });
    nodes.elect();
    const client = nodes.connect([1], options);
    const before = nodes.world.nowMs;
    const error = await drive(nodes.world, failure(client.query('SELECT 1')));
    expect(error).toMatchObject({ code: 'UNAUTHENTICATED', outcome: 'not-applied' });
    expect(nodes.world.nowMs - before).toBeLessThan(100);
  });

  test('a node that asks for none is refused: it cannot prove itself', async () => {
    const nodes = new ServedCluster('token', { size: 1 });
    nodes.elect();
    const error = await drive(
      nodes.world,
      failure(nodes.connect([1], { token }).query('SELECT 1')),
    );
    expect(error.code).toBe('UNAUTHENTICATED');
  });
});
