/** Ten minutes of writes: nothing grows with time but the log between two checkpoints. */
import { expect, test } from 'vitest';
import { founded, startWrite } from '../kit/founded.ts';

test('ten minutes of writes at all nodes leave nothing behind', () => {
  const cluster = founded('soak', { checkpoint: { bytes: 20_000, ms: 10_000 } });
  const gauges = (): { [name: string]: number } => {
    const wanted = /(pending|open|log_bytes|checkpoint_bytes|sessions|keys)$/;
    const { service } = cluster.leader()!;
    return Object.fromEntries(
      service
        .metrics()
        .filter(({ name }) => wanted.test(name))
        .map(({ name, value }) => [name, value]),
    );
  };
  const minute = (): void => {
    for (let second = 0; second < 60; second++) {
      const writes = cluster.alive.map(({ service }) =>
        startWrite(cluster, service, 'INSERT OR REPLACE INTO t VALUES (1, hex(randomblob(100)))'),
      );
      cluster.world.run(1000);
      expect(writes.every(({ outcome }) => outcome?.ok)).toBe(true);
    }
  };
  minute();
  const early = gauges();
  for (let i = 0; i < 9; i++) minute();
  const late = gauges();
  for (const [name, value] of Object.entries(early)) {
    expect(late[name], name).toBeLessThanOrEqual(Math.max(value * 3, value + 4));
  }
});
