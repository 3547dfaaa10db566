/** Administrative requests and checkpoints: each is answered once, and by its deadline, whatever happens around it. */
import { describe, expect, test } from 'vitest';
import type { AdminRequest } from '../../src/node/contract.ts';
import { createRandom } from '../../src/runtime/virtual/random.ts';
import type { QuorliteError } from '../../src/wire/error.ts';
import { founded, others } from '../kit/founded.ts';
import { urlOf, type VirtualCluster, type VirtualMember } from '../kit/virtual-cluster.ts';

/** A disk that hangs may stop its node for so long. */
const HANG_MS = 800;
/** How late an answer may be otherwise: a tick, and the work before it. */
const LATE_MS = 60;

interface Asked {
  readonly what: string;
  readonly due: number;
  readonly answers: { readonly at: number; readonly error: QuorliteError | null }[];
}

function ask(
  { world }: VirtualCluster,
  { service, id }: VirtualMember,
  request: AdminRequest,
  timeoutMs: number,
): Asked {
  const what = `${JSON.stringify(request)} at node ${id} at ${world.nowMs}`;
  const asked: Asked = { what, due: world.nowMs + timeoutMs, answers: [] };
  service.admin(request, timeoutMs, (error) => asked.answers.push({ at: world.nowMs, error }));
  return asked;
}

function expectInTime({ what, due, answers }: Asked, lateMs = LATE_MS): void {
  expect(answers, what).toHaveLength(1);
  expect(answers[0]!.at, what).toBeLessThanOrEqual(due + lateMs);
}

const REQUESTS: readonly AdminRequest[] = [
  { op: 'addMember', id: 4, url: urlOf(4), voter: true },
  { op: 'addMember', id: 2, url: urlOf(2), voter: true },
  { op: 'removeMember', id: 1 },
  { op: 'removeMember', id: 3 },
  { op: 'promote', id: 2 },
  { op: 'transfer' },
  { op: 'transfer', to: 3 },
];

/** What befalls the cluster, seen from the leader. */
const TROUBLES: { readonly [name: string]: (cluster: VirtualCluster, leader: string) => void } = {
  nothing: () => {},
  'a leader cut off': ({ world }, leader) => world.network.isolate(leader),
  'a leader that hears nobody': ({ world, members }, leader) => {
    for (const { process } of members) world.network.cut(process.name, leader);
  },
  'a leader whose disk hangs': ({ members }, leader) => {
    for (const { process } of members) if (process.name === leader) process.disk.hang(HANG_MS);
  },
  'paths that lose half': ({ world }) => world.network.setAllPaths({ lossy: true, loss: 0.5 }),
  'everybody alone': ({ world, members }) => {
    for (const { process } of members) world.network.isolate(process.name);
  },
};

describe.each(Object.keys(TROUBLES))('administration, and %s', (name) => {
  test.each(REQUESTS)('%o', (request) => {
    const cluster = founded(name);
    const leader = cluster.leader()!;
    cluster.world.run(500);
    TROUBLES[name]!(cluster, leader.process.name);
    const asked = cluster.alive.flatMap((member) =>
      [30, 700, 3000].map((timeoutMs) => ask(cluster, member, request, timeoutMs)),
    );
    cluster.world.run(4500);
    const hangs = name.includes('hangs') ? HANG_MS : 0;
    for (const each of asked) expectInTime(each, LATE_MS + hangs);
  });
});

test.each([1, 2, 3, 4, 5, 6])('administration while nodes come and go (seed %d)', (seed) => {
  const random = createRandom(`deadlines ${seed}`);
  const cluster = founded(seed);
  const open = new Map<Asked, VirtualMember>();
  for (let step = 0; step < 40; step++) {
    const { alive, world } = cluster;
    const member = alive[random.below(Math.max(1, alive.length))];
    if (member) {
      const request = REQUESTS[random.below(REQUESTS.length)]!;
      // The cluster stays as large as it is: requests that change it go to nodes that do not exist.
      const harmless = request.op === 'removeMember' ? { ...request, id: 9 } : request;
      open.set(ask(cluster, member, harmless, random.between(10, 4000)), { ...member });
    }
    const fault = random.below(6);
    const victim = cluster.members[random.below(3)]!;
    if (fault === 0) world.network.isolate(victim.process.name);
    else if (fault === 1) world.network.healAll();
    else if (fault === 2 && cluster.alive.length === 3) {
      victim.process.kill();
      victim.process.restart();
      for (const [asked, { id }] of open) if (id === victim.id) open.delete(asked);
    }
    world.run(random.between(10, 800));
  }
  cluster.world.run(5000);
  expect(open.size).toBeGreaterThan(5);
  for (const asked of open.keys()) expectInTime(asked);
});

test('a removal whose first attempt is in doubt never says that nothing was done', () => {
  const cluster = founded(40, { world: { path: { latencyMs: [5, 10] } } });
  const leader = cluster.leader()!;
  const [gone, asking] = others(cluster, leader.id).map((id) => cluster.member(id));
  const asked = ask(cluster, asking!, { op: 'removeMember', id: gone!.id }, 4000);
  cluster.world.run(3);
  // The request is under way, and nobody will hear what became of it.
  leader.process.kill();
  gone!.process.kill();
  cluster.world.run(6000);
  expectInTime(asked);
  expect(asked.answers[0]!.error).toMatchObject({ outcome: 'unknown' });
});

describe('checkpoints', () => {
  function withHangingDisk(seed: string): { cluster: VirtualCluster; member: VirtualMember } {
    const cluster = founded(seed, { checkpoint: { bytes: 1e9, ms: 1e9 } });
    const member = cluster.member(others(cluster, cluster.leader()!.id)[0]!);
    cluster.converge();
    // The sync of a checkpoint's file does not come back; everything else goes on.
    member.process.disk.plan = ({ kind, file }) =>
      kind === 'sync' && file.endsWith('.data') ? { type: 'hang' } : null;
    return { cluster, member };
  }

  test('on a disk that hangs: each is answered by its deadline', () => {
    const { cluster, member } = withHangingDisk('hangs');
    const answers: [number, string | null][] = [];
    for (const ms of [500, 100, 2000]) {
      const from = cluster.world.nowMs;
      member.service.checkpoint((error) => {
        answers.push([Math.floor(cluster.world.nowMs - from), error?.code ?? null]);
      }, ms);
    }
    cluster.world.run(3000);
    expect(answers).toEqual([
      [100, 'TIMEOUT'],
      [500, 'TIMEOUT'],
      [2000, 'TIMEOUT'],
    ]);
    expect(member.service.live().ok).toBe(true);
  });

  test('on a disk that hangs: whoever set no deadline is answered when the node ends', () => {
    const { cluster, member } = withHangingDisk('ends');
    const answers: (string | null)[] = [];
    for (let i = 0; i < 2; i++) member.service.checkpoint((error) => answers.push(error!.code));
    cluster.world.run(1000);
    expect(answers).toEqual([]);
    member.service.shutdown(() => {});
    cluster.until(() => answers.length === 2, 2000, 'not answered');
    expect(answers).toEqual(['SHUTTING_DOWN', 'SHUTTING_DOWN']);
    member.service.checkpoint((error) => answers.push(error!.code));
    expect(answers[2]).toBe('SHUTTING_DOWN');
  });
});
