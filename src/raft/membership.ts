/**
 * Arithmetic of membership changes: pure functions from one configuration to the next. Every change of a voter goes
 * through a joint configuration (rule M3); a change of learners or addresses alone applies at once.
 */
import { assert } from '../wire/assert.ts';
import type { ReplicaId } from '../wire/entry.ts';
import {
  EMPTY_MEMBERSHIP,
  type MemberChange,
  type MemberInfo,
  type Membership,
  type MembershipEntry,
} from '../wire/membership.ts';

/** Whether a change is under way that needs both halves. */
export function isJoint(membership: Membership): boolean {
  return membership.outgoing.length > 0;
}

/** Everybody named, ascending. */
export function replicasOf(membership: Membership): ReplicaId[] {
  const { voters, outgoing, learners, learnersNext } = membership;
  return sortedIds(new Set([...voters, ...outgoing, ...learners, ...learnersNext]));
}

/** Whether `replica` receives entries without voting. */
export function isLearner(membership: Membership, replica: ReplicaId): boolean {
  return membership.learners.includes(replica);
}

/** What is wrong with `entry` as the next step after `membership`; null when nothing is. */
export function membershipFault(membership: Membership, entry: MembershipEntry): string | null {
  const pristine = membership.voters.length === 0;
  if (entry.type === 'found') {
    if (!pristine) return 'a cluster is founded once';
    return entry.members.length === 0 || hasTwice(entry.members.map((each) => each.replica))
      ? 'a founding names at least one replica, each once'
      : null;
  }
  if (pristine) return 'nobody has founded the cluster';
  if (entry.type === 'leave') return isJoint(membership) ? null : 'there is no change to finish';
  if (isJoint(membership)) return 'the change before has not finished';
  if (entry.changes.length === 0) return 'a change changes something';
  if (hasTwice(entry.changes.map(changedReplica))) return 'a change names each replica once';
  if (changed(membership, entry.changes).voters.length === 0) return 'a cluster keeps a voter';
  return null;
}

/** The configuration after `entry`. It must have no fault; see `membershipFault`. */
export function nextMembership(membership: Membership, entry: MembershipEntry): Membership {
  const fault = membershipFault(membership, entry);
  assert(fault === null, () => `a membership entry is invalid: ${fault}`);
  if (entry.type === 'found') return founded(entry.members);
  return entry.type === 'leave' ? left(membership) : changed(membership, entry.changes);
}

function founded(members: readonly MemberInfo[]): Membership {
  const voters = sortedIds(members.map((member) => member.replica));
  return { ...EMPTY_MEMBERSHIP, voters, members: sortedMembers(members) };
}

function changed(membership: Membership, changes: readonly MemberChange[]): Membership {
  const voters = new Set(membership.voters);
  const learners = new Set(membership.learners);
  const infos = new Map(membership.members.map((member) => [member.replica, member]));
  for (const change of changes) {
    const replica = changedReplica(change);
    voters.delete(replica);
    learners.delete(replica);
    if (change.type === 'remove') continue;
    infos.set(replica, change.member);
    (change.type === 'voter' ? voters : learners).add(replica);
  }
  if (isSameSet(voters, membership.voters)) {
    return named({ ...membership, learners: sortedIds(learners) }, infos);
  }
  const demoted = membership.voters.filter((voter) => learners.has(voter));
  for (const voter of demoted) learners.delete(voter);
  const joint: Membership = {
    voters: sortedIds(voters),
    outgoing: membership.voters,
    learners: sortedIds(learners),
    learnersNext: demoted,
    members: [],
  };
  return named(joint, infos);
}

/** The demoted become learners only now: in the outgoing half they still voted (rule M5). */
function left(membership: Membership): Membership {
  const learners = sortedIds([...membership.learners, ...membership.learnersNext]);
  const single = { ...membership, outgoing: [], learners, learnersNext: [] };
  return named(single, new Map(membership.members.map((member) => [member.replica, member])));
}

/** Keeps the addresses of those who are still named. */
function named(membership: Membership, infos: Map<ReplicaId, MemberInfo>): Membership {
  const members: MemberInfo[] = [];
  for (const replica of replicasOf(membership)) {
    const info = infos.get(replica);
    if (info !== undefined) members.push(info);
  }
  return { ...membership, members };
}

function changedReplica(change: MemberChange): ReplicaId {
  return change.type === 'remove' ? change.replica : change.member.replica;
}

function sortedIds(ids: Iterable<ReplicaId>): ReplicaId[] {
  return [...ids].sort((a, b) => a - b);
}

function sortedMembers(members: readonly MemberInfo[]): MemberInfo[] {
  return [...members].sort((a, b) => a.replica - b.replica);
}

function isSameSet(set: ReadonlySet<ReplicaId>, ids: readonly ReplicaId[]): boolean {
  return set.size === ids.length && ids.every((id) => set.has(id));
}

function hasTwice(ids: readonly ReplicaId[]): boolean {
  return new Set(ids).size !== ids.length;
}
