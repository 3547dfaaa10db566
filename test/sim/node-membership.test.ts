/** Membership on whole nodes: addresses, replaced and returning replicas, removed nodes, growing and shrinking. */
import { describe, expect, test } from 'vitest';
import type { QuorliteError } from '../../src/wire/error.ts';
import { administer, founded, others, startWrite } from '../kit/founded.ts';
import { urlOf, type VirtualCluster } from '../kit/virtual-cluster.ts';

function votersSeenBy(cluster: VirtualCluster, id: number): number[] {
  const { members } = cluster.status(id);
  return members.filter(({ voter }) => voter).map((member) => member.id);
}

describe('joining', () => {
  test.each([1, 2, 3, 4])('a question that is lost is asked again soon (seed %d)', (seed) => {
    const cluster = founded(seed, { configured: { 4: [1, 2, 3, 4] } });
    // The handshake goes through, and what follows does not; for too short a time to end the connections.
    for (const id of [1, 2, 3]) {
      cluster.world.network.setPath('n4', `n${id}`, { lossy: true, loss: 1 });
    }
    cluster.start(4);
    cluster.world.run(1200);
    expect(cluster.status(1).members).toHaveLength(3);
    for (const id of [1, 2, 3]) cluster.world.network.setPath('n4', `n${id}`, { lossy: false });
    cluster.until(() => votersSeenBy(cluster, 1).length === 4, 5000, 'did not join');
  });
});

describe('addresses', () => {
  test('a node that comes back under another URL is known by it (M12)', () => {
    const advertised: { [node: number]: string } = {};
    const cluster = founded(1, { advertised });
    for (const moved of [others(cluster, cluster.leader()!.id)[0]!, cluster.leader()!.id]) {
      const url = `http://n${moved}.example:4001`;
      advertised[moved] = url;
      const { process } = cluster.member(moved);
      process.kill();
      process.restart();
      cluster.until(
        () =>
          cluster.alive.length === 3 &&
          cluster.alive.every(({ service }) =>
            service.status().members.some((one) => one.id === moved && one.url === url),
          ),
        10_000,
        'the new address is not known',
      );
      cluster.elect();
    }
    expect(votersSeenBy(cluster, 1)).toEqual([1, 2, 3]);
  });
});

describe('removed nodes', () => {
  test('what waits there is answered, and it stays removed when it restarts', () => {
    const cluster = founded(10, { checkpoint: { bytes: 1, ms: 500 } });
    const gone = others(cluster, cluster.leader()!.id)[0]!;
    const member = cluster.member(gone);
    expect(administer(cluster, cluster.leader()!.id, { op: 'removeMember', id: gone })).toBeNull();
    cluster.until(() => cluster.status(gone).waiting.includes('removed'), 5000, 'was not told');
    const write = startWrite(cluster, member.service, 'INSERT INTO t (id) VALUES (1)');
    cluster.until(() => write.answers > 0, 1000, 'not answered');
    expect(write.outcome).toMatchObject({ error: { code: 'NOT_READY', outcome: 'not-applied' } });
    expect(cluster.query(gone, 'SELECT 1', 'linearizable', 500)).toMatchObject({
      code: 'NOT_READY',
    });
    cluster.world.run(3000);
    member.process.kill();
    member.process.restart();
    cluster.world.run(3000);
    expect(cluster.status(gone).waiting).toContain('removed');
    const leader = cluster.elect();
    expect(leader.id).not.toBe(gone);
    cluster.execute(leader.id, 'INSERT INTO t (id) VALUES (2)');
  });

  test('a removed node that is added again serves again', () => {
    const cluster = founded(11);
    const gone = others(cluster, cluster.leader()!.id)[0]!;
    const leader = cluster.leader()!.id;
    expect(administer(cluster, leader, { op: 'removeMember', id: gone })).toBeNull();
    cluster.until(() => cluster.status(gone).waiting.includes('removed'), 5000, 'was not told');
    const add = { op: 'addMember', id: gone, url: urlOf(gone), voter: true } as const;
    expect(administer(cluster, leader, add)).toBeNull();
    cluster.until(() => cluster.status(gone).waiting === '', 5000, 'does not serve');
    cluster.execute(gone, 'INSERT INTO t (id) VALUES (1)');
    expect(votersSeenBy(cluster, gone)).toEqual([1, 2, 3]);
  });

  test('three become one, and three again', () => {
    const cluster = founded(12);
    const stays = cluster.leader()!.id;
    const gone = others(cluster, stays);
    for (const id of gone) {
      expect(administer(cluster, stays, { op: 'removeMember', id })).toBeNull();
      cluster.member(id).process.kill();
      cluster.member(id).process.wipe();
    }
    cluster.execute(stays, 'INSERT INTO t (id) VALUES (1)');
    expect(administer(cluster, stays, { op: 'removeMember', id: stays })).toMatchObject({
      code: 'BAD_REQUEST',
    });
    cluster.member(stays).process.crash();
    cluster.member(stays).process.restart();
    cluster.elect();
    for (const id of gone) cluster.member(id).process.restart();
    cluster.until(() => votersSeenBy(cluster, stays).length === 3, 20_000, 'not joined');
    cluster.converge();
    expect(cluster.rows(gone[0]!, 'SELECT count(*) FROM t')).toEqual([[1]]);
  });
});

describe('replaced replicas', () => {
  test('a learner whose disk is lost time and again leaves nobody behind', () => {
    const cluster = founded(21, { configured: { 4: [1, 2, 3, 4] }, roles: { 4: 'learner' } });
    cluster.start(4);
    const { process } = cluster.member(4);
    for (let i = 0; i < 3; i++) {
      cluster.until(
        () =>
          cluster
            .leader()
            ?.service.status()
            .members.some(({ id }) => id === 4) === true,
        10_000,
        'not joined',
      );
      cluster.converge();
      process.kill();
      process.wipe();
      cluster.world.run(1000);
      process.restart();
      cluster.opened(4);
      cluster.converge();
    }
    cluster.world.run(2000);
    expect(cluster.status(1).members.map(({ id }) => id)).toEqual([1, 2, 3, 4]);
  });
});

describe('administration', () => {
  test('everybody who invites the same node is answered', () => {
    const cluster = founded(30, { configured: { 4: [4] }, expectExisting: { 4: true } });
    const answers: (QuorliteError | null)[] = [];
    const add = { op: 'addMember', id: 4, url: urlOf(4), voter: true } as const;
    for (let i = 0; i < 3; i++) {
      cluster.leader()!.service.admin(add, 10_000, (error) => answers.push(error));
      cluster.world.run(100);
    }
    cluster.start(4);
    cluster.until(() => answers.length === 3, 20_000, 'not answered');
    expect(answers).toEqual([null, null, null]);
  });

  test('requests are answered when the node stops', () => {
    const cluster = founded(31);
    const { service } = cluster.leader()!;
    const answers: (string | undefined)[] = [];
    const add = { op: 'addMember', id: 4, url: urlOf(4), voter: true } as const;
    service.admin(add, 60_000, (error) => answers.push(error?.code));
    const follower = cluster.member(others(cluster, cluster.leader()!.id)[0]!);
    follower.service.admin(add, 60_000, (error) => answers.push(error?.code));
    cluster.world.run(500);
    follower.service.shutdown(() => {});
    service.shutdown(() => {});
    cluster.world.run(3000);
    expect(answers).toHaveLength(2);
  });
});
