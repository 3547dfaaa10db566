/** The page's state: signals over the recorded run, and the worker behind them. */
import { batch, computed, type ReadonlySignal, type Signal, signal } from '@preact/signals';
import type {
  Ask,
  CheckView,
  EventView,
  Input,
  News,
  ReadLevel,
  Run,
  TimedInput,
} from '../sim/protocol.ts';
import { History, type Moment } from './history.ts';
import { readLink } from './link.ts';

declare const SQLITE_HASH: string;

/** A run that starts by itself has this seed. */
const FIRST_SEED = '4711';

/** What was recorded. */
export const history: History = new History();
/** Where the run has got to, virtual milliseconds. */
export const now: Signal<number> = signal(0);
/** The moment that is shown. */
export const at: Signal<number> = signal(0);
/** Whether the newest moment is shown. */
export const live: Signal<boolean> = signal(true);
/** Whether time passes. */
export const playing: Signal<boolean> = signal(false);
export const rate: Signal<number> = signal(1);
export const moment: Signal<Moment | null> = signal(null);
export const events: Signal<readonly EventView[]> = signal([]);
/** Grows when an answer came. */
export const answersVersion: Signal<number> = signal(0);
export const checks: Signal<readonly CheckView[]> = signal([]);
export const inputs: Signal<readonly TimedInput[]> = signal([]);
export const seed: Signal<string> = signal(FIRST_SEED);
export const load: Signal<number> = signal(0);
export const chaos: Signal<boolean> = signal(false);
/** The node whose menu is open; 0 for none. */
export const selected: Signal<number> = signal(0);
export const sqlNode: Signal<number> = signal(3);
export const sqlLevel: Signal<ReadLevel> = signal('linearizable');
export const sqlText: Signal<string> = signal('SELECT * FROM notes');
/** A sentence about what the page itself did. */
export const notice: Signal<string> = signal('');
export const failure: Signal<string> = signal('');
export const bootMs: Signal<number | null> = signal(null);
/** The last place where the run was forked, null when it never was. */
export const forkedAt: Signal<number | null> = signal(null);
/** The leader at the moment shown, 0 when there is none. */
export const leader: ReadonlySignal<number> = computed(() => {
  const leaders = (moment.value?.nodes ?? []).filter(
    (node) => node.role === 'leader' && node.state === 'running',
  );
  leaders.sort((a, b) => b.term - a.term);
  return leaders[0]?.id ?? 0;
});

let worker: Worker | null = null;
/** What is drawn between two pictures. */
let shownAt = 0;
let drawnAt = 0;

function ask(message: Ask): void {
  worker?.postMessage(message);
}

/** Loads engine and worker and starts the run, the link's if the address has one. */
export async function begin(): Promise<void> {
  worker = new Worker('./worker.js', { type: 'module' });
  worker.onmessage = ({ data }: MessageEvent<News>) => hear(data);
  worker.onerror = (event) => {
    failure.value = event.message || 'the worker could not be loaded';
  };
  try {
    const [sqlite, trampolines, link] = await Promise.all([
      compile('./sqlite3.wasm'),
      compile('./trampolines.wasm'),
      readLink(location.hash),
    ]);
    const run: Run = link?.run ?? { seed: FIRST_SEED, inputs: [] };
    const until = link?.at ?? null;
    ask({ type: 'start', run, until, sqlite, trampolines, hash: SQLITE_HASH });
  } catch (error) {
    failure.value = `The database could not be loaded: ${(error as Error).message}`;
  }
}

async function compile(url: string): Promise<WebAssembly.Module> {
  const answer = await fetch(url);
  if (!answer.ok) throw new Error(`${url} answered ${answer.status}`);
  return WebAssembly.compile(await answer.arrayBuffer());
}

function hear(news: News): void {
  switch (news.type) {
    case 'started':
      seed.value = news.seed;
      bootMs.value = news.bootMs;
      break;
    case 'forked':
      history.cut(news.at);
      forkedAt.value = news.at;
      notice.value = `The run goes on from ${seconds(news.at)}; it was executed again in ${Math.round(news.tookMs)} ms.`;
      break;
    case 'export':
      download(news.name, new Blob([news.bytes], { type: 'application/vnd.sqlite3' }));
      break;
    case 'failed':
      failure.value = news.message;
      break;
    case 'news':
      take(news);
  }
}

function take(news: Extract<News, { type: 'news' }>): void {
  history.add(news);
  batch(() => {
    now.value = news.now;
    playing.value = news.playing;
    load.value = news.load;
    chaos.value = news.chaos;
    if (news.events.length > 0 || history.events.length < events.value.length) {
      events.value = history.events.slice();
    }
    if (news.answers.length > 0) answersVersion.value++;
    if (news.checks !== null) checks.value = news.checks;
    if (news.inputs !== null) inputs.value = news.inputs;
    if (live.value && !news.playing) show(news.now);
    if (moment.value === null) show(news.now);
  });
}

function show(time: number): void {
  shownAt = time;
  at.value = time;
  const next = history.moment(time);
  if (next !== moment.value) moment.value = next;
}

/** What is shown at this very frame of the screen: passes smoothly between the pictures. */
export function drawTime(realMs: number): number {
  const passed = Math.min(100, realMs - drawnAt);
  drawnAt = realMs;
  if (live.value && playing.value) {
    const next = Math.max(now.value - 100 * Math.max(1, rate.value), shownAt + passed * rate.value);
    show(Math.min(now.value, next));
  }
  return shownAt;
}

/** Does something to the cluster, at the moment that is shown. */
export function act(input: Input): void {
  const moment = live.value ? Number.MAX_SAFE_INTEGER : Math.floor(shownAt);
  const past = !live.value;
  ask({ type: 'act', at: moment, input });
  live.value = true;
  if (past) setPlaying(true);
}

export function setPlaying(on: boolean): void {
  if (on && !live.value) {
    live.value = true;
    show(now.value);
  }
  playing.value = on;
  ask({ type: 'play', on });
}

export function setRate(value: number): void {
  rate.value = value;
  ask({ type: 'rate', rate: value });
}

export function step(): void {
  if (live.value) {
    playing.value = false;
    ask({ type: 'step' });
    return;
  }
  const next = history.moments.find((one) => one.at > shownAt);
  if (next) scrub(next.at);
}

/** Shows a moment of the past; time stops. */
export function scrub(time: number): void {
  if (playing.value) ask({ type: 'play', on: false });
  batch(() => {
    playing.value = false;
    live.value = time >= now.value;
    show(Math.max(0, Math.min(time, now.value)));
  });
}

/** Starts another run. */
export function restart(run: Run, until: number | null = null): void {
  history.clear();
  batch(() => {
    moment.value = null;
    events.value = [];
    forkedAt.value = null;
    answersVersion.value++;
    live.value = true;
    notice.value = '';
  });
  shownAt = 0;
  ask({ type: 'restart', run, until });
}

export function runSql(): void {
  act({ type: 'sql', node: sqlNode.value, sql: sqlText.value, level: sqlLevel.value });
  if (!playing.value) setPlaying(true);
}

export function exportDatabase(node: number): void {
  ask({ type: 'export', node });
}

/** Saves a file. */
export function download(name: string, blob: Blob): void {
  const link = document.createElement('a');
  link.href = URL.createObjectURL(blob);
  link.download = name;
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 10_000);
}

/** Virtual time as people read it. */
export function seconds(ms: number): string {
  return `${(ms / 1000).toFixed(2)} s`;
}
