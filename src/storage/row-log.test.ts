import { expect, test } from 'vitest';
import { entries, shape, testLogStore, wait, write } from '../../test/conformance/log-store.ts';
import { RowDatabase } from '../../test/kit/row-storage.ts';
import { ROW_PART_BYTES } from './limits.ts';
import { createRowLogStore } from './row-log.ts';

testLogStore('rows', () => {
  const rows = new RowDatabase();
  // What the object did is in its storage, turn by turn: dying takes nothing away.
  return { store: () => createRowLogStore(rows), slackBytes: 0, kill: () => {}, destroy: () => {} };
});

test('an entry larger than a row comes back whole', async () => {
  const rows = new RowDatabase();
  const log = createRowLogStore(rows);
  log.open();
  const large = entries(1, 1, 1, 2 * ROW_PART_BYTES + 77);
  await wait((done) => log.append(write([...large, ...entries(2, 2, 1)]), done));
  const found = createRowLogStore(rows).open();
  expect(shape(found.entries)).toBe('1/1 2/1');
  expect(found.entries[0]!.bytes.length).toBe(large[0]!.bytes.length);
});

test('a row that is gone or changed is damage, not a shorter log (rule D5)', async () => {
  const damages = [
    'DELETE FROM log_parts WHERE id = 512',
    "UPDATE log_parts SET bytes = CAST(x'00' AS BLOB) WHERE id = 512",
    'UPDATE log_parts SET bytes = (SELECT bytes FROM log_parts WHERE id = 768) WHERE id = 512',
  ];
  for (const damage of damages) {
    const rows = new RowDatabase();
    const log = createRowLogStore(rows);
    log.open();
    await wait((done) => log.append(write(entries(1, 4, 1)), done));
    rows.exec(damage);
    expect(() => createRowLogStore(rows).open()).toThrow(
      expect.objectContaining({ code: 'CORRUPT' }),
    );
  }
});

test('a write that fails is the last one (rule D3)', async () => {
  const rows = new RowDatabase();
  const log = createRowLogStore(rows);
  log.open();
  await wait((done) => log.append(write(entries(1, 1, 1)), done));
  rows.before = (sql) => {
    if (sql.startsWith('INSERT')) throw new Error('database or disk is full');
  };
  const failing = wait((done) => log.append(write(entries(2, 2, 1)), done));
  await expect(failing).rejects.toMatchObject({ code: 'STORAGE_FAILED' });
  rows.before = () => {};
  const next = wait((done) => log.append(write(entries(2, 2, 1)), done));
  await expect(next).rejects.toMatchObject({ code: 'STORAGE_FAILED' });
});
