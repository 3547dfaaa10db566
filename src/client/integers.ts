/**
 * How integers come out. The engine gives safe integers as `number` and the others as `bigint`; that is `auto`, and
 * costs nothing.
 */
import type { Column } from '../wire/result.ts';
import type { SqlValue } from '../wire/value.ts';
import type { IntegerMode } from './contract.ts';

/** Columns declared so hold REAL values (SQLite's affinity rules): their whole numbers stay numbers. */
const REAL_TYPE = /REAL|FLOA|DOUB/i;

/** Converts one row in place. */
export type ConvertRow = (row: SqlValue[]) => void;

/**
 * The conversion that a mode asks for; null when there is nothing to do. `number` rounds integers beyond 2^53 to the
 * nearest number. `bigint` makes whole numbers bigints, except in columns whose declared type is REAL: what the engine
 * computed as 2.0 in an expression cannot be told from 2.
 */
export function convertIntegers(mode: IntegerMode, columns: readonly Column[]): ConvertRow | null {
  if (mode === 'auto') return null;
  if (mode === 'number') return toNumbers;
  const real = columns.map(({ decltype }) => decltype !== null && REAL_TYPE.test(decltype));
  return (row) => {
    for (let i = 0; i < row.length; i++) {
      const value = row[i];
      if (Number.isSafeInteger(value) && !real[i]) row[i] = BigInt(value as number);
    }
  };
}

function toNumbers(row: SqlValue[]): void {
  for (let i = 0; i < row.length; i++) {
    const value = row[i];
    if (typeof value === 'bigint') row[i] = Number(value);
  }
}
