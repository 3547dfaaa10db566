/**
 * The two-limit rule rests on two facts (docs/decisions/0002-two-limit-rule.md): a canonical run, which is a run on a
 * fresh instance, counts exactly the same steps and bytes on every replica whatever its history; and a run on a live
 * connection differs from it by less than the margins.
 */
import { describe, expect, test } from 'vitest';
import {
  AMPLE,
  CommandHost,
  copyOf,
  type EngineFactory,
  limits,
} from '../../test/conformance/engine-support.ts';
import { type Play, play, playOne, workload } from '../../test/conformance/engine-workload.ts';
import { engineUnderTest } from '../../test/kit/engine.ts';
import { MEMORY_MARGIN, STEP_MARGIN } from '../limits.ts';
import { createMemoryPageStore, restoreMemoryPageStore } from '../page-store/memory.ts';
import type { PageStore } from '../page-store.ts';

const ROOM = { maxBytes: 512 * 1024 * 1024 };
const factory: EngineFactory = {
  engine: engineUnderTest(),
  createStore: () => createMemoryPageStore(ROOM),
  restoreStore: (source) => restoreMemoryPageStore(source, ROOM),
};

const { fts5, rtree } = factory.engine.capabilities;
const virtual = fts5 && rtree;

type Usage = { steps: number; memoryBytes: number };

const NUMBERS = 'WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 10000)';

/** Commands that take many steps or much memory, of every kind that keeps something between commands. */
const ALL_HEAVY: readonly string[] = [
  `${NUMBERS} INSERT INTO a SELECT 100000 + i, 'n' || i, i, i / 3.0 FROM n`,
  "UPDATE a SET name = name || 'z' WHERE id > 100000",
  'CREATE INDEX a_val ON a(val)',
  'INSERT INTO c SELECT id, name FROM a ORDER BY val DESC',
  'SELECT count(*), group_concat(name) FROM a WHERE id < 107000',
  `${NUMBERS} INSERT INTO f(body) SELECT 'word' || (i % 700) || ' and ' || i FROM n`,
  "INSERT INTO f(f) VALUES ('optimize')",
  "SELECT count(*) FROM f WHERE f MATCH 'word1* OR word2*'",
  "DELETE FROM f WHERE f MATCH 'word5'",
  `${NUMBERS} INSERT OR REPLACE INTO rt SELECT i, i % 100, 100 + i % 77 FROM n`,
  'SELECT count(*) FROM rt WHERE x0 > 20 AND x1 < 140',
  'DELETE FROM a WHERE id > 105000',
  'SELECT x, count(*) FROM c GROUP BY x % 50 ORDER BY 2 DESC',
  'ANALYZE',
  'SELECT count(*) FROM a JOIN c ON c.x = a.id WHERE a.val > 10',
  'DROP INDEX a_val',
];

/** Those that need no virtual table where the engine has none. */
const HEAVY = ALL_HEAVY.filter((sql) => virtual || !/\b(f|rt)\b/.test(sql));

/** What the heaviest of them takes at least; full text takes most. */
const HEAVIEST: Usage = virtual
  ? { steps: 500, memoryBytes: 1_500_000 }
  : { steps: 400, memoryBytes: 1_400_000 };

/** Each command of `log` on an instance of its own, over a copy of `store`. */
function canonical(store: PageStore, log: readonly string[], first: number): Usage[] {
  const copy = copyOf(factory, store);
  const host = new CommandHost();
  return log.map((sql, i) => {
    host.command = first + i;
    const writer = factory.engine.openWriter(copy, host, limits());
    const { used } = playOne(writer, sql);
    writer.close();
    return used;
  });
}

/** Each command on the connection that `how` has left behind. */
function live(history: readonly string[], log: readonly string[], how: Play): Usage[] {
  const played = play(factory, history, how);
  return log.map((sql, i) => {
    played.host.command = history.length + i;
    return playOne(played.writer, sql).used;
  });
}

const HISTORIES: readonly (readonly [name: string, how: Play])[] = [
  ['straight', {}],
  ['restored', { restoreAt: 150 }],
  ['reopened', { reopenAt: 299 }],
  ['small cache', { cachePages: 10 }],
  ['reading', { reads: true }],
  ['cold statements', { coldStatements: true }],
];

describe.each([11])('steps and memory, seed %d', (seed) => {
  const history = workload(300, seed, virtual);
  const log = [...HEAVY, ...workload(120, seed + 100, virtual).slice(virtual ? 8 : 6)];
  const reference = canonical(play(factory, history).store, log, history.length);

  test('the commands are heavy enough to mean something', () => {
    expect(Math.max(...reference.map(({ steps }) => steps))).toBeGreaterThan(HEAVIEST.steps);
    expect(Math.max(...reference.map(({ memoryBytes }) => memoryBytes))).toBeGreaterThan(
      HEAVIEST.memoryBytes,
    );
  });

  test.each(HISTORIES)(
    'a canonical run counts exactly the same on a replica with the history: %s',
    (_, how) => {
      const { store } = play(factory, history, how);
      expect(canonical(store, log, history.length)).toEqual(reference);
    },
  );

  test.each(HISTORIES)(
    'a live connection differs by less than the margins, history: %s',
    (_, how) => {
      const used = live(history, log, how);
      const steps = used.map((one, i) => Math.abs(one.steps - reference[i]!.steps));
      const memory = used.map((one, i) => Math.abs(one.memoryBytes - reference[i]!.memoryBytes));
      if (process.env['QUORLITE_SHOW_MARGINS'])
        console.log(
          seed,
          how,
          Math.max(...steps),
          Math.max(...memory),
          log[steps.indexOf(Math.max(...steps))],
          reference[steps.indexOf(Math.max(...steps))],
          log[memory.indexOf(Math.max(...memory))],
          reference[memory.indexOf(Math.max(...memory))],
        );
      expect(2 * Math.max(...steps)).toBeLessThan(STEP_MARGIN);
      expect(2 * Math.max(...memory)).toBeLessThan(MEMORY_MARGIN);
    },
  );
});

test('a soft limit that a live run passes is passed by the canonical run under the hard limit', () => {
  const { store, writer } = play(factory, workload(200, 5, virtual));
  const sql = HEAVY[0]!;
  const soft = playOne(writer, sql).used;
  const fresh = factory.engine.openWriter(copyOf(factory, store), new CommandHost(), limits());
  fresh.beginCommand({
    steps: soft.steps + STEP_MARGIN,
    memoryBytes: Math.min(AMPLE.memoryBytes, soft.memoryBytes + MEMORY_MARGIN),
  });
  expect(() => fresh.prepare('SELECT count(*) FROM a')!.step()).not.toThrow();
  fresh.endCommand();
});
