/** Stroke icons on a grid of 16; each beside a word or with a name for screen readers. */
import type { JSX } from 'preact';

const PATHS = {
  play: 'M5 3.5v9l7-4.5z',
  pause: 'M5.5 3.5v9M10.5 3.5v9',
  step: 'M4 3.5v9l5.5-4.5zM12 3.5v9',
  start: 'M12 3.5v9L6.5 8zM4 3.5v9',
  link: 'M6.5 9.5l3-3M7 4.5l1.2-1.2a3 3 0 0 1 4.3 4.3L11.300 8.8M9 11.500l-1.200 1.200a3 3 0 0 1-4.300-4.300L4.700 7.200',
  tour: 'M8 14A6 6 0 1 0 8 2a6 6 0 0 0 0 12zM6.300 6.300a1.800 1.800 0 1 1 2.600 1.600c-.6.3-.9.7-.9 1.300M8 11.300v.1',
  check: 'M3.500 8.500l3 3 6-7',
  cross: 'M4 4l8 8M12 4l-8 8',
  theme: 'M8 2a6 6 0 1 0 0 12zM8 2a6 6 0 0 1 0 12',
  export: 'M8 2.500v7M5 7l3 3 3-3M3 13h10',
  next: 'M6 3.500L10.500 8 6 12.500',
  back: 'M10 3.500L5.500 8 10 12.500',
} as const;

/** Names of icons. */
export type IconName = keyof typeof PATHS;

/** A drawing; whoever uses it says in words what it means. */
export function Icon({ name }: { readonly name: IconName }): JSX.Element {
  return (
    <svg class="icon-drawing" viewBox="0 0 16 16" aria-hidden="true">
      <path d={PATHS[name]} />
    </svg>
  );
}
