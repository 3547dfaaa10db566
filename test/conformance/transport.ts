/**
 * The suite that every transport passes, whatever its links run over. A medium brings its own time: `until` lets it pass
 * until a condition holds, in virtual or in real milliseconds, and fails after a bound that is no part of any result.
 */
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import type { Dialer, Link, LinkEvents } from '../../src/platform/links.ts';
import {
  type Hello,
  Lane,
  type Peer,
  REPLACED,
  type Transport,
  type TransportHandler,
} from '../../src/transport/contract.ts';
import { FrameKind, frameTemplate, joinFrame } from '../../src/transport/frames.ts';
import { encodeIntroduction } from '../../src/transport/handshake.ts';
import { encodeHello } from '../../src/transport/hello.ts';
import type { TransportLimits } from '../../src/transport/limits.ts';

/** One endpoint of a medium: a process, or something like it. */
export interface TransportHost {
  /** Where others dial it. */
  readonly url: string;
  readonly dialer: Dialer;
  createTransport(secret: string | null, limits: Partial<TransportLimits>): Transport;
  /** Hands accepted links to `accept`, from now on. */
  listen(accept: (link: Link, remote: string) => LinkEvents): void;
  /** Breaks the connections that this host accepted, without a goodbye, and refuses new ones. */
  breakOff(): void;
  /** Takes connections again. */
  comeBack(): void;
}

/** Something that transports talk over. */
export interface TransportMedium {
  host(name: string): Promise<TransportHost>;
  until(condition: () => boolean, what: string): Promise<void>;
  /** Lets everything happen that is about to. */
  settle(): Promise<void>;
  dispose(): Promise<void>;
}

interface Received {
  readonly from: number;
  readonly lane: Lane;
  readonly bytes: Uint8Array;
}

const SECRET = 'a secret that only nodes know';

/** A transport with a handler that writes down what it is told. */
class Node implements TransportHandler {
  readonly host: TransportHost;
  readonly transport: Transport;
  readonly received: Received[] = [];
  readonly log: string[] = [];
  readonly refusals: string[] = [];
  self: Hello;
  admitted: (peer: Hello) => string | null = () => null;
  onFrame: (peer: Peer) => void = () => {};

  constructor(
    host: TransportHost,
    self: Hello,
    secret: string | null,
    limits: Partial<TransportLimits>,
  ) {
    this.host = host;
    this.self = self;
    this.transport = host.createTransport(secret, limits);
    this.transport.start(this);
    host.listen((link, remote) => this.transport.accept(link, remote));
  }

  hello(): Hello {
    return this.self;
  }

  admit(peer: Hello): string | null {
    return this.admitted(peer);
  }

  up(peer: Peer): void {
    this.log.push(`up ${peer.hello.node}`);
  }

  changed(peer: Peer): void {
    this.log.push(`changed ${peer.hello.node} cluster ${peer.hello.cluster}`);
  }

  down(peer: Peer, reason: string, clean: boolean): void {
    this.log.push(
      `down ${peer.hello.node} ${clean ? 'clean' : reason === REPLACED ? 'replaced' : 'lost'}`,
    );
  }

  frame(peer: Peer, lane: Lane, bytes: Uint8Array): void {
    this.received.push({ from: peer.hello.replica, lane, bytes });
    this.onFrame(peer);
  }

  refused(_url: string, reason: string): void {
    this.refusals.push(reason);
  }

  dial(...others: readonly Node[]): void {
    this.transport.setPeers(others.map(({ self, host }) => ({ node: self.node, url: host.url })));
  }

  sees(other: Node): boolean {
    return this.transport.peers().some((peer) => peer.hello.replica === other.self.replica);
  }
}

/** A link's other side, in the hands of a stranger. */
class Stranger implements LinkEvents {
  link: Link | null = null;
  readonly messages: Uint8Array[] = [];
  isOpen = false;
  closedBecause: string | null = null;
  opened(): void {
    this.isOpen = true;
  }
  message(bytes: Uint8Array): void {
    this.messages.push(bytes);
  }
  closed(reason: string): void {
    this.closedBecause = reason;
  }
}

function helloOf(node: number, change: Partial<Hello> = {}): Hello {
  return {
    cluster: 77,
    replica: 9_007_199_254_740_000 + node,
    node,
    url: `http://node-${node}:4001`,
    boot: 1,
    recovering: false,
    sync: 'durable',
    index: 12,
    pristine: false,
    engine: 'sqlite/3/abc',
    protocol: [1, 1],
    nodes: [1, 2, 3],
    role: 'voter',
    ...change,
  };
}

function text(value: string): Uint8Array {
  return new TextEncoder().encode(value);
}

function textOf(bytes: Uint8Array): string {
  return new TextDecoder().decode(bytes);
}

/**
 * Runs the suite.
 *
 * @param createMedium called for every test.
 */
export function testTransport(name: string, createMedium: () => Promise<TransportMedium>): void {
  describe(`transport over ${name}`, () => {
    let medium: TransportMedium;
    let nodes: Node[] = [];
    let hosts = 0;

    beforeEach(async () => {
      medium = await createMedium();
      nodes = [];
      hosts = 0;
    });

    afterEach(async () => {
      for (const node of nodes) node.transport.close();
      await medium.dispose();
    });

    async function start(
      number: number,
      change: Partial<Hello> = {},
      secret: string | null = SECRET,
      limits: Partial<TransportLimits> = {},
    ): Promise<Node> {
      const host = await medium.host(`host-${++hosts}`);
      const node = new Node(host, helloOf(number, change), secret, {
        redialMinMs: 5,
        redialMaxMs: 40,
        heartbeatMs: 50,
        missedHeartbeats: 20,
        ...limits,
      });
      nodes.push(node);
      return node;
    }

    async function connected(one: Node, other: Node): Promise<void> {
      await medium.until(
        () => one.sees(other) && other.sees(one),
        `nodes ${one.self.node} and ${other.self.node} to be connected`,
      );
    }

    async function stranger(node: Node): Promise<Stranger> {
      const host = await medium.host(`host-${++hosts}`);
      const events = new Stranger();
      events.link = host.dialer.dial(node.host.url, events);
      await medium.until(() => events.isOpen, 'a stranger to reach a node');
      return events;
    }

    describe('connecting', () => {
      test('either side may dial; both learn who the other is, and frames go both ways', async () => {
        const one = await start(1);
        const two = await start(2, { index: 34, recovering: true, role: 'learner', sync: 'os' });
        one.dial(two);
        await connected(one, two);
        expect(one.transport.peers()[0]?.hello).toEqual(two.self);
        expect(two.transport.peers()[0]?.hello).toEqual(one.self);

        expect(one.transport.send(two.self.replica, Lane.control, [text('he'), text('llo')])).toBe(
          true,
        );
        expect(two.transport.send(one.self.replica, Lane.bulk, [text('hi')])).toBe(true);
        await medium.until(() => one.received.length + two.received.length === 2, 'two frames');
        expect(textOf(two.received[0]!.bytes)).toBe('hello');
        expect(two.received[0]!.lane).toBe(Lane.control);
        expect(two.received[0]!.from).toBe(one.self.replica);
        expect(textOf(one.received[0]!.bytes)).toBe('hi');
        expect(one.received[0]!.lane).toBe(Lane.bulk);
        expect(one.transport.stats).toMatchObject({
          framesSent: 1,
          framesReceived: 1,
          framesDropped: 0,
        });
      });

      test('frames of a lane arrive in order and empty ones arrive, too', async () => {
        const [one, two] = [await start(1), await start(2)];
        one.dial(two);
        await connected(one, two);
        for (let i = 0; i < 200; i++) {
          const body = i % 10 === 0 ? [] : [text(`${i}`), text('!')];
          one.transport.send(two.self.replica, Lane.bulk, body);
        }
        await medium.until(() => two.received.length === 200, '200 frames');
        const expected = Array.from({ length: 200 }, (_, i) => (i % 10 === 0 ? '' : `${i}!`));
        expect(two.received.map(({ bytes }) => textOf(bytes))).toEqual(expected);
      });

      test('both dial at the same time: one connection is left, and nobody saw it go down', async () => {
        const [one, two, three] = [await start(1), await start(2), await start(3)];
        one.dial(two, three);
        two.dial(one, three);
        three.dial(one, two);
        await connected(one, two);
        await connected(one, three);
        await connected(two, three);
        await medium.settle();
        for (const node of [one, two, three]) {
          expect(node.log.filter((line) => line.startsWith('down'))).toEqual([]);
          expect(node.transport.peers().length).toBe(2);
          expect(node.refusals).toEqual([]);
        }
        // The one that is left works both ways.
        one.transport.send(two.self.replica, Lane.control, [text('a')]);
        two.transport.send(one.self.replica, Lane.control, [text('b')]);
        await medium.until(() => one.received.length + two.received.length === 2, 'two frames');
      });

      test('a node that is not there yet is dialled until it is', async () => {
        const [one, two] = [await start(1), await start(2)];
        two.host.breakOff();
        one.dial(two);
        await medium.settle();
        expect(one.transport.peers()).toEqual([]);
        expect(one.transport.send(two.self.replica, Lane.control, [text('x')])).toBe(false);
        expect(one.transport.stats.framesDropped).toBe(1);
        two.host.comeBack();
        await connected(one, two);
      });

      test('a broken connection is told at once, and dialled again', async () => {
        const [one, two] = [await start(1), await start(2)];
        one.dial(two);
        await connected(one, two);
        const before = one.transport.peers()[0]!.connection;
        two.host.breakOff();
        await medium.until(() => !one.sees(two) && !two.sees(one), 'both to notice');
        expect(one.log).toEqual(['up 2', 'down 2 lost']);
        two.host.comeBack();
        await connected(one, two);
        expect(one.transport.peers()[0]!.connection).toBeGreaterThan(before);
      });

      test('a node never connects to itself', async () => {
        const one = await start(1);
        one.transport.setPeers([{ node: 0, url: one.host.url }]);
        await medium.until(() => one.refusals.length > 0, 'a refusal');
        expect(one.refusals[0]).toContain('reached itself');
        expect(one.transport.peers()).toEqual([]);
      });

      test('a newer boot replaces what is left of an older one, never the other way round', async () => {
        const one = await start(1);
        const old = await start(2);
        old.dial(one);
        await connected(one, old);
        const young = await start(2, { boot: 2 });
        old.transport.setPeers([]);
        young.dial(one);
        await medium.until(() => one.log.length === 3, 'the newer boot to take over');
        expect(one.log).toEqual(['up 2', 'down 2 replaced', 'up 2']);
        expect(one.transport.peers()[0]?.hello.boot).toBe(2);
        old.dial(one);
        await medium.until(() => old.refusals.length > 0, 'the old boot to be refused');
        expect(old.refusals[0]).toContain('older boot');
        expect(one.transport.peers()[0]?.hello.boot).toBe(2);
      });
    });

    describe('refusing', () => {
      async function refusal(one: Node, two: Node, words: string): Promise<void> {
        one.dial(two);
        await medium.until(
          () => one.refusals.length > 0 && two.refusals.length > 0,
          'both sides to hear of the refusal',
        );
        expect(one.refusals[0]).toContain(words);
        expect(two.refusals[0]).toContain(words);
        await medium.settle();
        expect([...one.transport.peers(), ...two.transport.peers()]).toEqual([]);
        expect([...one.log, ...two.log]).toEqual([]);
        // Redialling goes on, telling it does not.
        expect(one.refusals.length).toBe(1);
      }

      test('another secret', async () => {
        const one = await start(1);
        const two = await start(2, {}, 'another secret, long enough');
        await refusal(one, two, 'secrets differ');
      });

      test('no secret against one', async () => {
        await refusal(await start(1, {}, null), await start(2), 'secrets differ');
      });

      test('another cluster (M7)', async () => {
        await refusal(
          await start(1, { cluster: 1 }),
          await start(2, { cluster: 2 }),
          'another cluster',
        );
      });

      test('another protocol version', async () => {
        const one = await start(1, { protocol: [1, 2] });
        await refusal(one, await start(2, { protocol: [3, 4] }), 'another protocol version');
      });

      test('by the dialler: it sees who answers, and the acceptor hears why', async () => {
        const [one, two] = [await start(1), await start(2)];
        one.admitted = () => 'removed at index 9 (M9)';
        await refusal(one, two, 'removed at index 9');
      });

      test('by the acceptor', async () => {
        const [one, two] = [await start(1), await start(2)];
        two.admitted = (peer) => `node ${peer.node} is somebody else`;
        await refusal(one, two, 'node 1 is somebody else');
      });

      test('a node under the address of another one', async () => {
        const [one, two] = [await start(1), await start(2)];
        one.transport.setPeers([{ node: 3, url: two.host.url }]);
        await medium.until(() => one.refusals.length > 0, 'a refusal');
        expect(one.refusals[0]).toContain('node 2 answers under the address of node 3');
      });

      test('nodes that belong to no cluster talk to any; the newest protocol of both is spoken', async () => {
        const one = await start(1, { cluster: 0, protocol: [1, 2] });
        const two = await start(2, { cluster: 5, protocol: [2, 9] });
        one.dial(two);
        await connected(one, two);
        one.transport.send(two.self.replica, Lane.control, [text('x')]);
        await medium.until(() => two.received.length === 1, 'a frame');
      });
    });

    describe('changing one’s mind', () => {
      test('a fresh hello is told and admitted again', async () => {
        const [one, two] = [await start(1, { cluster: 0 }), await start(2, { cluster: 0 })];
        one.dial(two);
        await connected(one, two);
        one.self = { ...one.self, cluster: 8, index: 99 };
        one.transport.refreshHello();
        await medium.until(() => two.log.includes('changed 1 cluster 8'), 'the fresh hello');
        expect(two.transport.peers()[0]?.hello.index).toBe(99);
        two.self = { ...two.self, cluster: 8 };
        two.transport.refreshHello();
        await medium.until(() => one.log.includes('changed 2 cluster 8'), 'the answer');
        one.transport.send(two.self.replica, Lane.control, [text('x')]);
        await medium.until(() => two.received.length === 1, 'a frame');
      });

      test('a node that joins a cluster during the handshake tells so right after it', async () => {
        const [one, two] = [await start(1, { cluster: 0 }), await start(2, { cluster: 0 })];
        two.admitted = () => {
          two.self = { ...two.self, cluster: 8 };
          return null;
        };
        one.dial(two);
        await medium.until(() => one.log.includes('changed 2 cluster 8'), 'the fresh hello');
        expect(one.log).toEqual(['up 2', 'changed 2 cluster 8']);
      });

      test('two nodes that join different clusters part', async () => {
        const [one, two] = [await start(1, { cluster: 0 }), await start(2, { cluster: 0 })];
        one.dial(two);
        await connected(one, two);
        two.self = { ...two.self, cluster: 6 };
        one.self = { ...one.self, cluster: 5 };
        one.transport.refreshHello();
        await medium.until(() => one.refusals.length + two.refusals.length >= 2, 'both to part');
        expect(one.refusals[0]).toContain('another cluster');
        expect(two.refusals[0]).toContain('another cluster');
        expect(one.sees(two)).toBe(false);
      });

      test('a frame of another cluster ends the connection, whatever was said before (M7)', async () => {
        const [one, two] = [await start(1), await start(2)];
        one.dial(two);
        await connected(one, two);
        // Node 2 joins another cluster and looks at its own hello without telling it yet.
        two.self = { ...two.self, cluster: 78 };
        two.transport.setPeers([]);
        one.transport.send(two.self.replica, Lane.control, [text('vote')]);
        await medium.until(() => one.refusals.length > 0 && two.refusals.length > 0, 'a refusal');
        expect(one.refusals[0]).toBe('a frame of another cluster');
        expect(two.received).toEqual([]);
      });

      test('a fresh hello that is not admitted ends the connection', async () => {
        const [one, two] = [await start(1), await start(2)];
        one.dial(two);
        await connected(one, two);
        two.admitted = (peer) => (peer.index === 99 ? 'not with that index' : null);
        one.self = { ...one.self, index: 99 };
        one.transport.refreshHello();
        await medium.until(() => one.refusals.length > 0 && two.refusals.length > 0, 'a refusal');
        expect(one.refusals[0]).toBe('not with that index');
        expect(two.log).toEqual(['up 1', 'down 1 lost']);
      });

      test('a goodbye is clean, and nothing is heard after close', async () => {
        const [one, two] = [await start(1), await start(2)];
        one.dial(two);
        await connected(one, two);
        two.transport.close();
        await medium.until(() => one.log.includes('down 2 clean'), 'the goodbye');
        await medium.settle();
        expect(two.log).toEqual(['up 1']);
        expect(two.transport.peers()).toEqual([]);
        expect(two.transport.send(one.self.replica, Lane.control, [text('x')])).toBe(false);
      });
    });

    describe('strangers', () => {
      async function gone(events: Stranger): Promise<void> {
        await medium.until(() => events.closedBecause !== null, 'the stranger to be sent away');
      }

      test('garbage as first bytes', async () => {
        const one = await start(1);
        const events = await stranger(one);
        events.link!.send(text('GET / HTTP/1.1 and some more words, longer than a header'));
        await gone(events);
        expect(one.refusals[0]).toContain('not a frame of Quorlite');
      });

      test('a frame of a later handshake', async () => {
        const one = await start(1);
        const events = await stranger(one);
        events.link!.send(joinFrame(frameTemplate(9, 0, 5, 0), FrameKind.start, [text('future')]));
        await gone(events);
        expect(one.refusals[0]).toContain('another handshake version: 9');
      });

      test('frames before a proof', async () => {
        const one = await start(1);
        const events = await stranger(one);
        events.link!.send(joinFrame(frameTemplate(0, 0, 5, 0), FrameKind.control, [text('vote')]));
        await gone(events);
        expect(one.refusals[0]).toContain('out of its turn');
        expect(one.received).toEqual([]);
      });

      test('a hello with a wrong proof, and one that is its own', async () => {
        const one = await start(1);
        const events = await stranger(one);
        const template = frameTemplate(0, 77, 5, 0);
        const introduction = encodeIntroduction({
          nonce: new Uint8Array(32),
          hello: encodeHello(helloOf(2)),
        });
        events.link!.send(joinFrame(template, FrameKind.start, [introduction]));
        await medium.until(() => events.messages.length > 0, 'the challenge');
        events.link!.send(joinFrame(template, FrameKind.proof, [new Uint8Array(32)]));
        await gone(events);
        expect(one.refusals[0]).toContain('secrets differ');
        expect(one.log).toEqual([]);
      });

      test('more bytes than a handshake takes', async () => {
        const one = await start(1);
        const events = await stranger(one);
        events.link!.send(new Uint8Array(1024 * 1024));
        await gone(events);
        expect(one.log).toEqual([]);
      });

      test('silence is not waited for longer than a handshake takes', async () => {
        const one = await start(1, {}, SECRET, { handshakeMs: 30 });
        const events = await stranger(one);
        await gone(events);
      });

      test('too many of them: the oldest goes, and a peer still gets in', async () => {
        const one = await start(1, {}, SECRET, { unauthenticatedLinks: 2 });
        const first = await stranger(one);
        const second = await stranger(one);
        const third = await stranger(one);
        await gone(first);
        expect(second.closedBecause ?? third.closedBecause).toBe(null);
        const two = await start(2);
        two.dial(one);
        await connected(one, two);
        expect(second.closedBecause).not.toBe(null);
        expect(third.closedBecause).toBe(null);
      });
    });

    describe('lanes', () => {
      test('a frame beyond the limit ends the connection of whoever sent it', async () => {
        const one = await start(1, {}, SECRET, { frameBytes: 100_000 });
        const two = await start(2);
        two.dial(one);
        await connected(one, two);
        two.transport.send(one.self.replica, Lane.bulk, [new Uint8Array(100_001)]);
        await medium.until(() => one.refusals.length > 0 && two.refusals.length > 0, 'a refusal');
        expect(two.refusals[0]).toContain('exceeds the limit of 100000');
        expect(() => one.transport.send(two.self.replica, Lane.bulk, [])).not.toThrow();
      });

      test('bulk and snapshot frames do not delay control frames; queues are bounded', async () => {
        const limits = {
          windowBytes: 64 * 1024,
          bulkQueueBytes: 4_000_000,
          snapshotQueueBytes: 2_000_000,
        };
        const one = await start(1, {}, SECRET, limits);
        const two = await start(2);
        one.dial(two);
        await connected(one, two);
        const replica = two.self.replica;
        const chunk = new Uint8Array(50_000);
        let bulk = 0;
        let snapshot = 0;
        while (snapshot < 1_000 && one.transport.send(replica, Lane.snapshot, [chunk])) snapshot++;
        while (bulk < 1_000 && one.transport.send(replica, Lane.bulk, [chunk])) bulk++;
        expect(one.transport.buffered(replica, Lane.bulk)).toBeLessThan(4_000_000 + 256 * 1024);
        expect(one.transport.stats.framesDropped).toBe(
          (bulk < 1_000 ? 1 : 0) + (snapshot < 1_000 ? 1 : 0),
        );
        expect(one.transport.send(replica, Lane.control, [text('vote')])).toBe(true);
        const total = bulk + snapshot + 1;
        await medium.until(() => two.received.length === total, 'everything');
        const lanes = two.received.map(({ lane }) => lane);
        expect(lanes.filter((lane) => lane === Lane.bulk).length).toBe(bulk);
        expect(lanes.filter((lane) => lane === Lane.snapshot).length).toBe(snapshot);
        // The control frame, sent last, overtook all that waited in the queues.
        if (bulk < 1_000) expect(lanes.indexOf(Lane.control)).toBeLessThan(total - bulk / 2);
        expect(one.transport.buffered(replica, Lane.bulk)).toBe(0);
      });

      test('sending while receiving is not re-entrant', async () => {
        const [one, two] = [await start(1), await start(2)];
        one.dial(two);
        await connected(one, two);
        let depth = 0;
        let deepest = 0;
        for (const node of [one, two]) {
          node.onFrame = (peer) => {
            depth++;
            deepest = Math.max(deepest, depth);
            if (node.received.length < 20)
              node.transport.send(peer.hello.replica, Lane.control, [text('again')]);
            depth--;
          };
        }
        one.transport.send(two.self.replica, Lane.control, [text('go')]);
        await medium.until(
          () => one.received.length === 20 || two.received.length === 20,
          'a rally',
        );
        expect(deepest).toBe(1);
      });
    });
  });
}
