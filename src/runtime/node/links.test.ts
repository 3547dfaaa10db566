import { spawn } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { createServer, type Server } from 'node:http';
import type { AddressInfo, Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { buildSync } from 'esbuild';
import { afterEach, describe, expect, test } from 'vitest';
import { WebSocketServer } from 'ws';
import {
  type TransportHost,
  type TransportMedium,
  testTransport,
} from '../../../test/conformance/transport.ts';
import type { Link, LinkEvents } from '../../platform/links.ts';
import { silentLogger } from '../../telemetry/logger.ts';
import { createLinkTransport } from '../../transport/link-transport.ts';
import { createWebSocketDialer, linkFromWebSocket, RAFT_SOCKET_OPTIONS } from './links.ts';
import { createNodePlatform } from './platform.ts';
import { raftEndpoint } from './raft-endpoint.ts';

type Accept = (link: Link, remote: string) => LinkEvents;

testTransport('WebSockets on loopback', webSocketMedium);

/** How long a condition may take; only a failing test ever waits that long. */
const PATIENCE_MS = 15_000;

async function until(condition: () => boolean, what: string): Promise<void> {
  const end = performance.now() + PATIENCE_MS;
  while (!condition()) {
    if (performance.now() > end) throw new Error(`waited in vain for ${what}`);
    await new Promise(setImmediate);
  }
}

async function webSocketMedium(): Promise<TransportMedium> {
  const endpoints: Endpoint[] = [];
  return {
    async host() {
      const endpoint = new Endpoint();
      endpoints.push(endpoint);
      await endpoint.open();
      return endpoint;
    },
    until,
    async settle() {
      for (let i = 0; i < 200; i++) await new Promise(setImmediate);
    },
    async dispose() {
      for (const endpoint of endpoints) endpoint.dispose();
    },
  };
}

/** A server with a Raft endpoint, as small as it can be. */
class Endpoint implements TransportHost {
  url = '';
  readonly dialer = createWebSocketDialer();
  readonly #server: Server = createServer();
  readonly #sockets = new Set<Socket>();
  readonly #webSockets = new WebSocketServer({ noServer: true, ...RAFT_SOCKET_OPTIONS });
  #accept: Accept | null = null;
  #broken = false;

  async open(): Promise<void> {
    this.#server.on('upgrade', (request, socket: Socket, head) => {
      if (this.#accept === null || this.#broken) {
        socket.destroy();
        return;
      }
      this.#sockets.add(socket);
      socket.on('close', () => this.#sockets.delete(socket));
      const accept = this.#accept;
      this.#webSockets.handleUpgrade(request, socket, head, (ws) => {
        const link = linkFromWebSocket(ws, socket);
        link.listen(accept(link, `${socket.remoteAddress}:${socket.remotePort}`));
      });
    });
    await new Promise<void>((resolve) => this.#server.listen(0, '127.0.0.1', resolve));
    this.url = `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
  }

  createTransport(...[secret, limits]: Parameters<TransportHost['createTransport']>) {
    const platform = createNodePlatform({ keepAlive: false });
    const { dialer } = this;
    return createLinkTransport({ dialer, platform, secret, limits, logger: silentLogger });
  }

  listen(accept: Accept): void {
    this.#accept = accept;
  }

  breakOff(): void {
    this.#broken = true;
    for (const socket of this.#sockets) socket.destroy();
  }

  comeBack(): void {
    this.#broken = false;
  }

  dispose(): void {
    this.breakOff();
    this.#server.close();
  }
}

const BLOCKING_CHILD = `
  import { createWebSocketDialer } from './links.ts';
  const link = createWebSocketDialer().dial(process.argv[2], {
    opened() {},
    message() {
      link.send(new Uint8Array(100_000));
      link.send(new Uint8Array(1));
      Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0);
    },
    closed() {},
  });
`;

/** A program of its own, made of TypeScript that stands beside this file. */
function bundle(source: string, folder: string): string {
  const outfile = join(folder, 'program.cjs');
  buildSync({
    stdin: { contents: source, resolveDir: import.meta.dirname, loader: 'ts' },
    bundle: true,
    platform: 'node',
    format: 'cjs',
    outfile,
    logLevel: 'silent',
  });
  return outfile;
}

/** Writes down what a link tells. */
class Ear implements LinkEvents {
  readonly told: string[] = [];
  readonly messages: Uint8Array[] = [];
  opened(): void {
    this.told.push('opened');
  }
  message(bytes: Uint8Array): void {
    this.messages.push(bytes);
  }
  closed(reason: string): void {
    this.told.push(`closed: ${reason}`);
  }
}

describe('WebSocket links', () => {
  let endpoint: Endpoint | null = null;
  afterEach(() => endpoint?.dispose());

  /** A dialled link and the accepted one at its other end. */
  async function pair(): Promise<{ near: Link; nearEar: Ear; far: Link; farEar: Ear }> {
    endpoint = new Endpoint();
    await endpoint.open();
    const [nearEar, farEar] = [new Ear(), new Ear()];
    let far: Link | null = null;
    endpoint.listen((link) => {
      far = link;
      return farEar;
    });
    const near = endpoint.dialer.dial(endpoint.url, nearEar);
    expect(nearEar.told).toEqual([]);
    await until(() => nearEar.told.length > 0 && far !== null, 'a link');
    return { near, nearEar, far: far!, farEar };
  }

  test('messages stay whole and in order, as plain views of bytes', async () => {
    const { near, far, nearEar, farEar } = await pair();
    for (const size of [0, 1, 125, 126, 65_535, 65_536, 3_000_000]) {
      near.send(new Uint8Array(size).fill(size % 251));
      far.send(new Uint8Array(size).fill(size % 249));
    }
    await until(() => nearEar.messages.length === 7 && farEar.messages.length === 7, 'messages');
    for (const [i, bytes] of farEar.messages.entries()) {
      expect(bytes.constructor).toBe(Uint8Array);
      expect(bytes.every((byte) => byte === bytes.length % 251)).toBe(true);
      expect(nearEar.messages[i]!.length).toBe(bytes.length);
    }
    expect(near.bufferedBytes).toBe(0);
  });

  test('a close reaches the other side with its reason, after what was sent; the closer hears nothing', async () => {
    const { near, nearEar, farEar } = await pair();
    near.send(new Uint8Array([1]));
    near.close(`because of ${'ü'.repeat(200)}`);
    near.send(new Uint8Array([2]));
    await until(() => farEar.told.length > 0, 'the close');
    expect(farEar.messages.map((bytes) => [...bytes])).toEqual([[1]]);
    expect(farEar.told[0]).toMatch(/^closed: because of ü+$/);
    expect(nearEar.told).toEqual(['opened']);
  });

  test('a port where nobody listens, and a URL that is none, are failed dials', async () => {
    for (const url of ['http://127.0.0.1:1', 'no url at all']) {
      const ear = new Ear();
      const link = createWebSocketDialer().dial(url, ear);
      expect(ear.told).toEqual([]);
      await until(() => ear.told.length > 0, 'the failure');
      expect(ear.told.length).toBe(1);
      link.send(new Uint8Array(1));
      link.close();
    }
  });

  test('closing while dialling is quiet', async () => {
    endpoint = new Endpoint();
    await endpoint.open();
    const ear = new Ear();
    endpoint.dialer.dial(endpoint.url, ear).close('changed my mind');
    const other = new Ear();
    endpoint.dialer.dial(endpoint.url, other);
    await until(() => other.told.length > 0, 'a later dial to end');
    expect(ear.told).toEqual([]);
  });

  test('a stranger is cut off inside a message', async () => {
    const { near, far, nearEar, farEar } = await pair();
    far.limitIncoming?.(4_096);
    near.send(new Uint8Array(20_000_000));
    await until(() => nearEar.told.length > 1 && farEar.told.length > 0, 'both ends to close');
    expect(farEar.messages).toEqual([]);
    expect(farEar.told[0]).toContain('more than 4096 bytes');
  });

  test('what is sent leaves the process before it blocks in the same turn', async () => {
    endpoint = new Endpoint();
    await endpoint.open();
    const ear = new Ear();
    endpoint.listen((link) => {
      link.send(new Uint8Array([1]));
      return ear;
    });
    // The child answers both messages it gets and then blocks for ever: only what it wrote at once can arrive.
    const folder = mkdtempSync(join(tmpdir(), 'quorlite-links-'));
    const child = spawn(process.execPath, [bundle(BLOCKING_CHILD, folder), endpoint.url]);
    try {
      await until(() => ear.messages.length === 2, 'the messages of a process that is blocked');
      expect(ear.messages.map((bytes) => bytes.length)).toEqual([100_000, 1]);
    } finally {
      child.kill('SIGKILL');
      rmSync(folder, { recursive: true });
    }
  });

  test('the endpoint of a URL', () => {
    expect(raftEndpoint('http://10.0.0.1:4001')).toBe('ws://10.0.0.1:4001/raft');
    expect(raftEndpoint('https://db.example/quorlite/?x=1#y')).toBe(
      'wss://db.example/quorlite/raft',
    );
  });
});
