/** Rare moments on whole nodes: a connection that a newer one replaces, a snapshot that comes too late, a slow leader. */
import { describe, expect, test } from 'vitest';
import { readFrame } from '../../src/node/frames.ts';
import {
  Lane,
  type Peer,
  REPLACED,
  type Transport,
  type TransportHandler,
} from '../../src/transport/contract.ts';
import { writeOperation } from '../../src/wire/operation.ts';
import type { Engine, Writer } from '../../wasm/engine.ts';
import { administer, founded, others, startWrite } from '../kit/founded.ts';
import type { VirtualCluster, VirtualMember } from '../kit/virtual-cluster.ts';

/** The transport with some of its methods replaced. */
function overriding(transport: Transport, methods: Partial<Transport>): Transport {
  return new Proxy(transport, {
    get(target, name) {
      const value = methods[name as keyof Transport] ?? Reflect.get(target, name);
      return typeof value === 'function' ? value.bind(target) : value;
    },
  });
}

describe('a connection to the leader', () => {
  test.each([
    ['that a newer one replaces says nothing about the leader', REPLACED, true],
    ['that is lost means that it may be gone', 'connection reset', false],
  ])('%s', (_, reason, known) => {
    const handlers = new Map<number, TransportHandler>();
    const cluster = founded(1, {
      transport: (transport, id) =>
        overriding(transport, {
          start(handler) {
            handlers.set(id, handler);
            transport.start(handler);
          },
        }),
    });
    const leader = cluster.leader()!.id;
    const follower = cluster.member(others(cluster, leader)[0]!);
    const { replica } = cluster.member(leader).service;
    const hello = { ...handlers.get(leader)!.hello(), replica };
    cluster.world.run(500);
    // As the transport tells it: the old one down, the new one up, and nothing between.
    const handler = handlers.get(follower.id)!;
    const newer: Peer = { hello, connection: 1_000_000 };
    handler.up(newer);
    handler.down(newer, reason, false);
    handler.up({ hello, connection: 1_000_001 });
    expect(follower.service.status().leader === leader).toBe(known);
    cluster.elect();
    cluster.execute(follower.id, 'INSERT INTO t (id) VALUES (1)');
  });
});

describe('a snapshot', () => {
  test('that the log has overtaken changes nothing (S2)', () => {
    let holding = false;
    const held: (() => void)[] = [];
    const cluster = founded(2, {
      checkpoint: { bytes: 1e9, ms: 1e9 },
      transport: (transport) =>
        overriding(transport, {
          send(to, lane, parts) {
            const copies = parts.map((part) => part.slice());
            const chunk = lane === Lane.snapshot && kindOf(copies) === 'snapshotChunk';
            if (!holding || !chunk) return transport.send(to, lane, parts);
            held.push(() => void transport.send(to, lane, copies));
            return true;
          },
        }),
    });
    const first = cluster.leader()!;
    const [late, next] = others(cluster, first.id).map((id) => cluster.member(id));
    late!.process.kill();
    for (let round = 0; round < 3; round++) {
      insert(cluster, first.id, round * 5, round * 5 + 5);
      checkpoint(cluster, first);
      cluster.world.run(3000);
    }
    holding = true;
    late!.process.restart();
    const received = (): number =>
      late!.service.metrics().find(({ name }) => name.includes('snapshot_received'))!.value;
    // It has asked for the first chunk, and that stays on the way.
    cluster.opened(late!.id);
    cluster.until(() => held.length > 0, 5000, 'nothing is sent');
    expect(received()).toBe(0);
    // The next leader has kept its log, from which the late one catches up.
    administer(cluster, first.id, { op: 'transfer', to: next!.id });
    insert(cluster, next!.id, 15, 20);
    const { index, hash } = cluster.converge();
    holding = false;
    for (const send of held.splice(0)) send();
    cluster.world.run(1000);
    expect(cluster.alive.every(({ service }) => service.live().ok)).toBe(true);
    expect(late!.service.databaseHash()).toEqual({ index, hash });
    insert(cluster, late!.id, 20, 25);
    cluster.converge();
    expect(cluster.rows(late!.id, 'SELECT count(*) FROM t', 'stale')).toEqual([[25]]);
  });
});

function kindOf(parts: readonly Uint8Array[]): string {
  return readFrame(Uint8Array.from(parts.flatMap((part) => [...part]))).kind;
}

function insert(cluster: VirtualCluster, id: number, from: number, to: number): void {
  for (let i = from; i < to; i++) {
    cluster.execute(id, 'INSERT INTO t VALUES (?, ?)', [i, 'x'.repeat(500)]);
  }
}

function checkpoint(cluster: VirtualCluster, { service }: VirtualMember): void {
  let taken = false;
  service.checkpoint((error) => {
    if (error) throw error;
    taken = true;
  });
  cluster.until(() => taken, 2000, 'no checkpoint');
}

describe('a command that keeps the leader busy', () => {
  const BUSY_MS = 6000;

  /** A cluster whose leader takes long over the next command, while nobody else does. */
  function withBusyLeader(seed: number): { cluster: VirtualCluster; arm: (id: number) => void } {
    let armed = 0;
    const engine = (real: Engine, id: number, runtime: { work(ms: number): void }): Engine => {
      const busy = (writer: Writer): Writer =>
        new Proxy(writer, {
          get(target, name) {
            const value = Reflect.get(target, name);
            if (typeof value !== 'function') return value;
            if (name !== 'beginCommand') return value.bind(target);
            return (...args: unknown[]): unknown => {
              if (armed === id) {
                armed = 0;
                runtime.work(BUSY_MS);
              }
              return value.apply(target, args);
            };
          },
        });
      return {
        ...real,
        id: real.id,
        capabilities: real.capabilities,
        openWriter: (store, host, limits) => busy(real.openWriter(store, host, limits)),
        openReaders: (store, host, limits) => real.openReaders(store, host, limits),
      };
    };
    const arm = (id: number): void => {
      armed = id;
    };
    return { cluster: founded(seed, { engine }), arm };
  }

  function run(slow: boolean): { elections: number; ok: boolean } {
    const { cluster, arm } = withBusyLeader(3);
    cluster.world.run(1000);
    const leader = cluster.leader()!;
    const { term } = leader.service.status();
    arm(leader.id);
    const operation = { op: 'execute', sql: 'INSERT INTO t (id) VALUES (1)', slow } as const;
    const write = startWrite(cluster, leader.service, '', {
      operation: (out) => writeOperation(out, operation),
      timeoutMs: 20_000,
    });
    cluster.world.run(BUSY_MS + 3000);
    cluster.until(() => write.answers > 0, 20_000, 'not answered');
    return { elections: cluster.elect().service.status().term - term, ok: write.outcome!.ok };
  }

  test('slow: the followers heard of it before it began, and wait', () => {
    expect(run(true)).toEqual({ elections: 0, ok: true });
  });

  test('not marked as slow: they elect another', () => {
    expect(run(false).elections).toBeGreaterThan(0);
  });
});
