/** The leader's side of replication: feeding followers, counting acknowledgements, committing (rules R4 to R14). */
import { assert } from '../wire/assert.ts';
import type { LogIndex } from '../wire/entry.ts';
import { type Message, MessageType } from '../wire/message.ts';
import type { Core } from './core.ts';
import type { Progress } from './progress.ts';
import { isVoter, quorumValue, voteResult } from './quorum.ts';
import { confirmReads, isReady } from './reads.ts';
import { noteRecovery, setRecoveryTargets } from './recovery.ts';
import { becomeFollower } from './roles.ts';
import { advanceTransfer, tickTransfer } from './transfer.ts';

/** One tick of a leader: quorum check, transfer, heartbeats. */
export function tickLeader(core: Core): void {
  core.electionElapsed++;
  core.heartbeatElapsed++;
  if (core.electionElapsed >= core.limits.electionTicks) {
    core.electionElapsed = 0;
    if (!checkQuorum(core)) return;
  }
  tickTransfer(core);
  if (core.heartbeatElapsed < core.limits.heartbeatTicks) return;
  core.heartbeatElapsed = 0;
  for (const peer of core.peers) {
    const progress = progressOf(core, peer);
    progress.lagging = progress.match < core.log.last;
    sendHeartbeat(core, progress);
  }
}

/** A leader that heard from no quorum during an election timeout steps down (rule P6). */
function checkQuorum(core: Core): boolean {
  const result = voteResult(core.membership, (replica) => {
    const progress = core.progress.get(replica);
    return replica === core.id || (progress?.active === true && !progress.recovering);
  });
  for (const progress of core.progress.values()) progress.active = progress.replica === core.id;
  if (result === 'won') return true;
  becomeFollower(core, core.term, 0);
  return false;
}

function progressOf(core: Core, peer: number): Progress {
  const progress = core.progress.get(peer);
  assert(progress !== undefined, () => `replica ${peer} is in the membership, but is not tracked`);
  return progress;
}

/**
 * Sends what became due since the effects were last taken: appends as far as the windows allow, one round of
 * heartbeats for all reads that wait for one, and new commit indexes that no append carries.
 */
export function flushLeader(core: Core): void {
  const round = core.reads.startRound();
  for (const peer of core.peers) {
    const progress = progressOf(core, peer);
    feed(core, progress);
    if (round && isVoter(core.membership, peer)) sendHeartbeat(core, progress);
    else if (knownCommit(core, progress) > progress.commitSent) sendCommit(core, progress);
  }
  // A leader without other voters is its own quorum (rule L8).
  if (round) confirmReads(core);
}

function feed(core: Core, progress: Progress): void {
  while (!progress.blocked && (progress.state === 'probe' || progress.next <= core.log.last)) {
    if (!sendAppend(core, progress, true)) return;
  }
  if (!progress.nudge) return;
  progress.nudge = false;
  if (progress.state === 'replicate') sendAppend(core, progress, false);
}

/** Sends the entries from `next` on, or none. False when the follower needs what is compacted away. */
function sendAppend(core: Core, progress: Progress, withEntries: boolean): boolean {
  const { log, limits } = core;
  const previous = progress.next - 1;
  const previousTerm = log.termAt(previous);
  if (previousTerm === null) {
    wantSnapshot(core, progress);
    return false;
  }
  const append = core.draft(MessageType.append, progress.replica);
  append.index = previous;
  append.logTerm = previousTerm;
  append.commit = log.commit;
  append.session = progress.session;
  if (withEntries && progress.next <= log.last) {
    append.entries = log.slice(progress.next, log.last, limits.maxAppendBytes);
    assert(append.entries[0]!.index === previous + 1, 'entries follow the probe (rule R9)');
  }
  const last = previous + append.entries.length;
  progress.sent(last, log.bytesOf(progress.next, last));
  progress.commitSent = Math.max(progress.commitSent, Math.min(log.commit, last));
  core.send(append);
  return true;
}

/** The follower needs entries that are gone (rule R14). One that was not heard of gets a snapshot when it is. */
function wantSnapshot(core: Core, progress: Progress): void {
  if (!progress.active) {
    progress.paused = true;
    return;
  }
  progress.becomeSnapshot();
  core.wantSnapshots.push({ to: progress.replica, index: core.log.compacted });
}

/** What `progress` may know to be committed: no more than it is known to hold (rule R2). */
function knownCommit(core: Core, progress: Progress): LogIndex {
  return Math.min(progress.match, core.log.commit);
}

function sendHeartbeat(core: Core, progress: Progress): void {
  const heartbeat = core.draft(MessageType.heartbeat, progress.replica);
  heartbeat.commit = knownCommit(core, progress);
  heartbeat.read = core.reads.round;
  heartbeat.session = progress.session;
  heartbeat.hintIndex = progress.recoveryTarget;
  heartbeat.hintTerm = progress.recoveryNonce;
  progress.commitSent = Math.max(progress.commitSent, heartbeat.commit);
  core.send(heartbeat);
}

/** A heartbeat that only tells the commit index; session 0, so it is not answered. */
function sendCommit(core: Core, progress: Progress): void {
  const notice = core.draft(MessageType.heartbeat, progress.replica);
  notice.commit = knownCommit(core, progress);
  progress.commitSent = notice.commit;
  core.send(notice);
}

/** The progress that `reply` is about; null when it belongs to nobody or to an earlier session (rule R8). */
function repliedTo(core: Core, reply: Message): Progress | null {
  const progress = core.progress.get(reply.from);
  if (core.role !== 'leader' || progress === undefined) return null;
  if (reply.session !== progress.session || !noteRecovery(core, progress, reply)) return null;
  progress.active = true;
  return progress;
}

/** A follower took an append, durably, or refused it. */
export function handleAppendReply(core: Core, reply: Message): void {
  const progress = repliedTo(core, reply);
  if (progress === null) return;
  if (reply.reject) {
    const hint = core.log.lastAtOrBelow(reply.hintIndex, reply.hintTerm).index;
    progress.rejected(reply.index, hint);
    return;
  }
  assert(reply.index <= core.log.last, () => `replica ${reply.from} acknowledged ${reply.index}`);
  const news = progress.acknowledged(reply.index);
  settleState(core, progress, reply.index);
  if (news) maybeCommit(core);
  advanceTransfer(core);
}

/** An acknowledgement ends a probe; it ends a snapshot when the log reconnects, whatever was asked for (rule S7). */
function settleState(core: Core, progress: Progress, acknowledged: LogIndex): void {
  if (progress.state === 'replicate') {
    progress.inflights.freeTo(acknowledged);
  } else if (progress.state === 'probe') {
    progress.becomeReplicate();
  } else if (progress.match >= core.log.compacted) {
    progress.becomeReplicate();
  }
}

/** A follower answered a heartbeat: it lives, it follows, and what it has not acknowledged may be lost (rule R7). */
export function handleHeartbeatReply(core: Core, reply: Message): void {
  const progress = repliedTo(core, reply);
  if (progress === null) return;
  progress.paused = false;
  if (progress.lagging) {
    progress.lagging = false;
    progress.nudge = true;
  }
  if (reply.read <= progress.readAcked) return;
  progress.readAcked = reply.read;
  confirmReads(core);
}

/** The own log became durable further: the leader counts itself only now (rule D4). */
export function acknowledgeOwn(core: Core): void {
  const own = core.progress.get(core.id);
  if (own?.acknowledged(core.log.stable)) {
    maybeCommit(core);
    advanceTransfer(core);
  }
}

/** Commits what a quorum holds, if it is of this leader's own term (rule E9; Raft dissertation, section 3.6.2). */
export function maybeCommit(core: Core): void {
  const { log } = core;
  const index = quorumValue(core.membership, (each) => core.progress.get(each)?.counted ?? 0);
  if (index <= log.commit || log.termAt(index) !== core.term) return;
  const wasReady = isReady(core);
  core.uncommittedBytes -= log.bytesOf(log.commit + 1, index);
  log.commitTo(index);
  setRecoveryTargets(core, index);
  if (!wasReady) core.reads.ready(index);
}

/** The connection to `peer` failed: what was in flight is probably lost, so ask before sending more (rule R7). */
export function markUnreachable(core: Core, peer: number): void {
  const progress = core.progress.get(peer);
  if (progress?.state !== 'replicate') return;
  progress.becomeProbe(progress.match + 1);
  progress.paused = true;
}

/** How the stream of a snapshot to `peer` ended. */
export function reportSnapshot(core: Core, peer: number, index: LogIndex, ok: boolean): void {
  const progress = core.progress.get(peer);
  if (progress?.state !== 'snapshot') return;
  progress.becomeProbe(ok ? Math.min(index, core.log.last) + 1 : progress.match + 1);
  // Its next answer shows where it stands; after a failure this also spaces out the attempts.
  progress.paused = true;
}
