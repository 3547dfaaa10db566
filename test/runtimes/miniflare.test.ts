/** The Worker through miniflare, which is what `wrangler dev` runs. */
import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { patientClient } from '../kit/process-cluster.ts';
import { bundleWorker } from './workerd-kit.ts';

const SECONDS = 1000;
const PACKAGE = join(import.meta.dirname, 'package.json');
const MISSING = existsSync(join(import.meta.dirname, 'node_modules', 'miniflare'))
  ? ''
  : 'miniflare is not installed: npm ci --prefix test/runtimes';

interface Miniflare {
  readonly ready: Promise<URL>;
  dispose(): Promise<void>;
}

interface Module {
  readonly Miniflare: new (options: object) => Miniflare;
}

describe.skipIf(MISSING !== '')(`miniflare ${MISSING}`, () => {
  test('a database lives on from one start to the next', { timeout: 90 * SECONDS }, async () => {
    const { Miniflare } = createRequire(PACKAGE)('miniflare') as Module;
    const folder = mkdtempSync(join(tmpdir(), 'quorlite-miniflare-'));
    try {
      await bundleWorker(folder);
      const options = {
        host: '127.0.0.1',
        port: 0,
        modules: [
          { type: 'ESModule', path: join(folder, 'worker.js') },
          { type: 'CompiledWasm', path: join(folder, 'sqlite3.wasm') },
          { type: 'CompiledWasm', path: join(folder, 'trampolines.wasm') },
        ],
        modulesRoot: folder,
        compatibilityDate: '2026-04-01',
        bindings: { QUORLITE_LOG: 'silent' },
        durableObjects: { QUORLITE: { className: 'QuorliteNode', useSQLite: true } },
        durableObjectsPersist: join(folder, 'data'),
      };
      for (let start = 1; start <= 3; start++) {
        const worker = new Miniflare(options);
        const client = patientClient((await worker.ready).origin);
        try {
          await client.execute('CREATE TABLE IF NOT EXISTS t (start INTEGER)');
          await client.execute('INSERT INTO t VALUES (?)', [start]);
          const rows = await client.query('SELECT start FROM t ORDER BY start');
          expect(rows).toEqual(Array.from({ length: start }, (_, i) => ({ start: i + 1 })));
        } finally {
          await client.close();
          await worker.dispose();
        }
      }
    } finally {
      rmSync(folder, { recursive: true, force: true });
    }
  });
});
