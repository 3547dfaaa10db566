/** The logs, one lane per node: drawn on a canvas, read out cell by cell. */
import { type ReadonlySignal, useComputed, useSignal } from '@preact/signals';
import type { JSX } from 'preact';
import { useEffect, useRef } from 'preact/hooks';
import type { NodeView } from '../sim/protocol.ts';
import { currentColours, fitCanvas, termColour } from './colours.ts';
import { onFrame } from './frames.ts';
import type { Moment } from './history.ts';
import { history, moment } from './store.ts';

const CELL = 19;
const NAME = 34;
const TOP = 20;

/** Where lanes and cells are. */
interface Layout {
  readonly first: number;
  readonly last: number;
  readonly lane: number;
}

function layoutOf(nodes: readonly NodeView[], width: number, height: number): Layout {
  const newest = Math.max(1, ...nodes.map((node) => node.last));
  const columns = Math.max(4, Math.floor((width - NAME - 6) / CELL));
  const first = Math.max(1, newest - columns + 1);
  const lane = Math.min(30, Math.max(14, (height - TOP - 4) / Math.max(1, nodes.length)));
  return { first, last: first + columns - 1, lane };
}

function termOf(node: NodeView, index: number): number {
  if (index > node.last) return 0;
  return node.terms[node.terms.length - 1 - (node.last - index)] ?? -1;
}

/** What one node holds at an index, in words. */
function stateOf(node: NodeView, index: number): string {
  if (node.state === 'dead' || node.state === 'failed') return 'down';
  if (index > node.last) return 'not there';
  if (termOf(node, index) < 0) return 'in a snapshot';
  if (index <= node.applied) return 'applied';
  if (index <= node.commit) return 'committed';
  return index <= node.durable ? 'synced' : 'not synced';
}

function draw(canvas: HTMLCanvasElement, shown: Moment, cursor: number): Layout {
  const { context, width, height } = fitCanvas(canvas);
  const { soft, ink, line, back, mono } = currentColours();
  const layout = layoutOf(shown.nodes, width, height);
  context.clearRect(0, 0, width, height);
  context.font = `11px ${mono}`;
  context.textBaseline = 'middle';
  context.fillStyle = soft;
  context.textAlign = 'center';
  for (let index = layout.first; index <= layout.last; index++) {
    if (index % 5 === 0) context.fillText(String(index), xOf(layout, index) + CELL / 2, 9);
  }
  if (cursor >= layout.first && cursor <= layout.last) {
    context.strokeStyle = line;
    context.fillStyle = currentColours().raised;
    context.fillRect(xOf(layout, cursor) - 1, 0, CELL, TOP + layout.lane * shown.nodes.length);
  }
  shown.nodes.forEach((node, row) => {
    const y = TOP + row * layout.lane;
    const down = node.state === 'dead' || node.state === 'failed';
    context.textAlign = 'left';
    context.fillStyle = down ? soft : ink;
    context.fillText(`n${node.id}`, 2, y + layout.lane / 2);
    if (down) {
      context.fillStyle = soft;
      context.fillText('down', NAME, y + layout.lane / 2);
      return;
    }
    for (let index = layout.first; index <= Math.min(layout.last, node.last); index++) {
      drawCell(context, node, index, xOf(layout, index), y, layout.lane, back);
    }
  });
  return layout;
}

function xOf({ first }: Layout, index: number): number {
  return NAME + (index - first) * CELL;
}

function drawCell(
  context: CanvasRenderingContext2D,
  node: NodeView,
  index: number,
  x: number,
  y: number,
  lane: number,
  back: string,
): void {
  const term = termOf(node, index);
  const size = CELL - 3;
  const high = Math.min(lane - 4, 18);
  const top = y + (lane - high) / 2;
  const colour = termColour(term);
  const committed = index <= node.commit;
  context.strokeStyle = colour;
  context.fillStyle = colour;
  context.lineWidth = 1.5;
  context.setLineDash(index <= node.durable || committed ? [] : [2, 2]);
  if (committed) context.fillRect(x, top, size, high);
  else context.strokeRect(x + 0.75, top + 0.75, size - 1.5, high - 1.5);
  context.setLineDash([]);
  if (index > node.applied) return;
  context.fillStyle = committed ? back : colour;
  context.beginPath();
  context.arc(x + size / 2, top + high / 2, 2, 0, 2 * Math.PI);
  context.fill();
}

/** The logs. */
export function LogView(): JSX.Element {
  const canvas = useRef<HTMLCanvasElement>(null);
  const cursor = useSignal(0);
  const layout = useRef<Layout>({ first: 1, last: 1, lane: 20 });
  const drawn = useRef<{ shown: Moment | null; cursor: number; key: string }>({
    shown: null,
    cursor: 0,
    key: '',
  });

  useEffect(() => {
    const element = canvas.current!;
    return onFrame(() => {
      const shown = moment.value;
      if (shown === null || element.clientWidth === 0) return;
      const key = `${element.clientWidth} ${element.clientHeight} ${currentColours().ink}`;
      const { current } = drawn;
      // Only what changed is drawn: pictures share the nodes that did not.
      const same = shown.nodes.every((node, i) => node === current.shown?.nodes[i]);
      if (same && current.cursor === cursor.value && current.key === key) return;
      drawn.current = { shown, cursor: cursor.value, key };
      layout.current = draw(element, shown, cursor.value);
    });
  }, []);

  function hover(event: PointerEvent): void {
    const { left } = canvas.current!.getBoundingClientRect();
    const index = layout.current.first + Math.floor((event.clientX - left - NAME) / CELL);
    const newest = Math.max(0, ...(moment.value?.nodes ?? []).map((node) => node.last));
    cursor.value = index >= 1 && index <= newest ? index : 0;
  }

  function key(event: KeyboardEvent): void {
    const newest = Math.max(0, ...(moment.value?.nodes ?? []).map((node) => node.last));
    if (event.key !== 'ArrowLeft' && event.key !== 'ArrowRight') return;
    event.preventDefault();
    event.stopPropagation();
    const from = cursor.value === 0 ? newest + 1 : cursor.value;
    const next = from + (event.key === 'ArrowLeft' ? -1 : 1);
    cursor.value = Math.max(1, Math.min(newest, next));
  }

  return (
    <section class="panel log" aria-labelledby="log-title">
      <header class="panel-head">
        <h2 id="log-title">Log</h2>
        <span class="legend soft" aria-hidden="true">
          <i class="cell open" /> written <i class="cell full" /> committed <i class="cell dot" />{' '}
          applied
        </span>
      </header>
      {/* biome-ignore lint/a11y/noNoninteractiveTabindex: arrows move over the entries */}
      <div
        class="log-box"
        role="application"
        tabIndex={0}
        aria-label="Log of each node; left and right arrows move over the entries"
        aria-describedby="log-entry"
        onKeyDown={key}
      >
        <canvas ref={canvas} class="log-canvas" onPointerMove={hover} onPointerDown={hover} />
      </div>
      <p id="log-entry" class="log-entry" aria-live="polite">
        <EntryText cursor={cursor} />
      </p>
    </section>
  );
}

function EntryText({ cursor }: { readonly cursor: ReadonlySignal<number> }): JSX.Element {
  const text = useComputed(() => {
    const index = cursor.value;
    const nodes = moment.value?.nodes ?? [];
    if (index === 0) return null;
    const holder = nodes.find((node) => termOf(node, index) > 0);
    const entry = holder && history.entries.get(`${index}/${termOf(holder, index)}`);
    const states = new Map<string, number[]>();
    for (const node of nodes) {
      const state = stateOf(node, index);
      states.set(state, [...(states.get(state) ?? []), node.id]);
    }
    const who = [...states].map(([state, ids]) => `${state}: ${ids.map((id) => `n${id}`).join(' ')}`);
    return { index, term: entry?.term ?? 0, text: entry?.text ?? '', who: who.join(' · ') };
  });
  const shown = text.value;
  if (shown === null) return <span class="soft">Point at a cell to read the entry.</span>;
  return (
    <>
      <span class="mono">
        {shown.index} · term {shown.term}
      </span>{' '}
      <span class="mono entry-sql">{shown.text}</span> <span class="soft">{shown.who}</span>
    </>
  );
}
