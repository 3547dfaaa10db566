/** The run from its beginning: marks for what mattered, a slider to any moment. */
import { useSignal } from '@preact/signals';
import type { JSX } from 'preact';
import { useEffect, useRef } from 'preact/hooks';
import { currentColours, fitCanvas, termColour } from './colours.ts';
import { at, events, forkedAt, live, now, scrub, seconds, setPlaying } from './store.ts';

/** The timeline. */
export function Timeline(): JSX.Element {
  const canvas = useRef<HTMLCanvasElement>(null);
  const width = useSignal(0);
  useEffect(() => {
    const element = canvas.current!;
    const observer = new ResizeObserver(() => {
      width.value = element.clientWidth;
    });
    observer.observe(element);
    return () => observer.disconnect();
  }, []);
  const total = Math.max(1000, now.value);
  const tenth = Math.floor(now.value / 100);
  useEffect(() => {
    if (canvas.current !== null && width.value > 0) drawMarks(canvas.current, total);
  }, [tenth, events.value.length, width.value, forkedAt.value]);
  return (
    <div class="timeline">
      <div class="timeline-track">
        <canvas ref={canvas} class="timeline-canvas" aria-hidden="true" />
        <input
          type="range"
          class="timeline-range"
          aria-label="Moment that is shown"
          aria-valuetext={seconds(at.value)}
          min={0}
          max={total}
          step={20}
          value={at.value}
          onInput={(event) => scrub(Number(event.currentTarget.value))}
        />
      </div>
      <span class="mono timeline-time">{seconds(at.value)}</span>
      {live.value ? (
        <span class="timeline-live">now</span>
      ) : (
        <button type="button" class="button" onClick={() => setPlaying(true)}>
          Back to now
        </button>
      )}
    </div>
  );
}

function drawMarks(canvas: HTMLCanvasElement, total: number): void {
  const { context, width, height } = fitCanvas(canvas);
  const { line, doubt, soft, accent } = currentColours();
  const middle = height / 2;
  context.clearRect(0, 0, width, height);
  context.fillStyle = line;
  context.fillRect(0, middle - 1, width, 2);
  let from = 0;
  let term = 0;
  const segment = (to: number): void => {
    if (term === 0) return;
    context.fillStyle = termColour(term);
    context.fillRect((from / total) * width, middle - 1, ((to - from) / total) * width, 2);
  };
  for (const event of events.value) {
    const x = (event.at / total) * width;
    const leads = /leads term (\d+)/.exec(event.text);
    if (event.kind === 'role' && leads !== null) {
      segment(event.at);
      from = event.at;
      term = Number(leads[1]);
      context.fillStyle = termColour(term);
      context.fillRect(x - 1, middle - 9, 2, 18);
    } else if (event.kind === 'fault') {
      context.fillStyle = doubt;
      context.fillRect(x - 0.75, middle + 3, 1.5, 6);
    } else if (event.kind === 'sql') {
      context.fillStyle = soft;
      context.fillRect(x - 0.75, middle - 8, 1.5, 5);
    }
  }
  segment(total);
  if (forkedAt.value === null) return;
  const x = (forkedAt.value / total) * width;
  context.strokeStyle = accent;
  context.lineWidth = 1.5;
  context.beginPath();
  context.moveTo(x - 4, middle + 9);
  context.lineTo(x, middle + 3);
  context.lineTo(x + 4, middle + 9);
  context.stroke();
}
