/** Colours for canvases, read from the tokens whenever the theme changes. */

/** What canvases draw with. */
export interface Colours {
  readonly back: string;
  readonly raised: string;
  readonly ink: string;
  readonly soft: string;
  readonly line: string;
  readonly strongLine: string;
  readonly accent: string;
  readonly doubt: string;
  readonly broken: string;
  readonly terms: readonly string[];
  readonly mono: string;
}

let colours: Colours | null = null;

/** The colours of the theme in force. */
export function currentColours(): Colours {
  if (colours !== null) return colours;
  const style = getComputedStyle(document.documentElement);
  const get = (name: string): string => style.getPropertyValue(`--${name}`).trim();
  colours = {
    back: get('back'),
    raised: get('raised'),
    ink: get('ink'),
    soft: get('soft'),
    line: get('line'),
    strongLine: get('strong-line'),
    accent: get('accent'),
    doubt: get('doubt'),
    broken: get('broken'),
    terms: Array.from({ length: 8 }, (_, i) => get(`term-${i}`)),
    mono: get('mono'),
  };
  return colours;
}

/** The theme changed. */
export function forgetColours(): void {
  colours = null;
}

/** The colour of a term; terms without one are grey. */
export function termColour(term: number): string {
  const { terms, strongLine } = currentColours();
  return term <= 0 ? strongLine : terms[(term - 1) % terms.length]!;
}

/** Fits a canvas to its place and the screen's pixels; its context draws in CSS pixels. */
export function fitCanvas(canvas: HTMLCanvasElement): {
  readonly context: CanvasRenderingContext2D;
  readonly width: number;
  readonly height: number;
} {
  const { clientWidth: width, clientHeight: height } = canvas;
  const scale = Math.min(3, window.devicePixelRatio || 1);
  const [w, h] = [Math.round(width * scale), Math.round(height * scale)];
  if (canvas.width !== w || canvas.height !== h) {
    canvas.width = w;
    canvas.height = h;
  }
  const context = canvas.getContext('2d')!;
  context.setTransform(scale, 0, 0, scale, 0, 0);
  return { context, width, height };
}
