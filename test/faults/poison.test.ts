/**
 * What hostile or broken clients and strangers send to a running cluster: each gets an error or a closed connection,
 * nothing of it is applied, and another client's writes go on (issue: bad input and bad luck).
 */
import { randomBytes } from 'node:crypto';
import { connect as connectTcp, type Socket } from 'node:net';
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import { WebSocket } from 'ws';
import type { Client } from '../../src/client/contract.ts';
import { type NodeProcess, ProcessCluster, patientClient } from '../kit/process-cluster.ts';

const ENDLESS = 'WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n)';
/** What a slow sender has for the headers of a request. */
const HEADERS_MS = 2000;

vi.setConfig({ testTimeout: 120_000 });

let cluster: ProcessCluster;
let target: NodeProcess;
let client: Client;
let written = 0;

beforeAll(async () => {
  cluster = await ProcessCluster.create(3, ['--limits', `headersMs=${HEADERS_MS}`]);
  await cluster.start();
  target = await cluster.leader();
  client = patientClient(cluster.urls);
  await client.execute('CREATE TABLE t (n INTEGER PRIMARY KEY, v)');
  await client.execute('CREATE TABLE poisoned (v)');
}, 120_000);

afterAll(async () => {
  await client?.close();
  await cluster?.dispose();
});

/** Runs `poison` while another client writes; afterwards nothing of it is there, and no process has ended or restarted. */
async function withWritesGoingOn(poison: () => Promise<void>): Promise<void> {
  let over = false;
  const poisoning = poison().finally(() => {
    over = true;
  });
  const failed = poisoning.then(
    () => null,
    (error: unknown) => error,
  );
  do {
    await client.execute('INSERT INTO t VALUES (?, NULL)', [++written]);
  } while (!over);
  expect(await failed).toBe(null);
  await client.execute('INSERT INTO t VALUES (?, NULL)', [++written]);
  const [row] = await client.query(
    'SELECT (SELECT count(*) FROM t) AS t, (SELECT count(*) FROM poisoned) AS poisoned',
  );
  expect(row).toEqual({ t: written, poisoned: 0 });
  for (const node of cluster.nodes) expect(node.running, node.output).toBe(true);
}

interface Answer {
  readonly status: number;
  readonly code: string | undefined;
}

async function post(path: string, body: unknown): Promise<Answer> {
  const response = await fetch(`${target.url}/v1/${path}`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: typeof body === 'string' ? body : JSON.stringify(body),
  });
  return { status: response.status, code: ((await response.json()) as { code?: string }).code };
}

describe('statements', () => {
  test.each<[string, string, unknown, RegExp]>([
    [
      'an endless read',
      'query',
      { sql: `${ENDLESS} SELECT count(*) FROM n`, timeoutMs: 500 },
      /^(SQL_)?TIMEOUT$/,
    ],
    [
      'an endless write',
      'execute',
      { sql: `${ENDLESS} INSERT INTO poisoned SELECT i FROM n` },
      /^SQL_TIMEOUT$/,
    ],
    [
      'an endless write that changes nothing',
      'execute',
      { sql: `${ENDLESS} DELETE FROM t WHERE n = (SELECT max(i) FROM n)` },
      /^SQL_TIMEOUT$/,
    ],
    [
      'a huge value',
      'execute',
      { sql: "INSERT INTO poisoned VALUES (replace(hex(zeroblob(500000)), '0', 'xxxxxxxx'))" },
      /^(SQL_ERROR|TRANSACTION_TOO_LARGE)$/,
    ],
    [
      'a huge value in a read',
      'query',
      { sql: 'SELECT length(zeroblob(1900000000))' },
      /^(SQL_ERROR|RESULT_TOO_LARGE)$/,
    ],
    [
      'a big result',
      'query',
      { sql: `${ENDLESS} SELECT i FROM n LIMIT 300000` },
      /^RESULT_TOO_LARGE$/,
    ],
    [
      'a big result of few rows',
      'query',
      { sql: `${ENDLESS} SELECT zeroblob(1000000) FROM n LIMIT 100` },
      /^RESULT_TOO_LARGE$/,
    ],
    [
      'an expression too deep',
      'query',
      { sql: `SELECT ${'('.repeat(5000)}1${')'.repeat(5000)}` },
      /^SQL_ERROR$/,
    ],
    [
      'deep JSON in SQL',
      'query',
      { sql: "SELECT json_extract(replace(hex(zeroblob(3000)), '0', '['), '$')" },
      /^SQL_ERROR$/,
    ],
    [
      'deep JSON in a request',
      'query',
      `{"sql": "SELECT ?", "params": ${'['.repeat(200_000)}`,
      /^BAD_REQUEST$/,
    ],
    [
      'a statement of a megabyte',
      'execute',
      { sql: `INSERT INTO poisoned VALUES ('${'x'.repeat(1_100_000)}')` },
      /^(BAD_REQUEST|SQL_ERROR|ENTRY_TOO_LARGE)$/,
    ],
  ])('%s', async (_name, path, body, code) => {
    await withWritesGoingOn(async () => {
      const answer = await post(path, body);
      expect(answer.code).toMatch(code);
      expect(answer.status).toBeLessThan(500);
    });
  });
});

/** Resolves when a WebSocket is closed by the other side. */
function closedByNode(socket: WebSocket): Promise<void> {
  return new Promise((resolve) => {
    socket.on('error', () => {});
    socket.once('close', () => resolve());
  });
}

/** Opens a WebSocket, sends `messages` and waits until the node has had enough. */
async function sendGarbage(path: string, messages: readonly Uint8Array[]): Promise<void> {
  const socket = new WebSocket(target.url.replace('http', 'ws') + path);
  const closed = closedByNode(socket);
  socket.once('open', () => {
    for (const message of messages) socket.send(message);
  });
  await closed;
}

/** What the node's own first answer to a dialler looks like may be sent back to it, bit by bit wrong. */
function garbage(): Uint8Array[] {
  const sizes = [1, 36, 100, 3000];
  return sizes.map((size) => new Uint8Array(randomBytes(size)));
}

describe('frames', () => {
  test.each(['/raft', '/v1/stream'])('random bytes on %s', async (path) => {
    await withWritesGoingOn(async () => {
      for (const message of garbage()) await sendGarbage(path, [message]);
    });
  });

  test.each(['/raft', '/v1/stream'])('a message beyond every limit on %s', async (path) => {
    await withWritesGoingOn(() => sendGarbage(path, [new Uint8Array(40 * 1024 * 1024)]));
  });

  test('many strangers that connect to /raft and say nothing keep no peer out', async () => {
    const strangers = Array.from(
      { length: 100 },
      () => new WebSocket(`${target.url.replace('http', 'ws')}/raft`),
    );
    for (const socket of strangers) socket.on('error', () => {});
    try {
      await Promise.all(
        strangers.map((socket) => new Promise((resolve) => socket.once('open', resolve))),
      );
      const other = cluster.nodes.find((node) => node !== target)!;
      await withWritesGoingOn(async () => {
        await other.stop();
        await other.start();
      });
    } finally {
      for (const socket of strangers) socket.terminate();
    }
  });
});

/** A raw connection to the node. */
function openTcp(): Promise<Socket> {
  const { hostname, port } = new URL(target.url);
  return new Promise((resolve, reject) => {
    const socket = connectTcp(Number(port), hostname, () => resolve(socket));
    socket.once('error', reject);
  });
}

describe('connections', () => {
  test('slow senders do not keep anybody waiting, and lose their connection', async () => {
    const sockets = await Promise.all(Array.from({ length: 50 }, openTcp));
    await withWritesGoingOn(async () => {
      const closed = sockets.map(
        (socket) =>
          new Promise<string>((resolve) => {
            let answer = '';
            socket.on('error', () => {});
            socket.on('data', (bytes) => {
              answer += String(bytes);
            });
            socket.once('close', () => resolve(answer));
            // A request that never ends.
            socket.write('POST /v1/execute HTTP/1.1\r\nhost: 127.0.0.1\r\nx-slow: ');
          }),
      );
      for (const answer of await Promise.all(closed)) {
        expect(answer).toMatch(/^HTTP\/1\.1 408 /);
        expect(answer).toContain('did not arrive in time');
      }
    });
  }, 120_000);

  test('what is no HTTP at all', async () => {
    await withWritesGoingOn(async () => {
      const socket = await openTcp();
      const answer = new Promise<string>((resolve) => {
        socket.on('error', () => {});
        socket.once('data', (bytes) => resolve(String(bytes)));
      });
      socket.write(randomBytes(2000));
      expect(await answer).toMatch(/^HTTP\/1\.1 400 (.|\r\n)*this is not HTTP/);
      socket.destroy();
    });
  });

  test('clients that ask for much and read nothing', async () => {
    const sockets = await Promise.all(Array.from({ length: 10 }, openTcp));
    const body = JSON.stringify({ sql: `${ENDLESS} SELECT zeroblob(10000) FROM n LIMIT 1000` });
    const request = `POST /v1/query HTTP/1.1\r\nhost: 127.0.0.1\r\ncontent-type: application/json\r\ncontent-length: ${body.length}\r\n\r\n${body}`;
    try {
      await withWritesGoingOn(async () => {
        for (const socket of sockets) {
          socket.on('error', () => {});
          socket.pause();
          socket.write(request);
        }
        expect((await post('query', { sql: 'SELECT 1' })).status).toBe(200);
      });
    } finally {
      for (const socket of sockets) socket.destroy();
    }
  });
});
