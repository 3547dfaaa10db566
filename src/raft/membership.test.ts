import fc from 'fast-check';
import { expect, test } from 'vitest';
import {
  EMPTY_MEMBERSHIP,
  type MemberChange,
  type MemberInfo,
  type Membership,
} from '../wire/membership.ts';
import { isJoint, membershipFault, nextMembership, replicasOf } from './membership.ts';

function member(replica: number, url = ''): MemberInfo {
  return { replica, node: replica, url };
}

function voter(replica: number): MemberChange {
  return { type: 'voter', member: member(replica) };
}

function learner(replica: number): MemberChange {
  return { type: 'learner', member: member(replica) };
}

function remove(replica: number): MemberChange {
  return { type: 'remove', replica };
}

function found(...ids: number[]): Membership {
  return nextMembership(EMPTY_MEMBERSHIP, { type: 'found', members: ids.map((id) => member(id)) });
}

const change = fc
  .tuple(fc.constantFrom(voter, learner, remove), fc.integer({ min: 1, max: 6 }))
  .map(([make, id]) => make(id));
const changes = fc.uniqueArray(change, {
  minLength: 1,
  maxLength: 4,
  selector: (each) => (each.type === 'remove' ? each.replica : each.member.replica),
});

test('any sequence of changes ends where a map from replica to role ends', () => {
  fc.assert(
    fc.property(fc.array(changes, { maxLength: 8 }), (sequence) => {
      let roles = new Map([1, 2, 3].map((id) => [id, 'voter']));
      let membership = found(1, 2, 3);
      for (const list of sequence) {
        const next = new Map(roles);
        for (const each of list) {
          if (each.type === 'remove') next.delete(each.replica);
          else next.set(each.member.replica, each.type);
        }
        const entry = { type: 'change', changes: list } as const;
        if (membershipFault(membership, entry) !== null) {
          expect([...next.values()]).not.toContain('voter');
          continue;
        }
        const before = membership;
        membership = nextMembership(membership, entry);
        expectWellFormed(before, membership);
        if (isJoint(membership)) membership = nextMembership(membership, { type: 'leave' });
        roles = next;
      }
      const ids = (role: string): number[] =>
        [...roles]
          .filter(([, each]) => each === role)
          .map(([id]) => id)
          .sort((a, b) => a - b);
      expect(membership.voters).toEqual(ids('voter'));
      expect(membership.learners).toEqual(ids('learner'));
      expect(membership.members.map((each) => each.replica)).toEqual(replicasOf(membership));
    }),
  );
});

/** M3, M5: joint exactly when a voter changes; nobody both votes and learns in the half in force. */
function expectWellFormed(before: Membership, after: Membership): void {
  const changed = before.voters.join() !== after.voters.join();
  expect(after.outgoing).toEqual(changed ? before.voters : []);
  for (const id of after.learners) {
    expect(after.voters).not.toContain(id);
    expect(after.outgoing).not.toContain(id);
  }
  for (const id of after.learnersNext) expect(after.outgoing).toContain(id);
  expect(after.voters.length).toBeGreaterThan(0);
}

test('M5: a demoted voter keeps its vote in the outgoing half until the joint state is left', () => {
  const joint = nextMembership(found(1, 2, 3), { type: 'change', changes: [learner(3)] });
  expect(joint).toMatchObject({
    voters: [1, 2],
    outgoing: [1, 2, 3],
    learners: [],
    learnersNext: [3],
  });
  expect(nextMembership(joint, { type: 'leave' })).toMatchObject({
    voters: [1, 2],
    outgoing: [],
    learners: [3],
    learnersNext: [],
  });
});

test('M3: learners alone change at once, voters never do', () => {
  expect(isJoint(nextMembership(found(1), { type: 'change', changes: [learner(2)] }))).toBe(false);
  expect(isJoint(nextMembership(found(1), { type: 'change', changes: [voter(2)] }))).toBe(true);
});

test('M12: a new address is no change of who counts', () => {
  const moved = nextMembership(found(1, 2), {
    type: 'change',
    changes: [{ type: 'voter', member: member(2, 'http://elsewhere') }],
  });
  expect(isJoint(moved)).toBe(false);
  expect(moved.members[1]?.url).toBe('http://elsewhere');
});

test('M6: changes that leave no voter, or make no sense, are refused', () => {
  const two = found(1, 2);
  const joint = nextMembership(two, { type: 'change', changes: [remove(2)] });
  expect(membershipFault(two, { type: 'change', changes: [remove(1), remove(2)] })).toContain(
    'keeps',
  );
  expect(
    membershipFault(two, { type: 'change', changes: [learner(1), learner(2)] }),
  ).not.toBeNull();
  expect(membershipFault(two, { type: 'change', changes: [] })).not.toBeNull();
  expect(membershipFault(two, { type: 'change', changes: [voter(3), remove(3)] })).not.toBeNull();
  expect(membershipFault(two, { type: 'found', members: [member(9)] })).not.toBeNull();
  expect(membershipFault(two, { type: 'leave' })).not.toBeNull();
  expect(membershipFault(joint, { type: 'change', changes: [voter(3)] })).not.toBeNull();
  expect(membershipFault(EMPTY_MEMBERSHIP, { type: 'change', changes: [voter(1)] })).not.toBeNull();
  expect(membershipFault(EMPTY_MEMBERSHIP, { type: 'found', members: [] })).not.toBeNull();
});
