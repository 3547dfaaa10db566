/** One loop for everything that is drawn, at the screen's pace. */
import { drawTime } from './store.ts';

type Draw = (at: number) => void;

const drawers = new Set<Draw>();
let running = false;
const calm = matchMedia('(prefers-reduced-motion: reduce)');

/** Calls `draw` for every frame of the screen with the moment to show; returns how to stop. */
export function onFrame(draw: Draw): () => void {
  drawers.add(draw);
  if (!running) {
    running = true;
    requestAnimationFrame(loop);
  }
  return () => drawers.delete(draw);
}

/** Whether the visitor wants no motion. */
export function still(): boolean {
  return calm.matches;
}

function loop(realMs: number): void {
  const at = drawTime(realMs);
  for (const draw of drawers) draw(at);
  requestAnimationFrame(loop);
}
