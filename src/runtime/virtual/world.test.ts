import { describe, expect, test } from 'vitest';
import type { Link, LinkEvents } from '../../platform/links.ts';
import type { PathOptions, VirtualProcess, VirtualWorld } from './contract.ts';
import { createRandom } from './random.ts';
import { createVirtualWorld } from './world.ts';

const QUIET: LinkEvents = { opened() {}, message() {}, closed() {} };

/** Writes down when what happened. */
class Ear implements LinkEvents {
  readonly told: string[] = [];
  readonly messages: number[] = [];
  readonly #now: () => number;
  constructor(now: () => number = () => 0) {
    this.#now = now;
  }
  opened(): void {
    this.told.push(`${this.#now()} opened`);
  }
  message(bytes: Uint8Array): void {
    this.messages.push(bytes[0]!);
  }
  drained(): void {
    this.told.push(`${this.#now()} drained`);
  }
  closed(reason: string): void {
    this.told.push(`${this.#now()} closed: ${reason}`);
  }
}

interface Pair {
  readonly world: VirtualWorld;
  readonly one: VirtualProcess;
  readonly two: VirtualProcess;
  readonly link: Link;
  readonly near: Ear;
  readonly far: Ear;
  readonly farLinks: Link[];
}

/** Two processes, one millisecond apart, and a connection between them. */
function connectedPair(path: Partial<PathOptions> = {}, seed = 1): Pair {
  const world = createVirtualWorld(seed, { path: { latencyMs: [1, 1], ...path } });
  const one = world.createProcess('one');
  const two = world.createProcess('two');
  const near = new Ear(() => world.nowMs);
  const far = new Ear(() => world.nowMs);
  const farLinks: Link[] = [];
  two.listen('http://two', (link) => {
    farLinks.push(link);
    return far;
  });
  const link = one.dialer.dial('http://two/', near);
  expect(world.runUntil(() => near.told.length > 0, 1_000)).toBe(true);
  near.told.length = 0;
  return { world, one, two, link, near, far, farLinks };
}

function bytes(first: number, size = 1): Uint8Array {
  return new Uint8Array(size).fill(first);
}

describe('time', () => {
  test('passes only while the world runs, from event to event', () => {
    const world = createVirtualWorld(1);
    const { platform } = world.createProcess('one');
    const happened: string[] = [];
    platform.timers.after(2.5, () => happened.push(`b ${platform.clock.monotonicMs()}`));
    platform.timers.after(1, () => happened.push(`a ${platform.clock.monotonicMs()}`));
    const never = platform.timers.after(2, () => happened.push('never'));
    platform.timers.cancel(never);
    platform.timers.soon(() => happened.push('soon'));
    expect(happened).toEqual([]);
    world.run(1);
    expect(happened).toEqual(['soon', 'a 1']);
    world.run(10);
    expect(happened).toEqual(['soon', 'a 1', 'b 2.5']);
    expect(world.nowMs).toBe(11);
    expect(world.step()).toBe(false);
  });

  test('goes on however busily a process calls back', () => {
    const world = createVirtualWorld(1);
    const { timers } = world.createProcess('one').platform;
    let turns = 0;
    const again = (): void => {
      turns++;
      timers.soon(again);
    };
    again();
    world.run(1);
    expect(turns).toBeGreaterThan(100);
  });

  test('runs at different speeds, and walls jump', () => {
    const world = createVirtualWorld(1, { wallMs: 5_000 });
    const { platform, clock } = world.createProcess('one');
    clock.setDrift(100_000);
    let fired = -1;
    platform.timers.after(110, () => (fired = world.nowMs));
    world.run(100);
    expect(platform.clock.monotonicMs()).toBe(110);
    expect(fired).toBe(100);
    clock.setDrift(-500_000);
    world.run(100);
    expect(platform.clock.monotonicMs()).toBe(160);
    expect(platform.clock.wallMs()).toBe(5_160);
    clock.jumpWall(-3_600_000);
    expect(platform.clock.wallMs()).toBe(5_160 - 3_600_000);
    expect(platform.clock.monotonicMs()).toBe(160);
  });

  test('work takes time: what follows in the same callback happens later', () => {
    const { world, one, link, far } = connectedPair();
    const { platform } = one;
    let afterWork = 0;
    platform.timers.after(1, () => {
      one.work(50);
      afterWork = platform.clock.monotonicMs();
      link.send(bytes(1));
    });
    let late = 0;
    platform.timers.after(2, () => (late = platform.clock.monotonicMs()));
    world.run(51);
    expect(far.messages).toEqual([]);
    world.run(10);
    expect(far.messages).toEqual([1]);
    expect(afterWork).toBe(53);
    expect(late).toBe(53);
  });
});

describe('processes', () => {
  test('what a busy process has not sent yet when it is killed is never sent', () => {
    const { world, one, link, far } = connectedPair();
    one.platform.timers.after(1, () => {
      link.send(bytes(1));
      one.work(50);
      link.send(bytes(2));
    });
    world.run(20);
    one.kill();
    world.run(100);
    expect(far.messages).toEqual([1]);
  });

  test('nothing of a life outlives it; the next one starts with main, a new clock and other entropy', () => {
    const world = createVirtualWorld(1);
    const lives: string[] = [];
    const draws: string[] = [];
    const one = world.createProcess('one', (runtime) => {
      const life = runtime.starts;
      const drawn = new Uint8Array(4);
      runtime.platform.entropy.fill(drawn);
      draws.push(drawn.join());
      runtime.platform.timers.after(10, () => lives.push(`timer of ${life}`));
      runtime.platform.timers.soon(() => lives.push(`start ${life}`));
    });
    world.run(5);
    expect(world.nowMs - one.platform.clock.monotonicMs()).toBe(0);
    const bootId = one.platform.osBootId;
    one.kill();
    expect(one.alive).toBe(false);
    world.run(5);
    one.restart();
    world.run(1);
    expect(one.platform.clock.monotonicMs()).toBe(1);
    expect(one.platform.osBootId).toBe(bootId);
    world.run(100);
    expect(lives).toEqual(['start 1', 'start 2', 'timer of 2']);
    expect(draws[0]).not.toBe(draws[1]);
    one.crash();
    one.restart();
    expect(one.platform.osBootId).not.toBe(bootId);
  });

  test('a kill in the middle of a callback ends the rest of it', () => {
    const { world, one, link, far } = connectedPair();
    const file = one.folder('data').open('log', { create: true });
    const happened: string[] = [];
    one.platform.timers.after(1, () => {
      link.send(bytes(1));
      one.kill();
      link.send(bytes(2));
      happened.push('still here');
      file.write(bytes(1), 0);
      happened.push('not here');
    });
    world.run(100);
    expect(happened).toEqual(['still here']);
    expect(far.messages).toEqual([1]);
    expect(far.told).toEqual(['4 closed: connection reset']);
  });

  test('a paused process catches up: timers first, then messages', () => {
    const { world, two, link, far } = connectedPair();
    const order: string[] = [];
    two.platform.timers.after(5, () => order.push(`timer after ${far.messages.length} messages`));
    two.pause();
    link.send(bytes(1));
    link.send(bytes(2));
    world.run(1_000);
    expect(order).toEqual([]);
    expect(far.messages).toEqual([]);
    two.resume();
    world.run(1);
    expect(order).toEqual(['timer after 0 messages']);
    expect(far.messages).toEqual([1, 2]);
  });

  test('an error that leaves a callback names seed, time and process', () => {
    const world = createVirtualWorld('seven');
    world.createProcess('one').platform.timers.after(3, () => {
      throw new Error('broken');
    });
    expect(() => world.run(10)).toThrow('seed seven, 3 ms, one: broken');
    const told: string[] = [];
    const other = createVirtualWorld(7, { onError: ({ name }) => told.push(name) });
    other.createProcess('two', () => {
      throw new Error('broken');
    });
    other.run(1);
    expect(told).toEqual(['two']);
  });
});

describe('network', () => {
  test('messages arrive in order, a latency later, and a close after them', () => {
    const { world, link, far, near } = connectedPair({ latencyMs: [1, 20] }, 5);
    for (let i = 0; i < 50; i++) link.send(bytes(i));
    link.close('done');
    link.send(bytes(99));
    world.run(100);
    expect(far.messages).toEqual(Array.from({ length: 50 }, (_, i) => i));
    expect(far.told.length).toBe(1);
    expect(far.told[0]).toContain('closed: done');
    expect(near.told).toEqual([]);
  });

  test('nobody listens, nobody is there, nobody hears', () => {
    const world = createVirtualWorld(1, { path: { latencyMs: [1, 1] } });
    const one = world.createProcess('one');
    const two = world.createProcess('two');
    const tries = ['http://nowhere', 'http://two'].map((url) => {
      const ear = new Ear();
      if (url === 'http://two') two.listen(url, () => QUIET)();
      one.dialer.dial(url, ear);
      return ear;
    });
    world.run(10);
    expect(tries[0]!.told).toEqual(['0 closed: no such host']);
    expect(tries[1]!.told).toEqual(['0 closed: connection refused']);
    two.listen('http://two', () => QUIET);
    const silent = new Ear();
    world.network.isolate('two');
    one.dialer.dial('http://two', silent);
    world.run(5_000);
    expect(silent.told).toEqual([]);
    world.network.healAll();
    world.run(2_000);
    expect(silent.told).toEqual(['0 opened']);
  });

  test('a cut holds back what a reliable path carries, one way only', () => {
    const { world, link, near, far, farLinks } = connectedPair();
    world.network.cut('one', 'two');
    link.send(bytes(1));
    farLinks[0]!.send(bytes(7));
    world.run(1_000);
    expect(far.messages).toEqual([]);
    expect(near.messages).toEqual([7]);
    link.send(bytes(2));
    world.network.heal('one', 'two');
    world.run(10);
    expect(far.messages).toEqual([1, 2]);
  });

  test('a cut loses what a lossy path carries; a clog does not', () => {
    const { world, link, far } = connectedPair({ lossy: true, spared: 0 });
    world.network.cut('one', 'two');
    link.send(bytes(1));
    world.run(10);
    world.network.heal('one', 'two');
    link.send(bytes(2));
    world.run(10);
    expect(far.messages).toEqual([2]);
    world.network.clog('one', 'two');
    link.send(bytes(3));
    world.run(10);
    expect(far.messages).toEqual([2]);
    world.network.unclog('one', 'two');
    world.run(10);
    expect(far.messages).toEqual([2, 3]);
  });

  test('a lossy path loses, repeats and swaps whole messages, never the spared ones', () => {
    const { world, link, far } = connectedPair(
      { lossy: true, loss: 0.2, duplicate: 0.2, reorder: 0.2, spared: 10 },
      3,
    );
    for (let i = 0; i < 200; i++) link.send(bytes(i));
    world.run(100);
    const got = far.messages;
    expect(got.slice(0, 10)).toEqual([0, 1, 2, 3, 4, 5, 6, 7, 8, 9]);
    const distinct = new Set(got);
    expect(distinct.size).toBeLessThan(190);
    expect(distinct.size).toBeGreaterThan(120);
    expect(got.length).toBeGreaterThan(distinct.size);
    expect(got.some((value, i) => i > 0 && value < got[i - 1]!)).toBe(true);
  });

  test('partitions separate groups, and those in no group', () => {
    const world = createVirtualWorld(1);
    const processes = ['a', 'b', 'c', 'd'].map((name) => {
      const process = world.createProcess(name);
      process.listen(`http://${name}`, () => QUIET);
      return process;
    });
    world.network.partition(['a', 'b'], ['c']);
    const reached: string[] = [];
    for (const from of processes) {
      for (const to of processes) {
        if (from === to) continue;
        const opened = (): void => void reached.push(`${from.name}${to.name}`);
        from.dialer.dial(`http://${to.name}`, { ...QUIET, opened });
      }
    }
    world.run(500);
    expect(reached.sort()).toEqual(['ab', 'ba']);
    world.network.healAll();
    world.run(2_000);
    expect(reached.length).toBe(12);
  });

  test('a reset breaks a connection on both sides and loses what is in flight', () => {
    const { world, link, near, far } = connectedPair();
    link.send(bytes(1));
    world.network.reset('two', 'one');
    world.run(10);
    expect(far.messages).toEqual([]);
    expect(near.told).toEqual(['2 closed: connection reset']);
    expect(far.told).toEqual(['2 closed: connection reset']);
  });

  test('a killed process closes its connections; a machine without power says nothing until it is back', () => {
    const killed = connectedPair();
    killed.two.kill();
    killed.world.run(10);
    expect(killed.near.told).toEqual(['3 closed: connection reset']);

    const crashed = connectedPair();
    crashed.two.crash();
    crashed.link.send(bytes(1));
    crashed.world.run(60_000);
    expect(crashed.near.told).toEqual([]);
    crashed.two.restart();
    crashed.world.run(10);
    expect(crashed.near.told).toEqual(['60004 closed: connection reset']);
  });

  test('a receiver that does not read fills the buffers, and draining is told', () => {
    const { world, two, link, near, far } = connectedPair({ socketBytes: 1_000 });
    two.pause();
    for (let i = 0; i < 5; i++) link.send(bytes(i, 400));
    world.run(10);
    expect(link.bufferedBytes).toBe(1_000);
    two.resume();
    world.run(10);
    expect(link.bufferedBytes).toBe(0);
    expect(far.messages).toEqual([0, 1, 2, 3, 4]);
    expect(near.told).toEqual(['12 drained']);
  });

  test('a narrow path takes its time', () => {
    const { world, link, far } = connectedPair({ bytesPerMs: 10 });
    link.send(bytes(1, 100));
    link.send(bytes(2, 100));
    world.run(10.5);
    expect(far.messages).toEqual([]);
    world.run(1);
    expect(far.messages).toEqual([1]);
    world.run(10);
    expect(far.messages).toEqual([1, 2]);
  });
});

describe('disk', () => {
  function writeAndSync(process: VirtualProcess): void {
    const folder = process.folder('data');
    const file = folder.open('log', { create: true });
    file.write(bytes(1, 600), 0);
    file.sync();
    folder.syncFolder();
    file.write(bytes(2, 600), 600);
  }

  test('kill -9 keeps what was written, a power loss what was synced, wipe nothing', () => {
    const world = createVirtualWorld(1);
    const one = world.createProcess('one');
    writeAndSync(one);
    one.kill();
    one.restart();
    expect(one.folder('data').open('log', { create: false }).size()).toBe(1_200);
    one.crash({ survives: () => false });
    one.restart();
    expect(one.folder('data').open('log', { create: false }).size()).toBe(600);
    one.kill();
    one.wipe();
    one.restart();
    expect(one.folder('data').list()).toEqual([]);
  });

  test('by default chance decides what a power loss leaves', () => {
    const sizes = new Set<number>();
    for (let seed = 0; seed < 40; seed++) {
      const world = createVirtualWorld(seed);
      const one = world.createProcess('one');
      writeAndSync(one);
      one.crash();
      sizes.add(one.disk.folder('data').contentOf('log').length);
    }
    expect([...sizes].sort((a, b) => a - b)).toEqual([600, 1_024, 1_200]);
  });

  test('a blocking sync stops its process, one on a thread does not', () => {
    const world = createVirtualWorld(1, { disk: { syncMs: [20, 20] } });
    const one = world.createProcess('one');
    const file = one.folder('data').open('log', { create: true });
    const happened: string[] = [];
    const { platform } = one;
    const mark = (what: string): void =>
      void happened.push(`${what} ${platform.clock.monotonicMs()}`);
    platform.timers.after(1, () => {
      file.syncAsync(() => mark('synced on a thread'));
      mark('asked');
    });
    platform.timers.after(10, () => mark('timer'));
    platform.timers.after(30, () => {
      file.sync();
      mark('synced');
    });
    platform.timers.after(31, () => mark('late timer'));
    world.run(100);
    expect(happened).toEqual([
      'asked 1',
      'timer 10',
      'synced on a thread 21',
      'synced 50',
      'late timer 50',
    ]);
  });

  test('a hanging disk', () => {
    const world = createVirtualWorld(1);
    const one = world.createProcess('one');
    const file = one.folder('data').open('log', { create: true });
    one.disk.hang(5_000);
    let synced = 0;
    file.syncAsync(() => (synced = world.nowMs));
    world.run(10_000);
    expect(synced).toBe(5_000);
  });

  test('a planned crash ends the process at that very operation', () => {
    const { world, one, link, far } = connectedPair();
    const file = one.folder('data').open('log', { create: true });
    one.disk.plan = ({ kind }) => (kind === 'sync' ? { type: 'crash' } : null);
    one.platform.timers.after(1, () => {
      file.write(bytes(1), 0);
      link.send(bytes(1));
      file.sync();
      link.send(bytes(2));
    });
    world.run(10);
    expect(one.alive).toBe(false);
    expect(far.messages).toEqual([1]);
    one.crash({ survives: () => false });
    one.disk.plan = null;
    one.restart();
    expect(one.folder('data').list()).toEqual([]);
  });
});

describe('randomness', () => {
  test('streams of one seed are alike, those of different names and seeds are not', () => {
    const draw = (seed: number, name: string): string => {
      const random = createRandom(seed).split(name);
      return Array.from({ length: 4 }, () => random.u32()).join();
    };
    expect(draw(1, 'a')).toBe(draw(1, 'a'));
    expect(new Set([draw(1, 'a'), draw(1, 'b'), draw(2, 'a'), draw(12, '')]).size).toBe(4);
    const parent = createRandom(1);
    parent.u32();
    expect(parent.split('a').u32()).toBe(createRandom(1).split('a').u32());
  });

  test('the stream of a seed never changes: recorded seeds must keep their meaning', () => {
    const random = createRandom(1);
    expect([random.u32(), random.u32(), random.below(1_000)]).toMatchInlineSnapshot(`
      [
        147628027,
        4032987792,
        503,
      ]
    `);
  });

  test('integers are even, and bounds are kept', () => {
    const random = createRandom(3);
    const counts = new Array<number>(6).fill(0);
    for (let i = 0; i < 60_000; i++) counts[random.between(0, 5)]!++;
    for (const count of counts) expect(Math.abs(count - 10_000)).toBeLessThan(500);
    expect(random.shuffle([1, 2, 3, 4, 5]).sort()).toEqual([1, 2, 3, 4, 5]);
    expect(random.chance(0)).toBe(false);
    expect(random.chance(1)).toBe(true);
  });
});
