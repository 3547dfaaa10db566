/** What happened, in words, newest first; a click jumps to the moment. */
import { useSignal } from '@preact/signals';
import type { JSX } from 'preact';
import type { EventView } from '../sim/protocol.ts';
import { at, events, live, moment, scrub } from './store.ts';

const MOST = 200;

/** The list. */
export function EventList(): JSX.Element {
  const only = useSignal(0);
  const nodes = moment.value?.nodes ?? [];
  const until = live.value ? Number.POSITIVE_INFINITY : at.value;
  const shown: EventView[] = [];
  for (let i = events.value.length - 1; i >= 0 && shown.length < MOST; i--) {
    const event = events.value[i]!;
    if (event.at <= until && (only.value === 0 || event.node === only.value)) shown.push(event);
  }
  return (
    <section class="panel events" aria-labelledby="events-title">
      <header class="panel-head">
        <h2 id="events-title">What happened</h2>
        <label class="push">
          <span class="hidden">Only events of</span>
          <select
            class="field"
            value={only.value}
            onChange={(event) => {
              only.value = Number(event.currentTarget.value);
            }}
          >
            <option value={0}>all nodes</option>
            {nodes.map(({ id }) => (
              <option key={id} value={id}>
                n{id}
              </option>
            ))}
          </select>
        </label>
      </header>
      <ol class="event-list" aria-live="polite" aria-relevant="additions">
        {shown.map((event) => (
          <li key={event.id}>
            <button
              type="button"
              class={`event ${event.kind} ${/ leads term /.test(event.text) ? 'leads' : ''}`}
              title="Show this moment"
              onClick={() => scrub(event.at)}
            >
              <span class="mono soft event-time">{(event.at / 1000).toFixed(2)}</span>
              <span>{event.text}</span>
            </button>
          </li>
        ))}
      </ol>
    </section>
  );
}
