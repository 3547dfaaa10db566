/** The worker: owns the run and lets its time pass. */
import type { Engine } from '../../../wasm/engine.ts';
import { createSqliteEngine } from '../../../wasm/sqlite/engine.ts';
import { Player } from './player.ts';
import type { Ask, News, Run } from './protocol.ts';

/** The page gets news so often. */
const TURN_MS = 16;
/** So much of a turn may be spent in the cluster. */
const BUDGET_MS = 12;

const page = globalThis as unknown as {
  postMessage(news: News, transfer?: Transferable[]): void;
  onmessage: ((event: { readonly data: Ask }) => void) | null;
};

let engine: Engine | null = null;
let player: Player | null = null;
let rate = 1;
let owed = 0;
let turnedAt = 0;

function turn(): void {
  const now = performance.now();
  const passed = Math.min(100, now - turnedAt);
  turnedAt = now;
  if (player?.playing) {
    // A machine that cannot keep up shows slower time, never a jump.
    owed = Math.min(owed + passed * rate, 100 * rate);
    const whole = Math.floor(owed);
    const before = player.now;
    player.forward(whole, () => performance.now() - now < BUDGET_MS);
    owed -= player.now - before;
    page.postMessage(player.news());
  }
}

function start(run: Run, until: number | null): void {
  const begun = performance.now();
  player = new Player(engine!, run);
  player.boot(until);
  player.playing = until === null;
  owed = 0;
  const bootMs = performance.now() - begun;
  page.postMessage({ type: 'started', seed: run.seed, bootMs });
  page.postMessage(player.news());
}

function handle(ask: Ask): void {
  if (ask.type === 'start') {
    engine = createSqliteEngine(ask);
    start(ask.run, ask.until);
    turnedAt = performance.now();
    setInterval(guarded(turn), TURN_MS);
    return;
  }
  if (player === null) return;
  switch (ask.type) {
    case 'restart':
      start(ask.run, ask.until);
      return;
    case 'play':
      player.playing = ask.on;
      // The moment at which time stops is shown exactly.
      if (!ask.on) player.simulation.picture();
      owed = 0;
      break;
    case 'rate':
      rate = ask.rate;
      owed = 0;
      break;
    case 'step':
      player.playing = false;
      player.step();
      break;
    case 'act': {
      const begun = performance.now();
      const past = player.act(ask.at, ask.input);
      if (past)
        page.postMessage({ type: 'forked', at: player.now, tookMs: performance.now() - begun });
      break;
    }
    case 'export': {
      const bytes = player.simulation.export(ask.node);
      if (bytes === null) break;
      page.postMessage({ type: 'export', name: `quorlite-n${ask.node}.db`, bytes }, [bytes.buffer]);
      break;
    }
  }
  page.postMessage(player.news());
}

/** Errors are told to the page, which says so and offers to start again. */
function guarded<A extends unknown[]>(run: (...args: A) => void): (...args: A) => void {
  return (...args) => {
    try {
      run(...args);
    } catch (error) {
      if (player !== null) player.playing = false;
      const message =
        error instanceof Error ? `${error.message}\n${error.stack ?? ''}` : String(error);
      page.postMessage({ type: 'failed', message });
    }
  };
}

const handleGuarded = guarded(handle);
page.onmessage = ({ data }) => handleGuarded(data);
