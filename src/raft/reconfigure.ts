/** Membership changes at the leader and at whoever applies them (rules M1 to M11). */
import { assert } from '../wire/assert.ts';
import { type Entry, EntryKind, entryPayload, makeEntry, type ReplicaId } from '../wire/entry.ts';
import {
  decodeMembershipEntry,
  encodeMembershipEntry,
  type Membership,
  type MembershipEntry,
} from '../wire/membership.ts';
import { MessageType } from '../wire/message.ts';
import type { ProposeRefusal } from './contract.ts';
import type { Core } from './core.ts';
import { isJoint, membershipFault, nextMembership, replicasOf } from './membership.ts';
import { confirmReads } from './reads.ts';
import { flushLeader, maybeCommit } from './replication.ts';
import { becomeFollower, trackReplica } from './roles.ts';
import { abortTransfer } from './transfer.ts';

/** How many removed replicas are remembered; older ones are silenced by the lease alone (rule P3). */
const MAX_REMOVED = 64;

/** Proposes one change; the joint configuration that it may enter is left automatically. */
export function proposeChange(core: Core, change: MembershipEntry): Entry | ProposeRefusal {
  if (core.role !== 'leader') return 'not-leader';
  if (core.transfer !== null) return 'transferring';
  if (core.membershipPending > core.log.applied) return 'membership-busy';
  if (change.type === 'change' && isJoint(core.membership)) return 'membership-busy';
  if (membershipFault(core.membership, change) !== null) return 'invalid';
  if (!newVotersCaughtUp(core, change)) return 'not-caught-up';
  return appendChange(core, change);
}

/** A new voter is a learner first, recently heard of and at most one window behind (rules M3, M10). */
function newVotersCaughtUp(core: Core, change: MembershipEntry): boolean {
  if (change.type !== 'change') return true;
  const { log, limits } = core;
  return change.changes.every((each) => {
    if (each.type !== 'voter') return true;
    const { replica } = each.member;
    if (core.membership.voters.includes(replica)) return true;
    const progress = core.progress.get(replica);
    if (progress === undefined || !progress.active || progress.recovering) return false;
    if (progress.match < log.compacted) return false;
    return log.bytesOf(progress.match + 1, log.last) <= limits.maxInflightBytes;
  });
}

function appendChange(core: Core, change: MembershipEntry): Entry {
  const payload = encodeMembershipEntry(change);
  const entry = makeEntry(core.term, core.log.last + 1, EntryKind.membership, payload);
  core.log.append(entry);
  core.uncommittedBytes += entry.bytes.length;
  core.membershipPending = entry.index;
  return entry;
}

/**
 * Leader: leaves a joint configuration as soon as it is applied. Looked at on every apply, since the entry that
 * leaves may have been lost with an earlier leader or held back by a transfer (rule M3).
 */
export function maybeLeaveJoint(core: Core): void {
  if (core.role !== 'leader' || core.transfer !== null || !isJoint(core.membership)) return;
  if (core.membershipPending <= core.log.applied) appendChange(core, { type: 'leave' });
}

/** Puts a committed membership entry into force (rule M4: at apply, so there is nothing to roll back). */
export function applyChange(core: Core, entry: Entry): Membership {
  assert(entry.kind === EntryKind.membership, 'a membership entry changes the membership');
  assert(entry.index > core.membershipIndex, 'membership entries are applied in order');
  assert(entry.index <= core.log.given, 'a membership entry is applied when it is committed');
  const before = core.membership;
  const change = decodeMembershipEntry(entryPayload(entry));
  core.membership = nextMembership(before, change);
  core.membershipIndex = entry.index;
  core.setPeers();
  const gone = goneReplicas(before, core.membership);
  for (const replica of gone) rememberRemoved(core, replica, entry.index);
  for (const replica of core.peers) core.removed.delete(replica);
  if (gone.includes(core.id)) core.removedAt = entry.index;
  retrack(core);
  return core.membership;
}

function goneReplicas(before: Membership, after: Membership): ReplicaId[] {
  const still = new Set(replicasOf(after));
  return replicasOf(before).filter((replica) => !still.has(replica));
}

function rememberRemoved(core: Core, replica: ReplicaId, index: number): void {
  core.removed.delete(replica);
  core.removed.set(replica, index);
  if (core.removed.size <= MAX_REMOVED) return;
  for (const oldest of core.removed.keys()) {
    core.removed.delete(oldest);
    return;
  }
}

/** Leader: brings its bookkeeping in line with the membership, and what follows from another quorum. */
export function retrack(core: Core): void {
  if (core.role !== 'leader') return;
  const named = new Set(replicasOf(core.membership));
  for (const replica of [...core.progress.keys()]) {
    if (!named.has(replica)) dismiss(core, replica);
  }
  for (const replica of named) {
    if (!core.progress.has(replica)) trackReplica(core, replica);
  }
  maybeCommit(core);
  confirmReads(core);
  const { transfer, membership } = core;
  if (transfer !== null && !membership.voters.includes(transfer.to)) abortTransfer(core);
  if (!core.voter) abdicate(core);
}

/** Stops feeding a removed replica and tells it (rule M9). */
function dismiss(core: Core, replica: ReplicaId): void {
  core.progress.delete(replica);
  if (replica === core.id) return;
  sendRemoved(core, replica, core.membershipIndex);
}

/** Tells `replica` that it was removed at `index`. */
export function sendRemoved(core: Core, replica: ReplicaId, index: number): void {
  const notice = core.draft(MessageType.removed, replica);
  notice.index = index;
  core.send(notice);
}

/**
 * A leader that is no voter any more steps down (rule M8): tells everybody what is committed, so that they know of
 * the change too, and asks the voter with the longest log to take over at once.
 */
function abdicate(core: Core): void {
  flushLeader(core);
  let best: ReplicaId = 0;
  let bestMatch = -1;
  for (const voter of core.membership.voters) {
    const progress = core.progress.get(voter);
    if (progress === undefined || progress.recovering || progress.match <= bestMatch) continue;
    best = voter;
    bestMatch = progress.match;
  }
  if (best !== 0) core.send(core.draft(MessageType.timeoutNow, best));
  becomeFollower(core, core.term, 0);
}
