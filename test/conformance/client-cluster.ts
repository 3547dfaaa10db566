/** Client suite: status, metrics, snapshot, export, ready. */
import { describe, expect, test } from 'vitest';
import type { ClientFixture } from './client.ts';
import { collect, expectCode, join } from './client-support.ts';

export function testClientCluster(fixture: ClientFixture): void {
  describe('cluster', () => {
    test('ready', async () => {
      await expect(fixture.client.ready()).resolves.toBeUndefined();
    });

    test('status', async () => {
      const { client } = fixture;
      const status = await client.status();
      expect(status.clusterId).toMatch(/^[0-9a-f]{14}$/);
      expect(status.leader).toBeGreaterThan(0);
      expect(status.members.some(({ id }) => id === status.leader)).toBe(true);
      expect((await client.cluster.status()).clusterId).toBe(status.clusterId);
    });

    test('metrics', async () => {
      const metrics = await fixture.client.metrics();
      expect(metrics.length).toBeGreaterThan(5);
      for (const { name, type, help, value } of metrics) {
        expect(name).toMatch(/^quorlite_[a-zA-Z0-9_]+$/);
        expect(['counter', 'gauge']).toContain(type);
        expect(typeof value).toBe('number');
        expect(help).not.toBe('');
        // What only grows is a counter, and says so by its name.
        expect(name.endsWith('_total'), name).toBe(type === 'counter');
      }
      const counters = metrics.filter(({ type }) => type === 'counter').map(({ name }) => name);
      for (const what of ['redos', 'canonical_runs', 'engine_crashes', 'reader_crashes']) {
        expect(counters).toContain(`quorlite_${what}_total`);
      }
      expect(new Set(metrics.map(({ name }) => name)).size).toBe(metrics.length);
    });

    test('snapshot', async () => {
      const { client } = fixture;
      await fixture.table('n');
      const { index } = await client.snapshot({ timeoutMs: 20_000 });
      expect(index).toBeGreaterThan(0);
    });

    test('export is a SQLite file, in chunks', async () => {
      const { client } = fixture;
      const table = await fixture.table('b');
      await client.execute(`INSERT INTO ${table} VALUES (zeroblob(1500000))`);
      const chunks = await collect(client.export());
      expect(chunks.length).toBeGreaterThan(1);
      const file = join(chunks);
      expect(new TextDecoder().decode(file.subarray(0, 15))).toBe('SQLite format 3');
      const view = new DataView(file.buffer);
      expect(file.length).toBe(view.getUint16(16) * view.getUint32(28));
      expect(file.length).toBeGreaterThan(1_500_000);
    });

    test('export can be left early', async () => {
      const { client } = fixture;
      for await (const chunk of client.export()) {
        expect(chunk.length).toBeGreaterThan(0);
        break;
      }
      expect(await client.queryOne('SELECT 1 AS one')).toEqual({ one: 1 });
    });

    test.each([
      { id: 0, url: 'http://x:1' },
      { id: 1.5, url: 'http://x:1' },
      { id: 99, url: '' },
    ])('adding %j is refused', async (member) => {
      await expectCode(fixture.client.cluster.add(member, { timeoutMs: 2000 }), 'BAD_REQUEST');
    });

    test('removing or promoting who is no member is refused', async () => {
      const { cluster } = fixture.client;
      await expectCode(cluster.remove(98, { timeoutMs: 2000 }), 'NOT_FOUND');
      await expectCode(cluster.promote(98, { timeoutMs: 2000 }), 'NOT_FOUND');
    });
  });
}
