/** Changes of role. Each forgets what belonged to the role before. */
import { assert } from '../wire/assert.ts';
import { EntryKind, makeEntry, type ReplicaId, type Term } from '../wire/entry.ts';
import type { Core } from './core.ts';
import { replicasOf } from './membership.ts';
import { Progress } from './progress.ts';
import { dropForwardedReads, dropLeaderReads } from './reads.ts';

/** Follows `leader` (0: nobody known) in `term`. In the same term the vote stays (rule E3). */
export function becomeFollower(core: Core, term: Term, leader: ReplicaId): void {
  reset(core, term, leader);
  core.role = 'follower';
}

/** Asks whether an election could be won, without touching the term. Forgets leader and votes (rule P2). */
export function becomePreCandidate(core: Core): void {
  assert(core.role !== 'leader', 'a leader does not campaign');
  reset(core, core.term, 0);
  core.role = 'preCandidate';
}

/** Starts a term of its own and votes for itself. */
export function becomeCandidate(core: Core): void {
  assert(core.role !== 'leader', 'a leader does not campaign');
  reset(core, core.term + 1, 0);
  core.role = 'candidate';
  core.vote = core.id;
}

/** Leads its term: begins with an empty entry, by which it will commit what earlier terms left (rule E9). */
export function becomeLeader(core: Core): void {
  assert(core.role === 'candidate', 'only a candidate becomes leader');
  reset(core, core.term, core.id);
  core.role = 'leader';
  core.progress = new Map();
  for (const replica of replicasOf(core.membership)) trackReplica(core, replica);
  // Any entry not applied yet may be a membership change of an earlier leader (rule M1); and by waiting for its
  // own first entry it never starts a change before an entry of its term is committed (rule M2).
  core.membershipPending = core.log.last + 1;
  core.uncommittedBytes = core.log.bytesOf(core.log.commit + 1, core.log.last);
  appendEmpty(core);
}

/** Leader: begins to track `replica`, from the end of the log on. */
export function trackReplica(core: Core, replica: ReplicaId): Progress {
  const progress = new Progress(replica, core.log.last + 1, ++core.sessions, core.limits);
  progress.recovering = core.recoveringPeers.has(replica);
  if (replica === core.id) {
    progress.match = core.log.stable;
    progress.state = 'replicate';
  }
  progress.active = true;
  core.progress.set(replica, progress);
  return progress;
}

/** Leader: appends an entry without content. Never refused (rule R12). */
export function appendEmpty(core: Core): void {
  const entry = makeEntry(core.term, core.log.last + 1, EntryKind.empty);
  core.log.append(entry);
  core.uncommittedBytes += entry.bytes.length;
}

/** Ends what belonged to the old role, leader or term. */
function reset(core: Core, term: Term, leader: ReplicaId): void {
  assert(term >= core.term, () => `the term went back from ${core.term} to ${term}`);
  if (core.role === 'leader') endLeadership(core);
  if (term !== core.term || leader !== core.leader) {
    dropForwardedReads(core);
    core.leaderSession = 0;
  }
  if (term !== core.term) {
    core.term = term;
    core.vote = 0;
    core.forcedTicks = 0;
  }
  core.leader = leader;
  core.votes.clear();
  core.electionElapsed = 0;
  core.heartbeatElapsed = 0;
  core.leaderLostTicks = 0;
  core.electionTimeout = core.drawTimeout();
}

function endLeadership(core: Core): void {
  dropLeaderReads(core);
  core.progress = new Map();
  core.transfer = null;
  core.uncommittedBytes = 0;
  core.wantSnapshots = [];
}
