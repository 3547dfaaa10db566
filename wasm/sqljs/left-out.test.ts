/** FTS3 is compiled into sql.js's build; nothing of it can be reached. */
import { describe, expect, test } from 'vitest';
import { all, CommandHost, failure, limits } from '../../test/conformance/engine-support.ts';
import type { SqlValue } from '../engine.ts';
import { loadSqljsEngine } from '../load/sqljs-node.ts';
import { createMemoryPageStore } from '../page-store/memory.ts';

const REFUSED: readonly (readonly [sql: string, message: RegExp, params: readonly SqlValue[]])[] = [
  // The second argument would be taken as a pointer.
  ['SELECT fts3_tokenizer(?, ?)', /no such function/, ['simple', new Uint8Array([1, 2, 3, 4])]],
  ['SELECT hex(fts3_tokenizer(?))', /no such function/, ['simple']],
  ["SELECT * FROM fts3tokenize('simple', 'a b')", /no such table/, []],
  ['SELECT * FROM fts4aux', /no such table/, []],
  ["SELECT snippet('a')", /no such function/, []],
  ["SELECT matchinfo('a', 'p')", /no such function/, []],
  ['CREATE VIRTUAL TABLE x USING fts3(a)', /fts3 are not allowed|no such module/, []],
  ['CREATE VIRTUAL TABLE x USING FTS4(a)', /FTS4 are not allowed|no such module/, []],
  ['CREATE VIRTUAL TABLE x USING fts5(a)', /no such module/, []],
];

describe('what sql.js brings and nobody gets', () => {
  const store = createMemoryPageStore({ maxBytes: 64 * 1024 * 1024 });
  const host = new CommandHost();
  const engine = loadSqljsEngine();
  const writer = engine.openWriter(store, host, limits());
  const reader = engine.openReaders(store, host, limits()).openReader();

  test.each(REFUSED)('%s', (sql, message, params) => {
    expect(failure(() => all(writer, sql, params)).message).toMatch(message);
    const onReader = failure(() => all(reader, sql, params));
    expect(onReader.message).toMatch(sql.startsWith('CREATE') ? /./ : message);
    expect(all(writer, 'SELECT 1')).toEqual([[1]]);
  });

  test('JSON tables stay', () => {
    expect(all(reader, "SELECT value FROM json_each('[1, 2]')")).toEqual([[1], [2]]);
    expect(all(reader, "SELECT count(*) FROM json_tree('[1, 2]')")).toEqual([[3]]);
  });
});
