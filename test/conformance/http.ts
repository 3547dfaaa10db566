/** The HTTP API as a black box: what every running node must answer, alone or in a cluster. */
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { describeBadInput } from './http-bad-input.ts';
import { expectProblem, HttpCaller, type HttpTarget } from './http-support.ts';

export type { HttpTarget } from './http-support.ts';

/**
 * Runs the suite against a target of its own.
 *
 * @example
 * testHttpApi('one node', async () => {
 *   const node = await startNode({ listen: '127.0.0.1:0', storage: 'memory' });
 *   return { url: node.url, close: () => node.shutdown() };
 * });
 */
export function testHttpApi(name: string, factory: () => Promise<HttpTarget>): void {
  describe(`HTTP API: ${name}`, () => {
    let api: HttpCaller;
    beforeAll(async () => {
      api = new HttpCaller(await factory());
    });
    afterAll(() => api?.target.close());

    describe('execute', () => describeExecute(() => api));
    describe('query', () => describeQuery(() => api));
    describe('values', () => describeValues(() => api));
    describe('txn', () => describeTxn(() => api));
    describe('batch and migrate', () => describeBatch(() => api));
    describe('idempotency', () => describeIdempotency(() => api));
    describe('the node', () => describeNode(() => api));
    describe('bad input', () => describeBadInput(() => api));
  });
}

function describeExecute(api: () => HttpCaller): void {
  test('rows affected, rowid, index, history, headers', async () => {
    const table = await api().table();
    const sql = `INSERT INTO ${table} (name) VALUES (?), (?)`;
    const answer = await api().post('/v1/execute', { sql, params: ['a', 'b'] });
    const { clusterId } = (await api().get('/v1/cluster')).body;
    expect(answer.body).toEqual({
      rowsAffected: 2,
      lastInsertRowid: 2,
      index: expect.any(Number),
      history: clusterId,
    });
    expect(answer.headers.get('quorlite-served-by')).toMatch(/^\d+$/);
    expect(answer.headers.get('quorlite-leader')).toMatch(/^\d+$/);
    const next = await api().execute(`DELETE FROM ${table}`);
    expect(next.rowsAffected).toBe(2);
    expect(next.index).toBeGreaterThan(answer.body.index);
  });

  test('RETURNING', async () => {
    const table = await api().table();
    const sql = `INSERT INTO ${table} (name) VALUES ('a'), ('b') RETURNING id, upper(name) AS big`;
    expect(await api().execute(sql)).toMatchObject({
      columns: [
        { name: 'id', decltype: 'INTEGER' },
        { name: 'big', decltype: null },
      ],
      rows: [
        [1, 'A'],
        [2, 'B'],
      ],
    });
  });

  test('a constraint', async () => {
    const table = await api().table();
    await api().execute(`INSERT INTO ${table} (name) VALUES ('a')`);
    const sql = `INSERT INTO ${table} (name) VALUES ('b'), ('a')`;
    const problem = expectProblem(await api().post('/v1/execute', { sql }), 409, 'SQL_CONSTRAINT');
    expect(problem.sqliteCode).toBe('SQLITE_CONSTRAINT_UNIQUE');
    expect(problem.retryable).toBe(false);
    expect(await api().rows(`SELECT name FROM ${table}`)).toEqual([['a']]);
  });
}

function describeQuery(api: () => HttpCaller): void {
  test('columns, arrays and objects', async () => {
    const table = await api().table();
    await api().execute(`INSERT INTO ${table} (name) VALUES ('a')`);
    const arrays = await api().query(`SELECT id, name FROM ${table}`);
    expect(arrays).toMatchObject({
      columns: [
        { name: 'id', decltype: 'INTEGER' },
        { name: 'name', decltype: 'TEXT' },
      ],
      rows: [[1, 'a']],
    });
    const objects = await api().query(`SELECT * FROM ${table}`, [], { format: 'objects' });
    expect(objects.rows).toEqual([{ id: 1, name: 'a' }]);
    expect((await api().query(`SELECT * FROM ${table} WHERE id = 9`)).rows).toEqual([]);
  });

  test.each(['linearizable', 'session', 'stale', { maxLagMs: 60_000 }])(
    'consistency %j',
    async (consistency) => {
      const { index } = await api().execute(`CREATE TABLE ${await api().table()}_2 (a)`);
      const answer = await api().query('SELECT 1', [], { consistency });
      expect(answer.rows).toEqual([[1]]);
      if (consistency === 'linearizable') expect(answer.index).toBeGreaterThanOrEqual(index);
    },
  );

  test('a session sees its own write', async () => {
    const table = await api().table();
    const sql = `INSERT INTO ${table} (name) VALUES ('mine')`;
    const { index, history } = await api().execute(sql);
    const session = { consistency: 'session', minIndex: index, history };
    const answer = await api().query(`SELECT name FROM ${table}`, [], session);
    expect(answer.rows).toEqual([['mine']]);
    expect(answer.index).toBeGreaterThanOrEqual(index);
  });

  test('an index of another history', async () => {
    const session = { consistency: 'session', minIndex: 1, history: '00000000000001' };
    const answer = await api().post('/v1/query', { sql: 'SELECT 1', ...session });
    expectProblem(answer, 409, 'CLUSTER_MISMATCH');
  });

  test('an index that is not there in time', async () => {
    for (const consistency of ['session', 'linearizable', { maxLagMs: 60_000 }]) {
      const body = { sql: 'SELECT 1', consistency, minIndex: 2 ** 50, timeoutMs: 50 };
      expectProblem(await api().post('/v1/query', body), 504, 'TIMEOUT');
    }
  });

  test('parameters by position and by name', async () => {
    expect(await api().rows('SELECT ?2, ?1', [1, 2])).toEqual([[2, 1]]);
    expect(await api().rows('SELECT $2, $1', [1, 2])).toEqual([[2, 1]]);
    const named = { a: 1, '@b': 2, $c: 3 };
    expect(await api().rows('SELECT :a, @b, $c, :a', named)).toEqual([[1, 2, 3, 1]]);
  });
}

function describeValues(api: () => HttpCaller): void {
  test.each([
    [1, 'integer'],
    [-9007199254740991, 'integer'],
    [1.5, 'real'],
    [1e300, 'real'],
    ['grüße 👋', 'text'],
    ['', 'text'],
    ['a\u0000b', 'text'],
    [null, 'null'],
    [{ $int: '9223372036854775807' }, 'integer'],
    [{ $int: '-9223372036854775808' }, 'integer'],
    [{ $blob: 'AAECAw==' }, 'blob'],
    [{ $blob: '' }, 'blob'],
    [{ $real: 'Infinity' }, 'real'],
    [{ $real: '-Infinity' }, 'real'],
  ])('%j in and out as %s', async (value, type) => {
    expect(await api().rows('SELECT ?1, typeof(?1)', [value])).toEqual([[value, type]]);
  });

  test('booleans, small tagged integers, −0 and numbers beyond 2^53', async () => {
    expect(await api().rows('SELECT ?, ?', [true, false])).toEqual([[1, 0]]);
    expect(await api().rows('SELECT ?1, typeof(?1)', [{ $int: '5' }])).toEqual([[5, 'integer']]);
    expect(await api().rows('SELECT typeof(?)', [{ $real: '-0' }])).toEqual([['real']]);
    expect(await api().rows('SELECT ?1, typeof(?1)', [2 ** 53])).toEqual([[2 ** 53, 'real']]);
  });

  test('values of rows that a write returns', async () => {
    const table = await api().table();
    const sql = `INSERT INTO ${table} (id, name) VALUES (?, 'x') RETURNING id, x'00ff'`;
    const id = { $int: '9007199254740993' };
    const answer = await api().execute(sql, [id]);
    expect(answer).toMatchObject({ lastInsertRowid: id, rows: [[id, { $blob: 'AP8=' }]] });
  });
}

function describeTxn(api: () => HttpCaller): void {
  test('references, many, expectations', async () => {
    const table = await api().table();
    const statements = [
      { sql: `INSERT INTO ${table} (name) VALUES ('a') RETURNING id`, expect: { rows: 1 } },
      {
        sql: `INSERT INTO ${table} (name) VALUES ('child of ' || ?)`,
        params: [{ $ref: { statement: 0, column: 'id', row: 0 } }],
      },
      { sql: `INSERT INTO ${table} (name) VALUES (?)`, many: [['x'], ['y'], ['z']] },
    ];
    const { body } = await api().post('/v1/txn', { statements });
    expect(body).toMatchObject({ index: expect.any(Number), history: expect.any(String) });
    expect(body.results).toMatchObject([
      { rowsAffected: 1, rows: [[1]] },
      { rowsAffected: 1 },
      { rowsAffected: 3 },
    ]);
    const names = await api().rows(`SELECT name FROM ${table} ORDER BY id`);
    expect(names.flat()).toEqual(['a', 'child of 1', 'x', 'y', 'z']);
  });

  test('all or nothing, naming the statement', async () => {
    const table = await api().table();
    const sql = `INSERT INTO ${table} (name) VALUES ('a')`;
    const answer = await api().post('/v1/txn', { statements: [{ sql }, { sql }] });
    expect(expectProblem(answer, 409, 'SQL_CONSTRAINT').statement).toBe(1);
    expect(await api().rows(`SELECT * FROM ${table}`)).toEqual([]);
  });

  test('an expectation that does not hold', async () => {
    const table = await api().table();
    const statements = [
      { sql: `INSERT INTO ${table} (name) VALUES ('a')` },
      { sql: `DELETE FROM ${table} WHERE name = 'b'`, expect: { rowsAffected: 1 } },
    ];
    expectProblem(await api().post('/v1/txn', { statements }), 409, 'EXPECTATION_FAILED');
    expect(await api().rows(`SELECT * FROM ${table}`)).toEqual([]);
  });

  test('a guard', async () => {
    const table = await api().table();
    const { index } = await api().execute(`INSERT INTO ${table} (name) VALUES ('a')`);
    const statements = [{ sql: `DELETE FROM ${table}` }];
    await api().execute(`INSERT INTO ${table} (name) VALUES ('b')`);
    const guard = { index, tables: [table] };
    const conflict = await api().post('/v1/txn', { statements, guard });
    expect(expectProblem(conflict, 409, 'CONFLICT').retryable).toBe(true);
    const seen = await api().query('SELECT 1');
    const later = { index: seen.index, tables: [table] };
    expect((await api().post('/v1/txn', { statements, guard: later })).status).toBe(200);
  });
}

function describeBatch(api: () => HttpCaller): void {
  test('atomic, and each for itself', async () => {
    const table = await api().table();
    const insert = `INSERT INTO ${table} (name) VALUES`;
    const sql = `${insert} ('a'); ${insert} ('a'); -- twice\n ${insert} ('b');`;
    expectProblem(await api().post('/v1/batch', { sql }), 409, 'SQL_CONSTRAINT');
    expect(await api().rows(`SELECT name FROM ${table}`)).toEqual([]);
    const { body } = await api().post('/v1/batch', { sql, atomic: false });
    expect(body.results).toMatchObject([
      { rowsAffected: 1 },
      { error: { code: 'SQL_CONSTRAINT', sqliteCode: 'SQLITE_CONSTRAINT_UNIQUE' } },
      { rowsAffected: 1 },
    ]);
    expect(await api().rows(`SELECT name FROM ${table} ORDER BY 1`)).toEqual([['a'], ['b']]);
  });

  test('migrations: applied once, checked by hash, stopped by a failure', async () => {
    const table = await api().table();
    const first = { id: 1, name: 'first', sql: `ALTER TABLE ${table} ADD COLUMN a` };
    const second = { id: 2, name: 'second', sql: `ALTER TABLE ${table} ADD COLUMN b; SELECT nope` };
    const applied = await api().post('/v1/migrate', { migrations: [first] });
    expect(applied.body).toMatchObject({ applied: [{ id: 1, name: 'first' }], current: 1 });
    const again = await api().post('/v1/migrate', { migrations: [first] });
    expect(again.body).toMatchObject({ applied: [], current: 1 });
    const edited = { ...first, sql: `${first.sql} -- edited` };
    const mismatch = await api().post('/v1/migrate', { migrations: [edited] });
    expectProblem(mismatch, 409, 'MIGRATION_MISMATCH');
    const failed = await api().post('/v1/migrate', { migrations: [first, second] });
    expect(failed.status).toBe(400);
    expect(failed.body.code).toBe('SQL_ERROR');
    const columns = await api().rows(`SELECT name FROM pragma_table_info('${table}')`);
    expect(columns.flat()).toEqual(['id', 'name', 'a']);
  });
}

function describeIdempotency(api: () => HttpCaller): void {
  test('a key makes a retry answer the first result', async () => {
    const table = await api().table();
    const body = { sql: `INSERT INTO ${table} (name) VALUES (hex(randomblob(8))) RETURNING name` };
    const key = { 'idempotency-key': `key of ${table}` };
    const first = await api().post('/v1/execute', body, key);
    const second = await api().post('/v1/execute', body, key);
    expect(first.status).toBe(200);
    expect(second.body).toEqual(first.body);
    expect(await api().rows(`SELECT count(*) FROM ${table}`)).toEqual([[1]]);
    const other = await api().post('/v1/execute', { sql: `DELETE FROM ${table}` }, key);
    expectProblem(other, 422, 'IDEMPOTENCY_MISMATCH');
    expect(await api().rows(`SELECT count(*) FROM ${table}`)).toEqual([[1]]);
  });

  test('at once', async () => {
    const table = await api().table();
    const body = { sql: `INSERT INTO ${table} (name) VALUES (hex(randomblob(8))) RETURNING name` };
    const key = { 'idempotency-key': `storm on ${table}` };
    const calls = Array.from({ length: 10 }, () => api().post('/v1/execute', body, key));
    const answers = (await Promise.all(calls)).map((answer) => JSON.stringify(answer.body));
    expect(new Set(answers).size).toBe(1);
    expect(await api().rows(`SELECT count(*) FROM ${table}`)).toEqual([[1]]);
  });
}

function describeNode(api: () => HttpCaller): void {
  test('cluster', async () => {
    const { body } = await api().get('/v1/cluster');
    expect(body).toMatchObject({ leader: expect.any(Number), term: expect.any(Number) });
    expect(body.clusterId).toMatch(/^[0-9a-f]{14}$/);
    const leader = body.members.find(({ id }: { id: number }) => id === body.leader);
    expect(leader).toMatchObject({ role: 'leader', voter: true, reachable: true });
  });

  test('changes of members that are not there', async () => {
    const remove = await api().send('DELETE', '/v1/cluster/members/999999', '');
    expectProblem(remove, 404, 'NOT_FOUND');
    const promote = await api().post('/v1/cluster/members/999999/promote', {});
    expectProblem(promote, 404, 'NOT_FOUND');
    const transfer = await api().post('/v1/cluster/transfer', { to: 999_999 });
    expectProblem(transfer, 404, 'NOT_FOUND');
    const add = await api().post('/v1/cluster/members', { id: 999_999, url: 'not a url' });
    expectProblem(add, 400, 'BAD_REQUEST');
  });

  test('settings', async () => {
    const before = (await api().get('/v1/settings')).body.settings;
    const keys = before.keys + 1;
    const { body } = await api().send('PATCH', '/v1/settings', { keys });
    expect(body).toMatchObject({ settings: { ...before, keys }, index: expect.any(Number) });
  });

  test('snapshot and export', async () => {
    const table = await api().table();
    const written = await api().execute(`INSERT INTO ${table} (name) VALUES ('exported')`);
    const snapshot = await api().fetch('/v1/snapshot', { method: 'POST' });
    expect(snapshot.status).toBe(200);
    expect(await snapshot.json()).toMatchObject({ index: expect.any(Number) });
    const response = await api().fetch('/v1/export');
    const bytes = new Uint8Array(await response.arrayBuffer());
    expect(bytes.length).toBe(Number(response.headers.get('content-length')));
    expect(new TextDecoder().decode(bytes.subarray(0, 15))).toBe('SQLite format 3');
    if (response.headers.get('quorlite-served-by') === response.headers.get('quorlite-leader')) {
      const index = Number(response.headers.get('quorlite-index'));
      expect(index).toBeGreaterThanOrEqual(written.index);
      expect(new TextDecoder('latin1').decode(bytes)).toContain('exported');
    }
  });

  test('health, metrics, documents', async () => {
    for (const path of ['/livez', '/readyz']) {
      const response = await fetch(api().target.url + path);
      expect(await response.json()).toEqual({ ok: true, reasons: [] });
      expect(response.status).toBe(200);
    }
    const metrics = await api().fetch('/metrics');
    expect(metrics.headers.get('content-type')).toContain('version=0.0.4');
    const samples = (await metrics.text()).trimEnd().split('\n');
    for (const line of samples.filter((line) => !line.startsWith('#'))) {
      expect(line).toMatch(/^[a-zA-Z_:][\w:]*(\{.*\})? ([-+]?(Inf|[\d.]+(e[-+]?\d+)?)|NaN)$/);
    }
    const document = (await api().get('/openapi.json')).body;
    expect(Object.keys(document.paths)).toEqual(expect.arrayContaining(['/v1/execute', '/livez']));
    expect((await api().get('/v1/version')).body).toMatchObject({ name: 'quorlite' });
    const page = await api().fetch('/');
    expect(page.headers.get('content-type')).toContain('text/html');
    expect(page.headers.get('content-security-policy')).toContain("default-src 'none'");
  });
}
