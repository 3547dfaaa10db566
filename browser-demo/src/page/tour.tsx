/** The tour as a card beside the ring. */
import { type Signal, signal } from '@preact/signals';
import type { JSX } from 'preact';
import { useEffect } from 'preact/hooks';
import { Icon } from '../../../ui/icons.tsx';
import { CHAPTERS, type TourState } from './chapters.ts';
import { act, answersVersion, chaos, events, history, leader, load, moment, now, playing, setPlaying } from './store.ts';

/** Longest sync of a disk that nobody has slowed down, milliseconds. */
const FAST_DISK_MS = 14;

/** The chapter that is open, from 1; 0 for none. */
export const touring: Signal<number> = signal(0);
const begunAt: Signal<number> = signal(0);
/** The follower that a chapter is about: the same to its end. */
const subject: Signal<number> = signal(0);

function stateNow(): TourState {
  answersVersion.value;
  return {
    leader: leader.value,
    follower: subject.value,
    told: events.value.filter((event) => event.at >= begunAt.value).map(({ text }) => text),
    answers: [...history.answers.values()].filter(
      ({ answered, asked }) => answered !== null && asked >= begunAt.value,
    ),
  };
}

/** Each chapter begins with a whole cluster. */
function repair(): void {
  const shown = moment.peek();
  if (shown === null) return;
  if (load.peek() > 0) act({ type: 'load', perSecond: 0 });
  if (chaos.peek()) act({ type: 'chaos', on: false });
  if (shown.cuts.length > 0) act({ type: 'healAll' });
  for (const { id, state, syncMs } of shown.nodes) {
    if (state === 'dead' || state === 'failed') act({ type: 'restart', node: id });
    if (state === 'paused') act({ type: 'resume', node: id });
    if (syncMs > FAST_DISK_MS) act({ type: 'slowDisk', node: id, ms: FAST_DISK_MS });
  }
}

/** The card. */
export function Tour(): JSX.Element | null {
  const number = touring.value;
  useEffect(() => {
    if (number === 0) return;
    repair();
    begunAt.value = now.peek();
    const followers = (moment.peek()?.nodes ?? []).filter(({ role }) => role === 'follower');
    subject.value = followers[0]?.id ?? 2;
  }, [number]);
  const chapter = CHAPTERS[number - 1];
  if (chapter === undefined) return null;
  const state = stateNow();
  const done = chapter.done(state);
  return (
    <aside class="tour" aria-labelledby="tour-title">
      <header class="menu-head">
        <span class="soft mono">
          {number} / {CHAPTERS.length}
        </span>
        <h2 id="tour-title">{chapter.title}</h2>
        <button
          type="button"
          class="button plain push"
          onClick={() => {
            touring.value = 0;
          }}
        >
          End the tour
        </button>
      </header>
      <p>{chapter.text}</p>
      <p class={done ? 'tour-now done' : 'tour-now'} aria-live="polite">
        <strong>{done ? 'Done.' : 'Now you.'}</strong> {chapter.now}
      </p>
      <div class="row">
        {chapter.show.map(({ name, input }) => (
          <button
            key={name}
            type="button"
            class="button"
            onClick={() => {
              act(input(stateNow()));
              if (!playing.value) setPlaying(true);
            }}
          >
            {name}
          </button>
        ))}
        <span class="push row">
          <button
            type="button"
            class="button icon"
            aria-label="Chapter before"
            disabled={number === 1}
            onClick={() => {
              touring.value = number - 1;
            }}
          >
            <Icon name="back" />
          </button>
          <button
            type="button"
            class={`button ${done ? 'primary' : ''}`}
            onClick={() => {
              touring.value = number === CHAPTERS.length ? 0 : number + 1;
            }}
          >
            {number === CHAPTERS.length ? 'Finish' : 'Next'} <Icon name="next" />
          </button>
        </span>
      </div>
    </aside>
  );
}
