/** A run in a link: seed and inputs, deflated, behind the `#` of the address. */
import type { Run } from '../sim/protocol.ts';

/** Longer links are files instead, characters. */
export const LONGEST_LINK = 16_384;
const PREFIX = '#run=';

/** What a link carries. */
export interface LinkedRun {
  readonly run: Run;
  readonly at: number;
}

/** The part of an address behind the page's own. */
export async function writeLink(linked: LinkedRun): Promise<string> {
  const { run, at } = linked;
  const text = JSON.stringify({ v: 1, s: run.seed, i: run.inputs, t: Math.floor(at) });
  const stream = new Blob([text]).stream().pipeThrough(new CompressionStream('deflate-raw'));
  const bytes = new Uint8Array(await new Response(stream).arrayBuffer());
  let binary = '';
  for (const byte of bytes) binary += String.fromCharCode(byte);
  return PREFIX + btoa(binary).replaceAll('+', '-').replaceAll('/', '_').replaceAll('=', '');
}

/** Null when the address has no run; throws when it has one that cannot be read. */
export async function readLink(hash: string): Promise<LinkedRun | null> {
  if (!hash.startsWith(PREFIX)) return null;
  const text = hash.slice(PREFIX.length).replaceAll('-', '+').replaceAll('_', '/');
  const bytes = Uint8Array.from(atob(text), (char) => char.charCodeAt(0));
  const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream('deflate-raw'));
  return parseRun(await new Response(stream).text());
}

/** A run as a file carries it. */
export function parseRun(text: string): LinkedRun {
  const { v, s, i, t } = JSON.parse(text) as { v: number; s: unknown; i: unknown; t: unknown };
  if (v !== 1 || !Array.isArray(i)) throw new Error('this run was made by another version');
  const timed = i.filter((one) => Number.isFinite(one?.at) && typeof one?.input?.type === 'string');
  return { run: { seed: String(s), inputs: timed }, at: Math.min(Number(t) || 0, 3_600_000) };
}
