/** Elections: pre-vote, vote, and when to start one (rules E1 to E10, P1 to P5). */
import type { ReplicaId } from '../wire/entry.ts';
import { type Message, MessageType } from '../wire/message.ts';
import type { Core } from './core.ts';
import type { Draft } from './draft.ts';
import { isVoter, voteResult } from './quorum.ts';
import { dropForwardedReads, expireForwardedReads } from './reads.ts';
import { becomeCandidate, becomeFollower, becomeLeader, becomePreCandidate } from './roles.ts';

/** One tick of a replica that does not lead. */
export function tickElection(core: Core): void {
  expireForwardedReads(core);
  core.electionElapsed++;
  if (core.forcedTicks > 0) core.forcedTicks--;
  const hinted = core.leaderLostTicks > 0 && --core.leaderLostTicks === 0;
  if (!hinted && core.electionElapsed < core.electionTimeout) return;
  // Without a campaign the time goes on: a replica that may not campaign must not look as if it had heard the leader.
  campaign(core);
}

/** Starts a pre-vote, unless this replica leads (rule E7) or may not campaign now. */
export function campaign(core: Core): void {
  if (core.role === 'leader' || !mayCampaign(core)) return;
  becomePreCandidate(core);
  core.votes.set(core.id, true);
  requestVotes(core, MessageType.preVote, false);
  decide(core);
}

/** Campaigns without a pre-vote: the leader asked for it, so its lease is no obstacle (rules P3, T5). */
export function campaignForced(core: Core): void {
  if (core.role === 'leader') return;
  if (mayCampaign(core)) startElection(core, true);
  else core.forcedTicks = core.limits.electionTicks;
}

/** Something was applied: a campaign that the leader asked for may have become possible (rule M10). */
export function resumeForced(core: Core): void {
  if (core.forcedTicks > 0 && core.role === 'follower' && mayCampaign(core)) {
    startElection(core, true);
  }
}

/** Whether this replica may campaign now (rule E6). */
function mayCampaign(core: Core): boolean {
  const { log } = core;
  if (!core.voter || core.recovering || core.storageStalled || core.installing) return false;
  return !log.holdsMembership(log.applied + 1, log.commit);
}

/** A new term: the own vote and the requests leave only when term, vote and log tail are durable (rule E1). */
function startElection(core: Core, forced: boolean): void {
  becomeCandidate(core);
  const own = core.draft(MessageType.voteReply, core.id);
  core.sendDurable(own);
  requestVotes(core, MessageType.vote, forced);
}

function requestVotes(
  core: Core,
  type: typeof MessageType.preVote | typeof MessageType.vote,
  forced: boolean,
): void {
  for (const peer of core.peers) {
    if (!isVoter(core.membership, peer)) continue;
    const request = core.draft(type, peer);
    request.index = core.log.last;
    request.logTerm = core.log.lastTerm;
    request.force = forced;
    tellCommit(core, request);
    if (type === MessageType.vote) {
      core.sendDurable(request);
      continue;
    }
    // A pre-vote asks about the term it would start (rule P1).
    request.term = core.term + 1;
    core.send(request);
  }
}

/**
 * Whether a leader was heard of so recently that nobody else may disturb it (rule P3). A leader that campaigns itself
 * has come back from a crash and disturbs nobody.
 */
export function inLease(core: Core, candidate: ReplicaId): boolean {
  const { leader, limits } = core;
  return leader !== 0 && leader !== candidate && core.electionElapsed < limits.electionTicks;
}

/**
 * Answers a request whose term is not lower than ours. Whoever is asked answers, member or not: a promoted learner
 * may not know that it is a voter yet (rule E10), nor its peers.
 */
export function handleVoteRequest(core: Core, request: Message): void {
  learnCommit(core, request);
  const pre = request.type === MessageType.preVote;
  const free = core.leader === 0 && (core.vote === 0 || core.vote === request.from);
  const may = pre
    ? request.term > core.term || free
    : core.vote === request.from || (core.vote === 0 && core.leader === 0);
  const granted = may && !core.recovering && core.log.isUpToDate(request.index, request.logTerm);
  const type = pre ? MessageType.preVoteReply : MessageType.voteReply;
  const reply = core.draft(type, request.from);
  reply.reject = !granted;
  tellCommit(core, reply);
  // A grant names the term asked for, a refusal our own (rule P1).
  if (granted) reply.term = request.term;
  if (pre) {
    core.send(reply);
    return;
  }
  if (granted) {
    core.vote = request.from;
    core.electionElapsed = 0;
    core.leaderLostTicks = 0;
  }
  core.sendDurable(reply);
}

/** Counts an answer to the campaign under way; answers to earlier ones change nothing (rule E8). */
export function handleVoteReply(core: Core, reply: Message): void {
  learnCommit(core, reply);
  const pre = reply.type === MessageType.preVoteReply;
  if (core.role !== (pre ? 'preCandidate' : 'candidate')) return;
  if (pre && !reply.reject && reply.term !== core.term + 1) return;
  if (reply.from !== core.id && !isVoter(core.membership, reply.from)) return;
  if (!core.votes.has(reply.from)) core.votes.set(reply.from, !reply.reject);
  decide(core);
}

/** Adds the commit index and its term to a message about a vote. */
export function tellCommit(core: Core, message: Draft): void {
  message.commit = core.log.commit;
  message.hintTerm = core.log.termAt(core.log.commit)!;
}

/**
 * Learns that an entry is committed from whoever says so with its term. Without this a replica that came back with an
 * old commit index could be stuck for good: in the configuration before the last it needs the vote of a replica
 * that is no voter any more and has a longer log (raft-rs, `maybe_commit_by_vote`). A committed membership entry ends
 * the campaign until it is applied (rule E6).
 */
export function learnCommit(core: Core, { commit, hintTerm }: Message): void {
  const { log } = core;
  if (core.role === 'leader' || core.installing || commit <= log.commit) return;
  if (!log.matches(commit, hintTerm)) return;
  log.commitTo(commit);
  if (core.role !== 'follower' && log.holdsMembership(log.applied + 1, commit)) {
    becomeFollower(core, core.term, 0);
  }
}

function decide(core: Core): void {
  const result = voteResult(core.membership, (replica) => core.votes.get(replica));
  if (result === 'pending') return;
  if (result === 'lost') becomeFollower(core, core.term, 0);
  else if (core.role === 'preCandidate') startElection(core, false);
  else becomeLeader(core);
}

/**
 * The connection to the leader closed. Forgets the leader, so that this replica grants others who lost it too, and
 * asks for a pre-vote itself, each in its turn: the ticks to wait are its rank among the other voters, so that two
 * who notice at once do not split the vote. A peer that still hears the leader refuses (rule P3).
 */
export function loseLeader(core: Core): void {
  if (core.role !== 'follower' || core.leader === 0) return;
  const lost = core.leader;
  core.leader = 0;
  core.leaderSession = 0;
  dropForwardedReads(core);
  const rivals = core.membership.voters.filter((voter) => voter !== lost && voter < core.id);
  core.leaderLostTicks = rivals.length;
  if (rivals.length === 0) campaign(core);
}
