/** Draws the ring: links, election arcs, messages on their way, cuts. */
import type { MessageKind, MessageView } from '../sim/protocol.ts';
import { currentColours, fitCanvas, termColour } from './colours.ts';
import type { History, Moment } from './history.ts';

/** Radius of a node as it stands on the page, CSS pixels. */
export const NODE_RADIUS = 34;

/** A place on the canvas. */
export interface Point {
  readonly x: number;
  readonly y: number;
}

/** Where a node stands, for a ring of `count` in a box. */
export function placeOf(position: number, count: number, width: number, height: number): Point {
  const angle = -Math.PI / 2 + (position * 2 * Math.PI) / count;
  const radiusX = Math.min(width / 2 - NODE_RADIUS - 34, (height / 2) * 1.35);
  const radiusY = height / 2 - NODE_RADIUS - 26;
  return {
    x: width / 2 + Math.cos(angle) * radiusX,
    y: height / 2 + Math.sin(angle) * radiusY - 6,
  };
}

const SIZES: { readonly [K in MessageKind]: number } = {
  append: 5.5,
  snapshot: 6.5,
  vote: 5,
  client: 4.5,
  reply: 3.5,
  heartbeat: 2.5,
  link: 2.5,
};

/** What is drawn. */
export interface RingScene {
  readonly moment: Moment;
  readonly at: number;
  readonly history: History;
  /** A line that the visitor draws. */
  readonly line: readonly [Point, Point] | null;
  /** A message that the visitor has picked. */
  readonly picked: number;
  /** States change without travel. */
  readonly still: boolean;
}

/** Draws a scene; returns where the messages are, for picking one. */
export function drawRing(
  canvas: HTMLCanvasElement,
  scene: RingScene,
): { readonly message: MessageView; readonly place: Point }[] {
  const { context, width, height } = fitCanvas(canvas);
  const { moment } = scene;
  context.clearRect(0, 0, width, height);
  const count = moment.nodes.length;
  const places = new Map(
    moment.nodes.map((node, i) => [node.id, placeOf(i, count, width, height)] as const),
  );
  drawLinks(context, moment, places);
  const found = scene.still ? [] : drawMessages(context, scene, places);
  drawArcs(context, moment, places);
  if (scene.line !== null) drawLine(context, scene.line);
  return found;
}

type Places = ReadonlyMap<number, Point>;

function drawLinks(context: CanvasRenderingContext2D, moment: Moment, places: Places): void {
  const { line, doubt } = currentColours();
  const cuts = new Set(moment.cuts);
  for (const { id: a } of moment.nodes) {
    for (const { id: b } of moment.nodes) {
      if (a >= b) continue;
      const [one, other] = [places.get(a)!, places.get(b)!];
      const there = cuts.has(a * 16 + b);
      const back = cuts.has(b * 16 + a);
      context.beginPath();
      context.moveTo(one.x, one.y);
      context.lineTo(other.x, other.y);
      context.strokeStyle = there || back ? doubt : line;
      context.lineWidth = 1;
      context.setLineDash(there || back ? [3, 5] : []);
      context.stroke();
      context.setLineDash([]);
      const middle = { x: (one.x + other.x) / 2, y: (one.y + other.y) / 2 };
      if (there && back) drawCross(context, middle);
      else if (there) drawOneWay(context, one, other);
      else if (back) drawOneWay(context, other, one);
    }
  }
}

function drawCross(context: CanvasRenderingContext2D, { x, y }: Point): void {
  const { doubt } = currentColours();
  context.strokeStyle = doubt;
  context.lineWidth = 1.5;
  context.beginPath();
  context.moveTo(x - 4, y - 4);
  context.lineTo(x + 4, y + 4);
  context.moveTo(x + 4, y - 4);
  context.lineTo(x - 4, y + 4);
  context.stroke();
}

/** A bar across the direction that is cut, nearer to whom nothing reaches. */
function drawOneWay(context: CanvasRenderingContext2D, from: Point, to: Point): void {
  const { doubt } = currentColours();
  const length = Math.hypot(to.x - from.x, to.y - from.y) || 1;
  const [dx, dy] = [(to.x - from.x) / length, (to.y - from.y) / length];
  const x = from.x + dx * length * 0.62;
  const y = from.y + dy * length * 0.62;
  context.strokeStyle = doubt;
  context.lineWidth = 2;
  context.beginPath();
  context.moveTo(x - dy * 6, y + dx * 6);
  context.lineTo(x + dy * 6, y - dx * 6);
  context.stroke();
}

function drawMessages(
  context: CanvasRenderingContext2D,
  { at, history, moment, picked }: RingScene,
  places: Places,
): { readonly message: MessageView; readonly place: Point }[] {
  const { strongLine, ink, doubt } = currentColours();
  const found: { readonly message: MessageView; readonly place: Point }[] = [];
  const cuts = new Set(moment.cuts);
  const down = new Set(
    moment.nodes.filter(({ state }) => state === 'dead' || state === 'failed').map(({ id }) => id),
  );
  for (const message of history.travelling(at)) {
    const from = places.get(message.from);
    const to = places.get(message.to);
    if (from === undefined || to === undefined) continue;
    const end = history.ends.get(message.id);
    const due = end !== undefined && !end.lost ? end.at : message.due;
    const cut = cuts.has(message.from * 16 + message.to);
    const way = (at - message.sent) / Math.max(1, due - message.sent);
    // Nobody is there to take it in, and its sender does not know yet.
    if (way > 1 && down.has(message.to)) continue;
    const part = Math.min(cut ? 0.5 : 1, Math.max(0, way));
    const place = along(from, to, part);
    const faint = message.kind === 'heartbeat' || message.kind === 'link';
    const radius = SIZES[message.kind];
    context.beginPath();
    context.arc(place.x, place.y, radius, 0, 2 * Math.PI);
    context.fillStyle = faint || message.term === 0 ? strongLine : termColour(message.term);
    if (message.kind === 'reply' || message.kind === 'vote') {
      context.strokeStyle = context.fillStyle;
      context.lineWidth = 1.75;
      context.stroke();
    } else {
      context.fill();
    }
    if (cut || way > 1.1) ringAround(context, place, radius + 3, doubt);
    if (message.id === picked) ringAround(context, place, radius + 5, ink);
    found.push({ message, place });
  }
  return found;
}

function ringAround(
  context: CanvasRenderingContext2D,
  { x, y }: Point,
  radius: number,
  colour: string,
): void {
  context.beginPath();
  context.arc(x, y, radius, 0, 2 * Math.PI);
  context.strokeStyle = colour;
  context.lineWidth = 1.25;
  context.stroke();
}

/** A way beside the straight line, so that two directions do not meet, between the rims of the nodes. */
function along(from: Point, to: Point, part: number): Point {
  const length = Math.hypot(to.x - from.x, to.y - from.y) || 1;
  const [dx, dy] = [(to.x - from.x) / length, (to.y - from.y) / length];
  const way = NODE_RADIUS + (length - 2 * NODE_RADIUS) * part;
  const aside = 5;
  return { x: from.x + dx * way - dy * aside, y: from.y + dy * way + dx * aside };
}

function drawArcs(context: CanvasRenderingContext2D, moment: Moment, places: Places): void {
  const { line } = currentColours();
  moment.nodes.forEach((node, i) => {
    const place = places.get(node.id)!;
    const part = (moment.arcs[i] ?? 0) / 255;
    context.lineWidth = 2.5;
    context.strokeStyle = line;
    context.beginPath();
    context.arc(place.x, place.y, NODE_RADIUS + 5, 0, 2 * Math.PI);
    if (node.state === 'running' && node.role !== 'leader') context.stroke();
    if (part <= 0 || node.state !== 'running') return;
    context.strokeStyle = termColour(node.term);
    context.beginPath();
    context.arc(place.x, place.y, NODE_RADIUS + 5, -Math.PI / 2, -Math.PI / 2 + part * 2 * Math.PI);
    context.stroke();
  });
}

function drawLine(context: CanvasRenderingContext2D, [from, to]: readonly [Point, Point]): void {
  const { doubt } = currentColours();
  context.strokeStyle = doubt;
  context.lineWidth = 2;
  context.setLineDash([7, 5]);
  context.beginPath();
  context.moveTo(from.x, from.y);
  context.lineTo(to.x, to.y);
  context.stroke();
  context.setLineDash([]);
}

/** On which side of a line, drawn on beyond its ends, a place is. */
export function sideOf([from, to]: readonly [Point, Point], place: Point): number {
  const cross = (to.x - from.x) * (place.y - from.y) - (to.y - from.y) * (place.x - from.x);
  return cross >= 0 ? 1 : 0;
}
