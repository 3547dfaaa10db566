/** The page. */
import { type Signal, signal } from '@preact/signals';
import type { JSX } from 'preact';
import { useEffect } from 'preact/hooks';
import { Checks } from './checks.tsx';
import { EventList } from './event-list.tsx';
import { LogView } from './log-view.tsx';
import { NodeMenu } from './node-menu.tsx';
import { RingView } from './ring-view.tsx';
import { SqlPanel } from './sql-panel.tsx';
import {
  act,
  at,
  failure,
  moment,
  notice,
  playing,
  scrub,
  selected,
  setPlaying,
  step,
} from './store.ts';
import { Timeline } from './timeline.tsx';
import { openRun, TimeControls, Toolbar } from './toolbar.tsx';
import { Tour } from './tour.tsx';

type Tab = 'log' | 'sql' | 'events';

const TABS: readonly { readonly tab: Tab; readonly name: string }[] = [
  { tab: 'log', name: 'Log' },
  { tab: 'sql', name: 'SQL' },
  { tab: 'events', name: 'Events' },
];

/** Which panel a narrow screen shows. */
const tab: Signal<Tab> = signal('log');

/** How far an arrow key moves in time, milliseconds. */
const ARROW_MS = 100;

/** Everything. */
export function App(): JSX.Element {
  useEffect(() => {
    document.addEventListener('keydown', keys);
    return () => document.removeEventListener('keydown', keys);
  }, []);
  return (
    <main
      class={`page tab-${tab.value}`}
      onDragOver={(event) => event.preventDefault()}
      onDrop={(event) => {
        event.preventDefault();
        const file = event.dataTransfer?.files[0];
        if (file !== undefined) void openRun(file);
      }}
    >
      <Toolbar />
      <Checks />
      {failure.value !== '' && (
        <p class="failure" role="alert">
          {failure.value}
        </p>
      )}
      <div class="left">
        <RingView />
        <Tour />
        <NodeMenu />
      </div>
      <nav class="tabs" aria-label="Panels">
        {TABS.map(({ tab: one, name }) => (
          <button
            key={one}
            type="button"
            class="button"
            aria-pressed={tab.value === one}
            onClick={() => {
              tab.value = one;
            }}
          >
            {name}
          </button>
        ))}
      </nav>
      <div class="right">
        <LogView />
        <SqlPanel />
        <EventList />
      </div>
      <footer class="bottom">
        <span class="narrow-only">
          <TimeControls />
        </span>
        <Timeline />
        <p class="notice soft" aria-live="polite">
          {notice.value || <KeysHint />}
        </p>
      </footer>
    </main>
  );
}

function KeysHint(): JSX.Element {
  return (
    <span class="wide-only">
      Keys: space plays and pauses, arrows move in time, 1 to 5 select a node, k kills it, p pauses
      it, / goes to SQL. Act in the past and the run goes on from there.
    </span>
  );
}

function keys(event: KeyboardEvent): void {
  if (event.ctrlKey || event.metaKey || event.altKey) return;
  const target = event.target as HTMLElement;
  if (/^(TEXTAREA|INPUT|SELECT)$/.test(target.tagName)) return;
  const onButton = target.tagName === 'BUTTON';
  const node = moment.value?.nodes.find(({ id }) => id === selected.value);
  switch (event.key) {
    case ' ':
      if (onButton) return;
      setPlaying(!playing.value);
      break;
    case 'ArrowLeft':
      scrub(at.value - ARROW_MS);
      break;
    case 'ArrowRight':
      if (event.shiftKey) step();
      else scrub(at.value + ARROW_MS);
      break;
    case '/':
      tab.value = 'sql';
      requestAnimationFrame(() => document.getElementById('sql-text')?.focus());
      break;
    case 'Escape':
      selected.value = 0;
      break;
    case 'k':
      if (node !== undefined) act({ type: node.state === 'dead' ? 'restart' : 'kill', node: node.id });
      break;
    case 'p':
      if (node !== undefined) act({ type: node.state === 'paused' ? 'resume' : 'pause', node: node.id });
      break;
    default:
      if (!/^[1-7]$/.test(event.key)) return;
      selected.value = Number(event.key);
  }
  event.preventDefault();
}
