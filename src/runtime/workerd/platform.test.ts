import { expect, test } from 'vitest';
import { CommandHost, limits } from '../../../test/conformance/engine-support.ts';
import { loadSqliteEngine } from '../../../wasm/load/node.ts';
import { createMemoryPageStore } from '../../../wasm/page-store/memory.ts';
import { countingEngine } from './platform.ts';

const ENDLESS =
  'WITH RECURSIVE c(x) AS (VALUES (1) UNION ALL SELECT x + 1 FROM c) SELECT count(*) FROM c';

test('a deadline ends a read on a clock that stands still', () => {
  const engine = countingEngine(loadSqliteEngine());
  const store = createMemoryPageStore({ maxBytes: 2 ** 24 });
  engine.openWriter(store, new CommandHost(), limits());
  const reader = engine.openReaders(store, new CommandHost(), limits()).openReader();
  for (let round = 0; round < 2; round++) {
    reader.setDeadline(50);
    const statement = reader.prepare(ENDLESS);
    expect(() => statement?.step()).toThrow(expect.objectContaining({ kind: 'timeout' }));
  }
  reader.setDeadline(50);
  const quick = reader.prepare('SELECT 1');
  expect(quick?.step()).toBe(true);
});
