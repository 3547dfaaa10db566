/** The follower's side of replication: appends, heartbeats, snapshots (rules R1 to R3, R5, R13, S2, S3, S7). */
import { assert } from '../wire/assert.ts';
import type { LogIndex, Term } from '../wire/entry.ts';
import type { Membership } from '../wire/membership.ts';
import { type Message, MessageType } from '../wire/message.ts';
import type { Core } from './core.ts';
import type { Draft } from './draft.ts';
import { retrack } from './reconfigure.ts';
import { learnRecoveryTarget } from './recovery.ts';
import { becomeFollower } from './roles.ts';

/** A message that only the leader of this term sends: follows it and starts the election timer again. */
export function hearLeader(core: Core, message: Message): void {
  assert(core.role !== 'leader', () => `replica ${message.from} leads term ${core.term} too`);
  assert(
    core.leader === 0 || core.leader === message.from,
    () => `replicas ${core.leader} and ${message.from} lead term ${core.term}`,
  );
  if (core.role !== 'follower' || core.leader === 0) {
    becomeFollower(core, core.term, message.from);
  }
  core.electionElapsed = 0;
  if (message.session !== 0) core.leaderSession = message.session;
}

/** Takes entries, or refuses them with a hint where the logs may agree. */
export function handleAppend(core: Core, append: Message): void {
  hearLeader(core, append);
  if (core.installing || !isGapless(append)) return;
  const { log } = core;
  const last = append.index + append.entries.length;
  if (append.index < log.commit) {
    // What is committed here is in every leader's log: only what lies behind it is news.
    checkCommitted(core, append);
    const news = append.entries.slice(log.commit - append.index);
    takeEntries(core, append, news, Math.max(last, log.commit));
  } else if (log.matches(append.index, append.logTerm)) {
    takeEntries(core, append, append.entries, last);
  } else {
    refuseAppend(core, append);
  }
}

/**
 * A leader without an entry that is committed here leads after a loss (decision 0011), or something is badly wrong. To go on
 * would make replicas differ in silence (rule R3).
 */
function checkCommitted({ log }: Core, append: Message): void {
  checkTerm(append.index, append.logTerm);
  for (const { index, term } of append.entries) {
    if (index > log.commit) return;
    checkTerm(index, term);
  }

  function checkTerm(index: LogIndex, term: Term): void {
    const own = log.termAt(index);
    assert(
      own === null || own === term,
      () =>
        `entry ${index} of term ${own} is committed here, and the leader of term ${append.term} has another one: the cluster went on without what this replica holds; wipe its data folder, and it will join anew`,
    );
  }
}

/** A peer's malformed message is dropped: it is not for us to die of. */
function isGapless(append: Message): boolean {
  return append.entries.every((entry, at) => entry.index === append.index + 1 + at);
}

function takeEntries(
  core: Core,
  append: Message,
  entries: Message['entries'],
  verified: LogIndex,
): void {
  const { log } = core;
  const cut = log.merge(entries);
  if (cut !== null) core.writes.clip(cut - 1, log.termAt(cut - 1)!);
  // Nothing behind the last entry that this message vouches for is committed by it (rule R2).
  log.commitTo(Math.min(append.commit, verified));
  const reply = replyTo(core, MessageType.appendReply, append);
  reply.index = verified;
  core.sendDurable(reply);
}

function refuseAppend(core: Core, append: Message): void {
  const hint = core.log.lastAtOrBelow(append.index, append.logTerm);
  const reply = replyTo(core, MessageType.appendReply, append);
  reply.reject = true;
  reply.index = append.index;
  reply.hintIndex = hint.index;
  reply.hintTerm = hint.term;
  core.send(reply);
}

function replyTo(
  core: Core,
  type: typeof MessageType.appendReply | typeof MessageType.heartbeatReply,
  message: Message,
): Draft {
  const reply = core.draft(type, message.from);
  reply.session = message.session;
  reply.recovering = core.recovering;
  if (core.recovering) reply.hintTerm = core.recoveryNonce;
  return reply;
}

/** Learns the commit index and tells the leader that it is followed. */
export function handleHeartbeat(core: Core, heartbeat: Message): void {
  hearLeader(core, heartbeat);
  if (!core.installing) core.log.commitTo(Math.min(heartbeat.commit, core.log.last));
  if (heartbeat.session === 0) return;
  learnRecoveryTarget(core, heartbeat);
  const reply = replyTo(core, MessageType.heartbeatReply, heartbeat);
  reply.read = heartbeat.read;
  core.send(reply);
}

/** What a snapshot stands for. */
export interface InstalledSnapshot {
  readonly index: LogIndex;
  readonly term: Term;
  readonly membership: Membership;
}

/**
 * A snapshot took the place of state and log. One that is behind what is applied changes nothing (rule S2); at an
 * entry that the log holds, what follows stays; otherwise the whole log goes (rule S3). Any index will do (rule S7).
 */
export function installSnapshot(core: Core, snapshot: InstalledSnapshot): void {
  const { log } = core;
  core.installing = false;
  if (snapshot.index > log.applied) {
    if (log.matches(snapshot.index, snapshot.term)) log.forward(snapshot.index);
    else replaceLog(core, snapshot);
    core.membership = snapshot.membership;
    core.membershipIndex = snapshot.index;
    core.setPeers();
    retrack(core);
  }
  if (core.role !== 'follower' || core.leader === 0 || core.leaderSession === 0) return;
  const reply = core.draft(MessageType.appendReply, core.leader);
  reply.index = log.commit;
  reply.session = core.leaderSession;
  reply.recovering = core.recovering;
  if (core.recovering) reply.hintTerm = core.recoveryNonce;
  core.sendDurable(reply);
}

function replaceLog(core: Core, snapshot: InstalledSnapshot): void {
  assert(
    snapshot.index > core.log.commit,
    () => `the snapshot at ${snapshot.index} contradicts a committed entry (rule S2)`,
  );
  assert(core.role !== 'leader', 'a leader holds every committed entry');
  if (core.role !== 'follower') becomeFollower(core, core.term, 0);
  core.log.reset(snapshot.index, snapshot.term);
  core.writes.clip(0, 0);
}
