/** What the client's types promise: checked by the compiler, never run. */
import type { Client, ExecuteResult, Row, Sql } from '../../src/client/contract.ts';
import { ref } from '../../src/client/ref.ts';
import { connect } from '../../src/client/remote/connect.ts';
import { sql } from '../../src/client/sql.ts';
import type { Ref, SqlInput, SqlValue } from '../../src/wire/value.ts';

interface User {
  id: number;
  name: string | null;
}

declare const db: Client;
declare const name: string;

/** True when the types are the same. */
type Same<A, B> =
  (<T>() => T extends A ? 1 : 2) extends <T>() => T extends B ? 1 : 2 ? true : false;
function same<A, B>(_: Same<A, B>): void {}

export async function rows(): Promise<void> {
  const users = await db.query<User>('SELECT * FROM users WHERE id = ?', [1]);
  same<typeof users, User[]>(true);
  const one = await db.queryOne<User>(sql`SELECT * FROM users WHERE name = ${name}`);
  same<typeof one, User>(true);
  const maybe = await db.queryOptional<User>('SELECT * FROM users WHERE id = :id', { id: 1 });
  same<typeof maybe, User | undefined>(true);
  const plain = await db.query('SELECT 1');
  same<typeof plain, Row[]>(true);
  same<Row[string], SqlValue>(true);
  for await (const user of db.stream<User>('SELECT * FROM users')) same<typeof user, User>(true);
  const raw = await db.queryRaw('SELECT 1');
  same<typeof raw.rows, SqlValue[][]>(true);
}

export async function writes(): Promise<void> {
  const done = await db.execute<User>('INSERT INTO users (name) VALUES (?) RETURNING *', [name]);
  same<typeof done, ExecuteResult<User>>(true);
  same<typeof done.lastInsertRowid, number | bigint>(true);
  const results = await db.txn([
    { sql: 'INSERT INTO users (name) VALUES (?) RETURNING id', params: [name] },
    { sql: 'INSERT INTO notes VALUES (?, ?)', params: [ref(0, 'id'), new Date()] },
    { sql: 'INSERT INTO tags VALUES (?)', many: [['a'], ['b']], expect: { rowsAffected: 2 } },
    sql`DELETE FROM drafts WHERE author = ${name}`,
  ]);
  same<typeof results, ExecuteResult[]>(true);
  const given = await db.transaction(async (tx) => {
    const { id } = await tx.queryOne<User>('SELECT * FROM users');
    tx.execute('DELETE FROM users WHERE id = ?', [id]);
    return id;
  });
  same<typeof given, number>(true);
  await db.migrate([{ id: 1, name: 'first', sql: 'CREATE TABLE t (a)' }] as const);
}

export function values(): void {
  const accepted: SqlInput[] = [1, 1n, 'x', new Uint8Array(), true, null, new Date()];
  same<ReturnType<typeof ref>, Ref>(true);
  same<ReturnType<typeof sql>, Sql>(true);
  sql`${accepted[0]!} ${sql`x`} ${sql.join([1, sql`y`])}`;
  connect('http://a:1') satisfies Client;
  connect(['http://a:1', 'http://b:1'] as const, { token: 'x', integers: 'bigint' });
}

export async function refused(): Promise<void> {
  // @ts-expect-error: an array is no value
  sql`SELECT ${[1]}`;
  // @ts-expect-error: undefined is no value
  await db.execute('SELECT ?', [undefined]);
  // @ts-expect-error: a reference belongs into txn
  await db.execute('SELECT ?', [ref(0, 'id')]);
  // @ts-expect-error: there is no such level
  await db.query('SELECT 1', [], { consistency: 'eventual' });
  // @ts-expect-error: writes know no consistency
  await db.execute('SELECT 1', [], { consistency: 'stale' });
  // @ts-expect-error: an id is a number
  await db.migrate([{ id: '1', name: 'first', sql: '' }]);
  // @ts-expect-error: there is no such mode
  connect('http://a:1', { integers: 'string' });
}
