/**
 * The floor: how fast the write path could be on this machine without consensus, sessions, recovery or limits. Three
 * processes; one gathers INSERTs into batches, sends them to two others over WebSockets, writes and syncs them itself,
 * waits until one other has synced, applies the batch to SQLite, answers. What Quorlite reaches is judged as a part of it.
 *
 *     npm run build && node bench/floor/floor.mjs [--json]
 */
import { fork } from 'node:child_process';
import { fdatasyncSync, mkdtempSync, openSync, rmSync, writeSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { WebSocket, WebSocketServer } from 'ws';
import { DEFAULT_ENGINE_LIMITS } from '../../dist/wasm/limits.js';
import { loadSqliteEngine } from '../../dist/wasm/load/node.js';
import { createMemoryPageStore } from '../../dist/wasm/page-store/memory.js';
import { MEASURED, WARM_UP } from '../loads.mjs';

const INSERT = 'INSERT INTO _bench (id, ts, name) VALUES ($1, $2, $3)';
const IN_FLIGHT = 4;
const UNLIMITED = { steps: Infinity, memoryBytes: Infinity };

/** SQLite in memory, applying batches of parameter lists as one transaction each. */
function openDatabase() {
  const host = {
    wallMs: () => 0,
    monotonicMs: () => performance.now(),
    random: (out) => out.fill(1),
  };
  const store = createMemoryPageStore({ maxBytes: 2 ** 30 });
  const writer = loadSqliteEngine().openWriter(store, host, DEFAULT_ENGINE_LIMITS);
  writer.exec(
    'CREATE TABLE _bench (id INTEGER PRIMARY KEY, ts INTEGER NOT NULL, name TEXT NOT NULL)',
  );
  return (rows) => {
    writer.exec('BEGIN');
    writer.beginCommand(UNLIMITED);
    const insert = writer.prepare(INSERT);
    for (const [id, ts, name] of rows) {
      insert.bindInteger(1, id);
      insert.bindInteger(2, ts);
      insert.bindText(3, name);
      insert.step();
    }
    writer.endCommand();
    writer.exec('COMMIT');
  };
}

function openLog(directory, name) {
  const file = openSync(join(directory, name), 'w');
  return (bytes) => {
    writeSync(file, bytes);
    fdatasyncSync(file);
  };
}

const encode = (index, commit, rows) => Buffer.from(JSON.stringify([index, commit, INSERT, rows]));

/** Keeps what the first process sends, answers when it is synced, applies it when it is told to. */
function follow(directory, name) {
  const append = openLog(directory, name);
  const apply = openDatabase();
  const pending = [];
  const server = new WebSocketServer({ port: 0, host: '127.0.0.1', perMessageDeflate: false });
  server.on('listening', () => process.send(server.address().port));
  server.on('connection', (socket) => {
    socket.on('message', (bytes) => {
      append(bytes);
      const [index, commit, , rows] = JSON.parse(bytes);
      socket.send(String(index));
      pending.push([index, rows]);
      while (pending.length > 0 && pending[0][0] <= commit) apply(pending.shift()[1]);
    });
  });
}

async function dial(port) {
  const socket = new WebSocket(`ws://127.0.0.1:${port}`, { perMessageDeflate: false });
  await new Promise((resolve) => socket.once('open', resolve));
  return { socket, match: 0 };
}

async function lead(directory, ports) {
  const append = openLog(directory, 'lead');
  const apply = openDatabase();
  const peers = await Promise.all(ports.map(dial));
  const inFlight = new Map();
  let queue = [];
  let [last, synced, commit, scheduled] = [0, 0, 0, false];

  function advance() {
    const quorum = [synced, ...peers.map((peer) => peer.match)].sort((a, b) => b - a)[1];
    while (commit < quorum) {
      const { rows, answers } = inFlight.get(++commit);
      inFlight.delete(commit);
      apply(rows);
      for (const answer of answers) answer();
    }
    schedule();
  }

  function schedule() {
    if (scheduled || queue.length === 0 || last - commit >= IN_FLIGHT) return;
    scheduled = true;
    setImmediate(() => {
      scheduled = false;
      propose();
    });
  }

  function propose() {
    const batch = queue;
    queue = [];
    const rows = batch.map(([row]) => row);
    const bytes = encode(++last, commit, rows);
    inFlight.set(last, { rows, answers: batch.map(([, answer]) => answer) });
    for (const { socket } of peers) socket.send(bytes);
    append(bytes);
    synced = last;
    advance();
  }

  for (const peer of peers) {
    peer.socket.on('message', (bytes) => {
      peer.match = Number(bytes);
      advance();
    });
  }
  return (row) =>
    new Promise((resolve) => {
      queue.push([row, resolve]);
      schedule();
    });
}

async function main() {
  const directory = mkdtempSync(join(process.env.BENCH_DIR ?? tmpdir(), 'quorlite-floor-'));
  const children = ['one', 'two'].map((name) =>
    fork(import.meta.filename, ['--follow', directory, name]),
  );
  try {
    const ports = await Promise.all(
      children.map((child) => new Promise((resolve) => child.once('message', resolve))),
    );
    const insert = await lead(directory, ports);
    let id = 0;
    const results = [];
    for (const [concurrency, calls] of [...WARM_UP, ...MEASURED]) {
      const started = performance.now();
      const worker = async () => {
        for (let i = 0; i < calls / concurrency; i++) {
          const row = id++;
          await insert([row, 1_700_000_000, `Name ${row}`]);
        }
      };
      await Promise.all(Array.from({ length: concurrency }, worker));
      const rate = Math.round((calls / (performance.now() - started)) * 1000);
      results.push({ name: 'insert', concurrency, rate });
    }
    results.splice(0, WARM_UP.length);
    if (process.argv.includes('--json')) process.stdout.write(`${JSON.stringify(results)}\n`);
    else console.table(results);
  } finally {
    for (const child of children) child.kill('SIGKILL');
    rmSync(directory, { recursive: true, force: true });
  }
}

if (process.argv[2] === '--follow') follow(process.argv[3], process.argv[4]);
else {
  await main();
  process.exit(0);
}
