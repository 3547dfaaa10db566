import { expect, test } from 'vitest';
import { createRecorder } from '../../test/support/recorder-service.ts';
import { createLogger } from '../telemetry/logger.ts';
import { QuorliteError } from '../wire/error.ts';
import { type Operation, writeOperation } from '../wire/operation.ts';
import type { NodeService } from './contract.ts';
import { withStatementLog } from './statement-log.ts';

interface Line {
  readonly [name: string]: unknown;
}

/** A service each of whose calls takes `ms`, and what it logs. */
function logged(logStatements: boolean, ms: number): { service: NodeService; lines: Line[] } {
  const lines: Line[] = [];
  let now = 0;
  const logger = createLogger({
    level: 'info',
    format: 'json',
    wallMs: () => 0,
    write: (line) => lines.push(JSON.parse(line) as Line),
  });
  const recorder = createRecorder();
  const service = withStatementLog(recorder, {
    logger,
    logStatements,
    slowQueryMs: 100,
    monotonicMs: () => {
      now += ms;
      return now;
    },
  });
  return { service, lines };
}

function write(service: NodeService, operation: Operation): Promise<unknown> {
  const encode = (out: Parameters<typeof writeOperation>[0]): void =>
    writeOperation(out, operation);
  return new Promise((done) => service.write({ operation: encode, timeoutMs: 1000 }, done));
}

function query(service: NodeService, sql: string): void {
  service.query({ sql, consistency: 'stale', timeoutMs: 1000 }, () => {});
}

test('every statement when that is wanted, with its text', async () => {
  const { service, lines } = logged(true, 1);
  query(service, 'SELECT 1');
  await write(service, { op: 'execute', sql: 'DELETE FROM t WHERE a = ?', params: ['parameter'] });
  await write(service, { op: 'txn', statements: [{ sql: 'SELECT 2' }, { sql: 'SELECT 3' }] });
  await write(service, { op: 'batch', sql: 'SELECT 4;', atomic: true });
  await write(service, { op: 'settings', patch: { keys: 5 } });
  await write(service, { op: 'openSession', session: 1 });
  expect(lines.map(({ level, event, op, sql }) => [level, event, op, sql])).toEqual([
    ['info', 'statement', 'query', 'SELECT 1'],
    ['info', 'statement', 'execute', 'DELETE FROM t WHERE a = ?'],
    ['info', 'statement', 'txn', 'SELECT 2; SELECT 3'],
    ['info', 'statement', 'batch', 'SELECT 4;'],
    ['info', 'statement', 'settings', '{"keys":5}'],
  ]);
  expect(JSON.stringify(lines)).not.toContain('parameter');
});

test('else slow ones alone, without their text', async () => {
  const quick = logged(false, 99);
  query(quick.service, 'SELECT 1');
  expect(quick.lines).toEqual([]);
  const slow = logged(false, 100);
  query(slow.service, 'SELECT 1');
  await write(slow.service, { op: 'execute', sql: 'SELECT 2' });
  expect(slow.lines).toMatchObject([
    { level: 'warn', event: 'slow query', op: 'query', ms: 100 },
    { level: 'warn', event: 'slow query', op: 'execute', ms: 100 },
  ]);
  expect(JSON.stringify(slow.lines)).not.toContain('SELECT');
});

test('a failure names its code; a write that cannot be encoded breaks nothing', () => {
  const { service, lines } = logged(true, 1);
  const refuse = (): never => {
    throw new QuorliteError('BAD_REQUEST', 'NaN has no place in SQL');
  };
  const recorder = createRecorder();
  recorder.write = (_request, done) => {
    done({ ok: false, index: 0, error: new QuorliteError('BAD_REQUEST', 'refused') });
    return () => {};
  };
  const other = withStatementLog(recorder, {
    logger: createLogger({
      level: 'info',
      format: 'json',
      wallMs: () => 0,
      write: (line) => lines.push(JSON.parse(line) as Line),
    }),
    logStatements: true,
    slowQueryMs: 100,
    monotonicMs: () => 0,
  });
  other.write({ operation: refuse, timeoutMs: 1000 }, () => {});
  expect(lines).toMatchObject([{ event: 'statement', op: 'write', code: 'BAD_REQUEST' }]);
  expect(service.id).toBe(1);
});
