/** What concerns the run as a whole: time, chance, load, links. */
import { useSignal } from '@preact/signals';
import type { JSX } from 'preact';
import { Icon } from '../../../ui/icons.tsx';
import { forgetColours } from './colours.ts';
import { LONGEST_LINK, parseRun, writeLink } from './link.ts';
import {
  act,
  at,
  chaos,
  download,
  inputs,
  live,
  load,
  notice,
  playing,
  rate,
  restart,
  scrub,
  seed,
  setPlaying,
  setRate,
  step,
} from './store.ts';
import { touring } from './tour.tsx';

const RATES: readonly { readonly value: number; readonly name: string }[] = [
  { value: 0.05, name: '×1⁄20' },
  { value: 0.25, name: '×¼' },
  { value: 1, name: '×1' },
  { value: 4, name: '×4' },
];

/** Pause, step, and how fast time passes. */
export function TimeControls(): JSX.Element {
  return (
    <div class="row time-controls">
      <div class="group">
        <button type="button" class="button icon" aria-label="To the beginning" onClick={() => scrub(0)}>
          <Icon name="start" />
        </button>
        <button
          type="button"
          class="button icon"
          aria-label={playing.value ? 'Pause' : 'Play'}
          onClick={() => setPlaying(!playing.value)}
        >
          <Icon name={playing.value ? 'pause' : 'play'} />
        </button>
        <button type="button" class="button icon" aria-label="One step" onClick={step}>
          <Icon name="step" />
        </button>
      </div>
      {/* biome-ignore lint/a11y/useSemanticElements: a fieldset would need a legend on screen */}
      <div class="group" role="group" aria-label="How fast time passes">
        {RATES.map(({ value, name }) => (
          <button
            key={name}
            type="button"
            class="button"
            aria-pressed={rate.value === value}
            onClick={() => setRate(value)}
          >
            {name}
          </button>
        ))}
      </div>
    </div>
  );
}

/** The top line. */
export function Toolbar(): JSX.Element {
  return (
    <header class="top">
      <div class="title">
        <h1>Quorlite</h1>
        <span class="soft subtitle">five nodes, one database</span>
      </div>
      <div class="row push">
        <button
          type="button"
          class="button"
          aria-pressed={load.value > 0}
          title="A client writes 20 rows a second"
          onClick={() => act({ type: 'load', perSecond: load.value > 0 ? 0 : 20 })}
        >
          Load
        </button>
        <button
          type="button"
          class="button"
          aria-pressed={chaos.value}
          title="Things break by chance, while a bank moves money whose total never changes"
          onClick={() => act({ type: 'chaos', on: !chaos.value })}
        >
          Chaos
        </button>
        <span class="wide-only">
          <TimeControls />
        </span>
        <Seed />
        <button type="button" class="button" onClick={() => void copyLink()}>
          <Icon name="link" /> <span class="roomy-only">Link</span>
          <span class="hidden">Copy a link to this moment</span>
        </button>
        <button
          type="button"
          class="button"
          aria-pressed={touring.value > 0}
          onClick={() => {
            touring.value = touring.value > 0 ? 0 : 1;
          }}
        >
          <Icon name="tour" /> <span class="roomy-only">Tour</span>
          <span class="hidden">Tour of eight chapters</span>
        </button>
        <button type="button" class="button icon" aria-label="Dark or light" onClick={switchTheme}>
          <Icon name="theme" />
        </button>
      </div>
    </header>
  );
}

function Seed(): JSX.Element {
  const draft = useSignal<string | null>(null);
  return (
    <form
      class="row seed"
      onSubmit={(event) => {
        event.preventDefault();
        const chosen = (draft.value ?? seed.value).trim();
        draft.value = null;
        if (chosen !== '') restart({ seed: chosen, inputs: [] });
      }}
    >
      <label>
        <span class="soft">seed</span>{' '}
        <input
          class="field mono"
          size={6}
          maxLength={40}
          title="Everything that chance decides follows from it; Enter starts over"
          value={draft.value ?? seed.value}
          onInput={(event) => {
            draft.value = event.currentTarget.value;
          }}
        />
      </label>
    </form>
  );
}

async function copyLink(): Promise<void> {
  const shown = Math.floor(at.value);
  const kept = live.value ? inputs.value : inputs.value.filter((input) => input.at <= shown);
  const run = { seed: seed.value, inputs: kept };
  const hash = await writeLink({ run, at: shown });
  if (hash.length > LONGEST_LINK) {
    const text = JSON.stringify({ v: 1, s: run.seed, i: run.inputs, t: shown });
    download('quorlite-run.json', new Blob([text], { type: 'application/json' }));
    notice.value = 'The run is too long for a link; it was saved as a file that can be dropped here.';
    return;
  }
  window.history.replaceState(null, '', hash);
  try {
    await navigator.clipboard.writeText(location.href);
    notice.value = 'The link is on the clipboard: it shows this run at this moment.';
  } catch {
    notice.value = 'The link is in the address bar: it shows this run at this moment.';
  }
}

/** Opens a run that was saved as a file. */
export async function openRun(file: File): Promise<void> {
  try {
    const { run, at: until } = parseRun(await file.text());
    restart(run, until);
  } catch (error) {
    notice.value = `This file holds no run: ${(error as Error).message}`;
  }
}

function switchTheme(): void {
  const { dataset } = document.documentElement;
  const dark = dataset['theme']
    ? dataset['theme'] === 'dark'
    : matchMedia('(prefers-color-scheme: dark)').matches;
  dataset['theme'] = dark ? 'light' : 'dark';
  forgetColours();
}
