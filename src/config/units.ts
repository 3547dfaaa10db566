/** Numbers with a unit, as people write them. */

const UNITS: {
  readonly [unit: string]: { readonly kind: 'bytes' | 'ms'; readonly factor: number };
} = {
  b: { kind: 'bytes', factor: 1 },
  kib: { kind: 'bytes', factor: 1024 },
  mib: { kind: 'bytes', factor: 1024 * 1024 },
  gib: { kind: 'bytes', factor: 1024 * 1024 * 1024 },
  ms: { kind: 'ms', factor: 1 },
  s: { kind: 'ms', factor: 1000 },
  m: { kind: 'ms', factor: 60_000 },
  h: { kind: 'ms', factor: 3_600_000 },
};

/**
 * A plain number, bytes (`8MiB`, `64 KiB`) or a duration (`200ms`, `10s`, `5m`, `1h`) as bytes or milliseconds. NaN when
 * it is none, or when its unit is not of `kind`.
 */
export function parseAmount(text: string, kind: 'bytes' | 'ms' | 'plain'): number {
  const match = /^(\d+(?:_\d+)*(?:\.\d+)?(?:e\d+)?)\s*([a-z]*)$/i.exec(text.trim());
  if (match === null) return Number.NaN;
  const value = Number(match[1]!.replaceAll('_', ''));
  const name = match[2]!.toLowerCase();
  if (name === '') return value;
  const unit = UNITS[name];
  return unit === undefined || unit.kind !== kind ? Number.NaN : value * unit.factor;
}

/** Bytes for people: `8 MiB`, `1.5 GiB`, `300 B`. */
export function formatBytes(bytes: number): string {
  const names = ['B', 'KiB', 'MiB', 'GiB', 'TiB'];
  let power = 0;
  let value = bytes;
  while (value >= 1024 && power < names.length - 1) {
    value /= 1024;
    power++;
  }
  return `${Number.isInteger(value) ? value : value.toFixed(1)} ${names[power]!}`;
}
