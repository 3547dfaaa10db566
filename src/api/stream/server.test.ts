/** The server end against clients that do not behave, over links in memory. */
import { beforeEach, describe, expect, test } from 'vitest';
import type { NodeService } from '../../node/contract.ts';
import type { Link, LinkEvents } from '../../platform/links.ts';
import type { VirtualWorld } from '../../runtime/virtual/contract.ts';
import { createVirtualWorld } from '../../runtime/virtual/world.ts';
import { silentLogger } from '../../telemetry/logger.ts';
import { ByteReader } from '../../wire/bytes.ts';
import type { QuorliteError } from '../../wire/error.ts';
import { Op } from '../../wire/operation.ts';
import { type CommandOutcome, readError } from '../../wire/result.ts';
import { FrameWriter, readFrames, StreamFrame } from '../../wire/stream.ts';
import { NONCE_BYTES, writeHello } from '../../wire/stream-handshake.ts';
import { writeCall, writeWriteHeader } from '../../wire/stream-requests.ts';
import { createTokenVerifier } from '../../wire/token-proof.ts';
import type { StreamLimits } from './limits.ts';
import { createStreamServer, type StreamServer } from './server.ts';

interface Received {
  readonly type: number;
  readonly request: number;
  readonly body: Uint8Array;
}

/** The client's end of a link: what the server sent, and whether it closed. */
class Peer implements Link {
  readonly received: Received[] = [];
  closedWith: string | null = null;
  messages = 0;
  bufferedBytes = 0;
  events: LinkEvents;

  constructor(server: StreamServer) {
    this.events = server.accept(this, 'test');
  }

  send(bytes: Uint8Array): void {
    this.messages++;
    readFrames(bytes, {
      frame: (type, request, input, end) =>
        this.received.push({ type, request, body: input.bytes.slice(input.at, end) }),
    });
  }

  close(reason = ''): void {
    this.closedWith = reason;
  }

  say(write: (frames: FrameWriter) => void): void {
    const frames = new FrameWriter();
    write(frames);
    this.events.message(frames.take());
  }

  frame(type: number, request: number, body: Uint8Array = new Uint8Array(0)): void {
    this.say((frames) => addFrame(frames, type, request, body));
  }

  hello(newest = 1, oldest = 1): void {
    this.say((frames) => {
      frames.begin(StreamFrame.hello, 0);
      const nonce = new Uint8Array(NONCE_BYTES);
      writeHello(frames.out, { oldest, newest, identity: '', agent: 'test', nonce });
      frames.end();
    });
  }

  errors(): { request: number; error: QuorliteError }[] {
    return this.received
      .filter(({ type }) => type === StreamFrame.error)
      .map(({ request, body }) => ({ request, error: readError(new ByteReader(body)) }));
  }

  types(): number[] {
    return this.received.map(({ type }) => type);
  }
}

function addFrame(frames: FrameWriter, type: number, request: number, body: Uint8Array): void {
  frames.begin(type as StreamFrame, request);
  frames.out.raw(body);
  frames.end();
}

function writeFrame(frames: FrameWriter, request: number, operation: Uint8Array): void {
  frames.begin(StreamFrame.write, request);
  writeWriteHeader(frames.out, 5, request, 1, 1000);
  frames.out.raw(operation);
  frames.end();
}

/** A service whose writes are answered when the test says so. */
class HeldService implements Pick<NodeService, 'write' | 'status' | 'settings'> {
  readonly held: { done: (outcome: CommandOutcome) => void; bytes: number }[] = [];
  cancelled = 0;
  leader = 1;

  write: NodeService['write'] = ({ operation }, done) => {
    this.held.push({ done, bytes: (operation as Uint8Array).length });
    return () => {
      this.cancelled++;
    };
  };

  status: NodeService['status'] = () => ({
    clusterId: '00000000000001',
    leader: this.leader,
    leaderUrl: null,
    term: 1,
    index: 1,
    node: 1,
    replica: '1',
    role: 'leader',
    members: [],
    waiting: '',
  });

  settings(): { sessionWindow: number } {
    return { sessionWindow: 64 };
  }

  answerAll(): void {
    for (const { done } of this.held.splice(0)) {
      done({ ok: true, index: 9, result: { type: 'done' } });
    }
  }
}

const OPERATION = new Uint8Array([Op.execute, 0, 1, 65, 0]);

describe('stream server', () => {
  let world: VirtualWorld;
  let service: HeldService;

  beforeEach(() => {
    world = createVirtualWorld(1);
    service = new HeldService();
  });

  function serve(limits: Partial<StreamLimits> = {}, token?: string): StreamServer {
    const { platform } = world.createProcess(`node${world.processes.length}`);
    const verifier = token === undefined ? null : createTokenVerifier(token, new Uint8Array(16));
    return createStreamServer({
      service: service as unknown as NodeService,
      platform,
      logger: silentLogger,
      findVerifier: verifier && (() => verifier),
      limits,
    });
  }

  function greeted(server: StreamServer): Peer {
    const peer = new Peer(server);
    peer.hello();
    peer.frame(StreamFrame.proof, 0);
    world.run(1);
    expect(peer.types()).toEqual([StreamFrame.challenge, StreamFrame.welcome, StreamFrame.leader]);
    peer.received.length = 0;
    return peer;
  }

  test.each<[string, (peer: Peer) => void, string]>([
    ['garbage', (peer) => peer.events.message(new Uint8Array([1, 2, 3])), 'BAD_REQUEST'],
    [
      'HTTP',
      (peer) => peer.events.message(new TextEncoder().encode('GET / HTTP/1.1')),
      'BAD_REQUEST',
    ],
    [
      'a request before the handshake',
      (peer) => peer.frame(StreamFrame.ping, 0),
      'UNAUTHENTICATED',
    ],
    ['a hello without magic', (peer) => peer.frame(1, 0, new Uint8Array(60)), 'BAD_REQUEST'],
    ['a proof before the hello', (peer) => peer.frame(StreamFrame.proof, 0), 'BAD_REQUEST'],
    ['two hellos', (peer) => [peer.hello(), peer.hello()], 'BAD_REQUEST'],
    ['a future version', (peer) => peer.hello(9, 8), 'NOT_SUPPORTED'],
    ['too much', (peer) => peer.events.message(new Uint8Array(5000)), 'BAD_REQUEST'],
    ['nothing for too long', () => world.run(6000), 'TIMEOUT'],
  ])('a stranger who sends %s is told why and closed', (_name, act, code) => {
    const peer = new Peer(serve());
    act(peer);
    world.run(1);
    expect(peer.errors().at(-1)).toMatchObject({ request: 0, error: { code } });
    expect(peer.closedWith).toBe(code);
  });

  test('without a proof nobody gets in', () => {
    const peer = new Peer(serve({}, 'a token'));
    peer.hello();
    peer.frame(StreamFrame.proof, 0, new Uint8Array(32));
    world.run(1);
    expect(peer.errors()).toMatchObject([{ request: 0, error: { code: 'UNAUTHENTICATED' } }]);
    expect(peer.closedWith).toBe('UNAUTHENTICATED');
  });

  test('too many strangers, too many clients', () => {
    const server = serve({ unauthenticatedConnections: 2 });
    const peers = [1, 2, 3].map(() => new Peer(server));
    expect(peers.map(({ closedWith }) => closedWith)).toEqual([null, null, 'OVERLOADED']);
    peers[0]!.events.closed('gone');
    expect(new Peer(server).closedWith).toBeNull();
    const small = serve({ connections: 1 });
    greeted(small);
    expect(new Peer(small).closedWith).toBe('OVERLOADED');
  });

  test('answers of one turn go out as one message', () => {
    const peer = greeted(serve());
    const before = peer.messages;
    peer.say((frames) => {
      for (let request = 1; request <= 100; request++) writeFrame(frames, request, OPERATION);
    });
    expect(service.held).toHaveLength(100);
    service.answerAll();
    world.run(1);
    expect(peer.received.map(({ request }) => request)).toEqual(
      Array.from({ length: 100 }, (_, i) => i + 1),
    );
    expect(peer.messages - before).toBe(1);
  });

  test('more requests, or bytes of them, than it takes are OVERLOADED', () => {
    const peer = greeted(serve({ requests: 3, requestBytes: 1000 }));
    peer.say((frames) => {
      for (let request = 1; request <= 4; request++) writeFrame(frames, request, OPERATION);
    });
    world.run(1);
    expect(peer.errors()).toMatchObject([{ request: 4, error: { code: 'OVERLOADED' } }]);
    service.answerAll();
    peer.received.length = 0;
    const big = new Uint8Array(800).fill(Op.execute);
    peer.say((frames) => {
      for (const request of [5, 6]) writeFrame(frames, request, big);
    });
    world.run(1);
    expect(peer.errors()).toMatchObject([{ request: 6, error: { code: 'OVERLOADED' } }]);
  });

  test('a client that does not take its answers: OVERLOADED, then closed', () => {
    const peer = greeted(serve({ bufferedBytes: 1000, stalledBytes: 10_000 }));
    peer.bufferedBytes = 2000;
    peer.say((frames) => writeFrame(frames, 1, OPERATION));
    world.run(1);
    expect(peer.errors()).toMatchObject([{ request: 1, error: { code: 'OVERLOADED' } }]);
    peer.bufferedBytes = 20_000;
    peer.frame(StreamFrame.ping, 0);
    world.run(1);
    expect(peer.closedWith).not.toBeNull();
  });

  test('what is wrong with one request is its own answer; the others go on', () => {
    const peer = greeted(serve());
    peer.say((frames) => {
      addFrame(frames, StreamFrame.write, 1, new Uint8Array([1]));
      writeFrame(frames, 2, new Uint8Array([Op.tick]));
      addFrame(frames, StreamFrame.query, 3, new Uint8Array([0, 9, 9, 9]));
      frames.begin(StreamFrame.call, 4);
      writeCall(frames.out, 'nonsense' as 'status', 100, 0, '{}');
      frames.end();
      frames.begin(StreamFrame.call, 5);
      writeCall(frames.out, 'admin', 100, 0, '[1]');
      frames.end();
      writeFrame(frames, 6, OPERATION);
    });
    service.answerAll();
    world.run(1);
    expect(peer.errors().map(({ request, error }) => [request, error.code])).toEqual([
      [1, 'BAD_REQUEST'],
      [2, 'BAD_REQUEST'],
      [3, 'BAD_REQUEST'],
      [4, 'NOT_SUPPORTED'],
      [5, 'BAD_REQUEST'],
    ]);
    expect(peer.received.at(-1)).toMatchObject({ type: StreamFrame.outcome, request: 6 });
    expect(peer.closedWith).toBeNull();
  });

  test.each<[string, (peer: Peer) => void, string]>([
    ['an unknown frame', (peer) => peer.frame(99, 1), 'NOT_SUPPORTED'],
    ['a second hello', (peer) => peer.hello(), 'NOT_SUPPORTED'],
    ['request id 0', (peer) => peer.frame(StreamFrame.write, 0), 'BAD_REQUEST'],
    [
      'an id that is in use',
      (peer) =>
        peer.say((frames) => {
          writeFrame(frames, 1, OPERATION);
          writeFrame(frames, 1, OPERATION);
        }),
      'BAD_REQUEST',
    ],
    ['half a frame', (peer) => peer.events.message(new Uint8Array([16, 1, 255])), 'BAD_REQUEST'],
  ])('%s ends the connection with a reason, and gives up its requests', (_name, act, code) => {
    const peer = greeted(serve());
    peer.say((frames) => writeFrame(frames, 77, OPERATION));
    const before = service.held.length;
    act(peer);
    expect(peer.errors().at(-1)).toMatchObject({ request: 0, error: { code } });
    expect(peer.closedWith).toBe(code);
    expect(service.cancelled).toBeGreaterThanOrEqual(before);
    service.answerAll();
    world.run(10);
  });

  test('a cancelled request is not answered', () => {
    const peer = greeted(serve());
    peer.say((frames) => writeFrame(frames, 1, OPERATION));
    peer.frame(StreamFrame.cancel, 1);
    expect(service.cancelled).toBe(1);
    service.answerAll();
    peer.frame(StreamFrame.cancel, 1);
    world.run(1);
    expect(peer.received).toEqual([]);
  });

  test('a new leader is told to every client', () => {
    const server = serve();
    const peers = [greeted(server), greeted(server)];
    world.run(1000);
    for (const peer of peers) peer.received.length = 0;
    service.leader = 2;
    world.run(1000);
    for (const peer of peers) expect(peer.types()).toEqual([StreamFrame.leader]);
  });

  test('stopping: goodbye, running requests are answered, then it closes', () => {
    const server = serve();
    const peer = greeted(server);
    const idle = greeted(server);
    peer.say((frames) => writeFrame(frames, 1, OPERATION));
    let closed = false;
    server.close(() => {
      closed = true;
    });
    world.run(10);
    expect(idle.closedWith).not.toBeNull();
    expect(peer.types()).toEqual([StreamFrame.goodbye]);
    peer.say((frames) => writeFrame(frames, 2, OPERATION));
    world.run(1);
    expect(peer.errors()).toMatchObject([{ request: 2, error: { code: 'SHUTTING_DOWN' } }]);
    expect(closed).toBe(false);
    service.answerAll();
    world.run(10);
    expect(peer.received.at(-1)).toMatchObject({ type: StreamFrame.outcome, request: 1 });
    expect(peer.closedWith).not.toBeNull();
    expect(closed).toBe(true);
    expect(new Peer(server).closedWith).toBe('SHUTTING_DOWN');
  });

  test('stopping does not wait for ever', () => {
    const server = serve();
    greeted(server).say((frames) => writeFrame(frames, 1, OPERATION));
    let closed = false;
    server.close(() => {
      closed = true;
    });
    world.run(2000);
    expect(closed).toBe(true);
    expect(service.cancelled).toBe(1);
  });
});
