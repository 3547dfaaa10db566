/** What a hostile or clumsy client sends: a clear error with a stable code, nothing applied, the node keeps serving. */
import fc from 'fast-check';
import { afterEach, describe, expect, test } from 'vitest';
import { expectProblem, type HttpCaller } from './http-support.ts';

const ENDLESS = 'WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n)';

/** The part of the suite about bad input. */
export function describeBadInput(api: () => HttpCaller): void {
  afterEach(async () => {
    expect(await api().rows('SELECT 1')).toEqual([[1]]);
  });
  describe('requests', () => describeRequests(api));
  describe('SQL', () => describeSql(api));
  describe('too much', () => describeTooMuch(api));
}

function describeRequests(api: () => HttpCaller): void {
  test.each([
    ['malformed JSON', '{"sql": "SELECT 1"'],
    ['not JSON', 'SELECT 1'],
    ['nothing', ''],
    ['another type', '"SELECT 1"'],
    ['an unknown field', { sql: 'SELECT 1', parms: [] }],
    ['a field of the wrong type', { sql: ['SELECT 1'] }],
    ['params of the wrong type', { sql: 'SELECT ?', params: 'a' }],
    ['a value of the wrong type', { sql: 'SELECT ?', params: [{ a: 1 }] }],
    ['a nested array', { sql: 'SELECT ?', params: [[1]] }],
    ['NaN', '{"sql": "SELECT ?", "params": [NaN]}'],
    ['an integer beyond 64 bits', { sql: 'SELECT ?', params: [{ $int: '9223372036854775808' }] }],
    ['broken Base64', { sql: 'SELECT ?', params: [{ $blob: '!' }] }],
    ['a reference outside of a transaction', { sql: 'SELECT ?', params: [{ $ref: {} }] }],
    ['too few parameters', { sql: 'SELECT ?, ?', params: [1] }],
    ['too many parameters', { sql: 'SELECT ?', params: [1, 2] }],
    ['an unknown named parameter', { sql: 'SELECT :a', params: { a: 1, b: 2 } }],
    ['a missing named parameter', { sql: 'SELECT :a, :b', params: { a: 1 } }],
    ['numbered and plain parameters mixed', { sql: 'SELECT ?1, ?', params: [1, 2] }],
    ['deep nesting', '['.repeat(100_000)],
    ['deep nesting in a field', `{"sql": ${'['.repeat(1000)}${']'.repeat(1000)}}`],
  ])('%s', async (_name, body) => {
    expectProblem(await api().post('/v1/query', body), 400, 'BAD_REQUEST');
    expectProblem(await api().post('/v1/execute', body), 400, 'BAD_REQUEST');
  });

  test('a body over any limit', async () => {
    const sql = 'x'.repeat(40 * 1024 * 1024);
    // The connection may end before the whole body was sent.
    const answer = await api()
      .post('/v1/execute', { sql })
      .catch((error: unknown) => error);
    if (!(answer instanceof Error)) expect(answer).toMatchObject({ status: 413 });
  });

  test('paths, methods, media types, origins', async () => {
    expectProblem(await api().get('/v1/nothing'), 404, 'NOT_FOUND');
    const wrong = await api().get('/v1/execute');
    expectProblem(wrong, 405, 'BAD_REQUEST');
    expect(wrong.headers.get('allow')).toContain('POST');
    const body = { sql: 'CREATE TABLE never (a)' };
    for (const type of ['application/x-www-form-urlencoded', 'multipart/form-data', 'text/plain']) {
      const form = await api().post('/v1/execute', body, { 'content-type': type });
      expectProblem(form, 400, 'BAD_REQUEST');
    }
    const elsewhere = { origin: 'https://elsewhere.example' };
    expectProblem(await api().post('/v1/execute', body, elsewhere), 403, 'FORBIDDEN');
    expect(await api().rows("SELECT * FROM sqlite_schema WHERE name = 'never'")).toEqual([]);
  });

  test('a bad or missing token', async () => {
    if (api().target.token === undefined) return;
    const bad = await api().get('/v1/cluster', { headers: { authorization: 'Bearer nonsense' } });
    expectProblem(bad, 401, 'UNAUTHENTICATED');
    expect(bad.headers.get('www-authenticate')).toContain('Bearer');
    const missing = await fetch(`${api().target.url}/metrics`);
    expect(missing.status).toBe(401);
  });

  test('features of later releases', async () => {
    expectProblem(await api().post('/v1/counters/hits', { add: 1 }), 501, 'NOT_SUPPORTED');
  });

  test('random JSON is never an internal error', async () => {
    const paths = ['execute', 'query', 'txn', 'batch', 'migrate'];
    const names = ['sql', 'params', 'statements', 'many', 'guard', '$int', '$ref', 'migrations'];
    const key = fc.oneof(fc.constantFrom(...names), fc.string());
    const { json } = fc.letrec((tie) => ({
      json: fc.oneof(
        { maxDepth: 4 },
        fc.oneof(fc.string(), fc.double(), fc.constant('SELECT ?'), fc.constant(null)),
        fc.array(tie('json'), { maxLength: 3 }),
        fc.dictionary(key, tie('json'), { maxKeys: 3 }),
      ),
    }));
    await fc.assert(
      fc.asyncProperty(fc.constantFrom(...paths), json, async (path, body) => {
        const answer = await api().post(`/v1/${path}`, body);
        expect(answer.status, JSON.stringify(answer.body)).not.toBe(500);
      }),
      { numRuns: 150 },
    );
  });
}

function describeSql(api: () => HttpCaller): void {
  test('errors point at the place', async () => {
    const answer = await api().post('/v1/query', { sql: 'SELECT 1 FORM t' });
    const problem = expectProblem(answer, 400, 'SQL_ERROR');
    expect(problem.sqliteCode).toBe('SQLITE_ERROR');
    expect(problem.offset).toBeGreaterThan(0);
    expectProblem(await api().post('/v1/execute', { sql: 'SELEC 1' }), 400, 'SQL_ERROR');
    const two = await api().post('/v1/execute', { sql: 'SELECT 1; SELECT 2' });
    expect(two.status).toBe(400);
  });

  test('a write through query', async () => {
    const table = await api().table();
    const sql = `INSERT INTO ${table} (name) VALUES ('a')`;
    expectProblem(await api().post('/v1/query', { sql }), 400, 'SQL_READ_ONLY');
    expect(await api().rows(`SELECT * FROM ${table}`)).toEqual([]);
  });

  test.each([
    "ATTACH DATABASE 'other.db' AS other",
    'BEGIN',
    'COMMIT',
    'SAVEPOINT a',
    "VACUUM INTO 'other.db'",
    'CREATE TEMP TABLE t (a)',
    'PRAGMA journal_mode = DELETE',
    "SELECT load_extension('x')",
    'DELETE FROM sqlite_schema',
  ])('forbidden: %s', async (sql) => {
    const answer = await api().post('/v1/execute', { sql });
    expect(['SQL_NOT_ALLOWED', 'SQL_ERROR']).toContain(answer.body.code);
    expectProblem(answer, 400, answer.body.code);
  });
}

function describeTooMuch(api: () => HttpCaller): void {
  test('a write that runs for ever', async () => {
    const table = await api().table();
    const sql = `${ENDLESS} INSERT INTO ${table} (name) SELECT i FROM n`;
    expectProblem(await api().post('/v1/execute', { sql }), 408, 'SQL_TIMEOUT');
    expect(await api().rows(`SELECT count(*) FROM ${table}`)).toEqual([[0]]);
  });

  test('a read that runs for ever', async () => {
    const sql = `${ENDLESS} SELECT count(*) FROM n`;
    const answer = await api().post('/v1/query', { sql, timeoutMs: 200 });
    expect(['SQL_TIMEOUT', 'TIMEOUT']).toContain(answer.body.code);
  });

  test('results too large', async () => {
    const rows = `${ENDLESS} SELECT i FROM n LIMIT 200000`;
    expectProblem(await api().post('/v1/query', { sql: rows }), 413, 'RESULT_TOO_LARGE');
  });

  test('a value too large', async () => {
    const sql = 'SELECT length(zeroblob(1000000000))';
    const answer = await api().post('/v1/query', { sql: `${sql} || randomblob(300000000)` });
    expect(answer.status).toBeGreaterThanOrEqual(400);
    expect(answer.status).not.toBe(500);
  });

  test('an entry too large', async () => {
    const table = await api().table();
    const many = Array.from({ length: 20 }, () => ['x'.repeat(1024 * 1024)]);
    const statements = [{ sql: `INSERT INTO ${table} (name) VALUES (?)`, many }];
    expectProblem(await api().post('/v1/txn', { statements }), 413, 'ENTRY_TOO_LARGE');
    expect(await api().rows(`SELECT count(*) FROM ${table}`)).toEqual([[0]]);
  });

  test('three poisons at once do not stop others', async () => {
    const table = await api().table();
    const poisons = [
      api().post('/v1/execute', { sql: `${ENDLESS} INSERT INTO ${table} (name) SELECT i FROM n` }),
      api().post('/v1/query', { sql: `${ENDLESS} SELECT count(*) FROM n`, timeoutMs: 500 }),
      api().post('/v1/query', { sql: `${ENDLESS} SELECT i FROM n LIMIT 200000` }),
    ];
    const writes = Array.from({ length: 20 }, (_, i) =>
      api().execute(`INSERT INTO ${table} (name) VALUES (?)`, [`w${i}`]),
    );
    await Promise.all(writes);
    for (const answer of await Promise.all(poisons)) {
      expect(answer.body.outcome).toBe('not-applied');
    }
    expect(await api().rows(`SELECT count(*) FROM ${table}`)).toEqual([[20]]);
  });
}
