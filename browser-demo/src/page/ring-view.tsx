/** The ring of nodes: a canvas for what moves, buttons for the nodes themselves. */
import { useSignal } from '@preact/signals';
import type { JSX } from 'preact';
import { useEffect, useRef } from 'preact/hooks';
import type { MessageView, NodeView } from '../sim/protocol.ts';
import { termColour } from './colours.ts';
import { onFrame, still } from './frames.ts';
import { drawRing, type Point, placeOf, sideOf } from './ring.ts';
import { act, history, moment, selected, setPlaying } from './store.ts';

/** How near to a message a click must be, CSS pixels. */
const REACH = 14;
/** A shorter line is a click. */
const SHORTEST_LINE = 40;

/** The ring. */
export function RingView(): JSX.Element {
  const canvas = useRef<HTMLCanvasElement>(null);
  const box = useSignal({ width: 0, height: 0 });
  const picked = useSignal<{ readonly message: MessageView; readonly place: Point } | null>(null);
  const line = useRef<[Point, Point] | null>(null);
  const places = useRef<{ readonly message: MessageView; readonly place: Point }[]>([]);

  useEffect(() => {
    const element = canvas.current!;
    const observer = new ResizeObserver(() => {
      box.value = { width: element.clientWidth, height: element.clientHeight };
    });
    observer.observe(element);
    const stop = onFrame((at) => {
      if (moment.value === null || element.clientWidth === 0) return;
      places.current = drawRing(element, {
        moment: moment.value,
        at,
        history,
        line: line.current,
        picked: picked.value?.message.id ?? 0,
        still: still(),
      });
    });
    return () => {
      observer.disconnect();
      stop();
    };
  }, []);

  function point(event: PointerEvent): Point {
    const { left, top } = canvas.current!.getBoundingClientRect();
    return { x: event.clientX - left, y: event.clientY - top };
  }

  function down(event: PointerEvent): void {
    const place = point(event);
    picked.value = null;
    line.current = [place, place];
    canvas.current!.setPointerCapture(event.pointerId);
  }

  function move(event: PointerEvent): void {
    if (line.current !== null) line.current = [line.current[0], point(event)];
  }

  function up(): void {
    const drawn = line.current;
    line.current = null;
    if (drawn === null) return;
    const length = Math.hypot(drawn[1].x - drawn[0].x, drawn[1].y - drawn[0].y);
    if (length < SHORTEST_LINE) pick(drawn[0]);
    else split(drawn);
  }

  function pick(place: Point): void {
    const distance = (other: Point): number => Math.hypot(other.x - place.x, other.y - place.y);
    const near = places.current
      .filter(({ place: other }) => distance(other) < REACH)
      .sort((a, b) => distance(a.place) - distance(b.place))[0];
    if (near === undefined) return;
    setPlaying(false);
    picked.value = near;
  }

  function split(drawn: readonly [Point, Point]): void {
    const { width, height } = box.value;
    const nodes = moment.value?.nodes ?? [];
    const groups: [number[], number[]] = [[], []];
    nodes.forEach(({ id }, i) => {
      groups[sideOf(drawn, placeOf(i, nodes.length, width, height))]!.push(id);
    });
    if (groups[0].length > 0 && groups[1].length > 0) act({ type: 'partition', groups });
  }

  const { width, height } = box.value;
  const nodes = moment.value?.nodes ?? [];
  return (
    <div class="ring">
      <canvas
        ref={canvas}
        class="ring-canvas"
        aria-hidden="true"
        onPointerDown={down}
        onPointerMove={move}
        onPointerUp={up}
        onPointerCancel={() => {
          line.current = null;
        }}
      />
      {width > 0 &&
        nodes.map((node, i) => (
          <NodeButton key={node.id} node={node} place={placeOf(i, nodes.length, width, height)} />
        ))}
      {picked.value !== null && (
        <MessageMenu
          message={picked.value.message}
          place={picked.value.place}
          close={() => {
            picked.value = null;
            setPlaying(true);
          }}
        />
      )}
      {nodes.length === 0 && <p class="ring-empty soft">Five databases are starting…</p>}
    </div>
  );
}

function NodeButton({ node, place }: { readonly node: NodeView; readonly place: Point }): JSX.Element {
  const { id, role, state, term, commit, applied, hash } = node;
  const word = state === 'running' ? role : state;
  const down = state === 'dead' || state === 'failed';
  const name = down
    ? `node ${id}: ${word}${node.why === '' ? '' : `, ${node.why}`}`
    : `node ${id}: ${word}, term ${term}, committed ${commit}, applied ${applied}`;
  return (
    <button
      type="button"
      class={`node ${state} ${role}`}
      style={{ left: `${place.x}px`, top: `${place.y}px`, '--term': down ? 'var(--line)' : termColour(term) }}
      aria-label={name}
      aria-pressed={selected.value === id}
      onClick={() => {
        selected.value = selected.value === id ? 0 : id;
      }}
    >
      <span class="node-disc">
        <span class="node-name">n{id}</span>
        <span class="node-role">{word}</span>
      </span>
      <span class="node-facts mono">
        {down ? (node.why === '' ? 'disk kept' : 'stopped') : `t${term} c${commit} ${hash.slice(0, 4)}`}
      </span>
    </button>
  );
}

function MessageMenu(props: {
  readonly message: MessageView;
  readonly place: Point;
  readonly close: () => void;
}): JSX.Element {
  const { message, place, close } = props;
  const { id, from, to, text } = message;
  function choose(what: 'drop' | 'duplicate' | 'delay'): void {
    act({ type: 'message', id, act: what });
    close();
  }
  return (
    <div class="popover" style={{ left: `${place.x}px`, top: `${place.y}px` }} role="dialog" aria-label="message">
      <p>
        <span class="mono">
          n{from} → n{to}
        </span>{' '}
        “{text}”
      </p>
      <div class="row">
        <button type="button" class="button" onClick={() => choose('drop')}>
          Lose it
        </button>
        <button type="button" class="button" onClick={() => choose('delay')}>
          Delay it
        </button>
        <button type="button" class="button" onClick={() => choose('duplicate')}>
          Double it
        </button>
        <button type="button" class="button plain" onClick={close}>
          Close
        </button>
      </div>
    </div>
  );
}
