/** Real transports on virtual links: whatever happens, peace brings back one working connection for every pair. */
import { describe, expect, test } from 'vitest';
import { silentLogger } from '../../telemetry/logger.ts';
import {
  type Hello,
  Lane,
  type Peer,
  type Transport,
  type TransportHandler,
} from '../../transport/contract.ts';
import { createLinkTransport } from '../../transport/link-transport.ts';
import type { PathOptions, VirtualProcess, VirtualWorld } from './contract.ts';
import { createVirtualWorld } from './world.ts';

const SEEDS = 25;
const SIZE = 4;

/** A node that pings its peers every 50 ms and counts what comes back. */
class Pinger implements TransportHandler {
  readonly transport: Transport;
  /** Peers by replica, as `up` and `down` tell. */
  readonly up_ = new Map<number, Peer>();
  /** Pings answered since the last `reset`, by replica. */
  readonly answers = new Map<number, number>();
  readonly #self: Hello;

  constructor(process: VirtualProcess, number: number, urls: readonly string[]) {
    const { platform, dialer } = process;
    this.#self = {
      cluster: 1,
      replica: 1000 + number,
      node: number,
      url: urls[number - 1]!,
      boot: process.starts,
      recovering: false,
      sync: 'durable',
      index: 0,
      pristine: false,
      engine: 'none',
      protocol: [1, 1],
      nodes: urls.map((_, i) => i + 1),
      role: 'voter',
    };
    this.transport = createLinkTransport({
      dialer,
      platform,
      secret: 'sixteen characters',
      logger: silentLogger,
    });
    this.transport.start(this);
    process.listen(this.#self.url, (link, remote) => this.transport.accept(link, remote));
    this.transport.setPeers(urls.map((url, i) => ({ node: i + 1, url })));
    const ping = (): void => {
      for (const replica of this.up_.keys()) {
        this.transport.send(replica, Lane.control, [new Uint8Array([1])]);
      }
      platform.timers.after(50, ping);
    };
    ping();
  }

  hello(): Hello {
    return this.#self;
  }

  admit(): null {
    return null;
  }

  up(peer: Peer): void {
    expect(this.up_.has(peer.hello.replica)).toBe(false);
    this.up_.set(peer.hello.replica, peer);
  }

  down(peer: Peer): void {
    expect(this.up_.get(peer.hello.replica)).toBe(peer);
    this.up_.delete(peer.hello.replica);
  }

  frame(peer: Peer, _lane: Lane, bytes: Uint8Array): void {
    const { replica } = peer.hello;
    expect(this.up_.get(replica)).toBe(peer);
    if (bytes[0] === 1) this.transport.send(replica, Lane.control, [new Uint8Array([2])]);
    else this.answers.set(replica, (this.answers.get(replica) ?? 0) + 1);
  }

  refused(url: string, reason: string): void {
    // An older boot may still knock after a newer one is known; nothing else may be refused here.
    expect(`${url}: ${reason}`).toContain('older boot');
  }
}

interface Cluster {
  readonly world: VirtualWorld;
  readonly nodes: (Pinger | null)[];
}

function createCluster(seed: number, path: Partial<PathOptions> = {}): Cluster {
  const world = createVirtualWorld(seed, { path, driftPpm: 5_000 });
  const urls = Array.from({ length: SIZE }, (_, i) => `http://node-${i + 1}:4001`);
  const nodes: (Pinger | null)[] = urls.map(() => null);
  for (let i = 0; i < SIZE; i++) {
    world.createProcess(`node-${i + 1}`, (runtime) => {
      nodes[i] = new Pinger(runtime, i + 1, urls);
    });
  }
  return { world, nodes };
}

function allConnected({ nodes }: Cluster): boolean {
  return nodes.every((node) => node !== null && node.up_.size === SIZE - 1);
}

/** One random fault. */
function disturb({ world }: Cluster): void {
  const random = world.random.split(`fault at ${world.nowMs}`);
  const process = random.pick(world.processes);
  const other = random.pick(world.processes);
  const { network } = world;
  const faults: (() => void)[] = [
    () => process.restart(),
    () => process.kill(),
    () => process.crash({ silent: random.chance(0.5) }),
    () => (process.alive && !process.paused ? process.pause() : undefined),
    () => (process.alive && process.paused ? process.resume() : undefined),
    () => network.cut(process.name, other.name),
    () => network.isolate(process.name),
    () => network.partition([process.name, other.name]),
    () => network.reset(process.name, other.name),
    () => network.clog(process.name, other.name),
    () => network.healAll(),
    () => process.disk.hang(500),
    () => process.alive && process.work(random.between(1, 800)),
  ];
  random.pick(faults)();
}

function makePeace({ world }: Cluster): void {
  world.network.healAll();
  world.network.setAllPaths({ lossy: false });
  for (const process of world.processes) {
    if (process.paused) process.resume();
    if (!process.alive) process.restart();
  }
}

describe('a cluster of transports in a virtual world', () => {
  test('connects, and every pair has one connection that works both ways', () => {
    const cluster = createCluster(1);
    expect(cluster.world.runUntil(() => allConnected(cluster), 1_000)).toBe(true);
    cluster.world.run(500);
    for (const node of cluster.nodes) {
      expect(node!.answers.size).toBe(SIZE - 1);
      for (const count of node!.answers.values()) expect(count).toBeGreaterThan(8);
    }
  });

  test('the same seed gives the same trace, another seed another one', () => {
    const traces = [11, 11, 12].map((seed) => {
      const cluster = createCluster(seed, { latencyMs: [0.1, 30] });
      for (let i = 0; i < 20; i++) {
        cluster.world.run(100);
        disturb(cluster);
      }
      return cluster.world.traceHash();
    });
    expect(traces[0]).toBe(traces[1]);
    expect(traces[0]).not.toBe(traces[2]);
  });

  test('a host that falls silent is noticed by missed heartbeats, and comes back', () => {
    const cluster = createCluster(2);
    const { world, nodes } = cluster;
    world.runUntil(() => allConnected(cluster), 1_000);
    world.network.isolate('node-2');
    const others = (): Pinger[] => [nodes[0]!, nodes[2]!, nodes[3]!];
    world.run(1_000);
    expect(others().every((node) => node.up_.has(1002))).toBe(true);
    world.run(2_500);
    expect(others().some((node) => node.up_.has(1002))).toBe(false);
    expect(nodes[1]!.up_.size).toBe(0);
    world.network.healAll();
    expect(world.runUntil(() => allConnected(cluster), 6_000)).toBe(true);
  });

  test('a process that was stopped for long finds its connections as they are (T1)', () => {
    const cluster = createCluster(3);
    const { world, nodes } = cluster;
    world.runUntil(() => allConnected(cluster), 1_000);
    const two = world.processes[1]!;
    two.pause();
    // Shorter than its peers' patience: nobody closes anything, whatever its own clock says after it.
    world.run(1_500);
    const before = [...nodes[1]!.up_.values()];
    two.resume();
    world.run(1_000);
    expect([...nodes[1]!.up_.values()]).toEqual(before);
  });

  test(`after any faults, peace connects everybody (${SEEDS} seeds)`, () => {
    for (let seed = 100; seed < 100 + SEEDS; seed++) {
      const slow = seed % 3 === 0 ? 40 : 1;
      const lossy = seed % 4 === 0;
      const cluster = createCluster(seed, {
        latencyMs: [0.1, slow],
        lossy,
        loss: 0.05,
        duplicate: 0.05,
        reorder: 0.05,
      });
      const { world, nodes } = cluster;
      for (let i = 0; i < 25; i++) {
        world.run(world.random.split(`pause ${i}`).between(1, 400));
        disturb(cluster);
      }
      makePeace(cluster);
      expect(
        world.runUntil(() => allConnected(cluster), 15_000),
        `seed ${seed}`,
      ).toBe(true);
      world.run(4_000);
      for (const node of nodes) node!.answers.clear();
      world.run(500);
      for (const node of nodes) {
        expect(node!.up_.size, `seed ${seed}`).toBe(SIZE - 1);
        expect(node!.answers.size, `seed ${seed}`).toBe(SIZE - 1);
      }
    }
  });
});
