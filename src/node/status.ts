/** What a node says of the cluster and of its own health. */
import type { MemberInfo } from '../wire/membership.ts';
import type { ClusterStatus, Health, MemberStatus } from './contract.ts';
import { idText } from './id-text.ts';
import type { NodeInside } from './inside.ts';

type RoleName = ClusterStatus['role'];

/** The cluster as this node sees it. */
export function clusterStatus(node: NodeInside): ClusterStatus {
  const { raft, stateMachine } = node.replica;
  const { members } = raft.membership;
  const leader = members.find(({ replica }) => replica === raft.leader);
  return {
    clusterId: idText(node.identity.cluster),
    leader: leader?.node ?? null,
    leaderUrl: leader?.url ?? null,
    term: raft.term,
    index: stateMachine.applied.index,
    node: node.options.node,
    replica: idText(node.self),
    role: ownRole(node),
    members: [...members]
      .sort((a, b) => a.node - b.node)
      .map((member) => memberStatus(node, member)),
    waiting: node.waiting(),
  };
}

function ownRole(node: NodeInside): RoleName {
  const { raft } = node.replica;
  if (node.failure) return 'unknown';
  if (raft.role === 'leader') return 'leader';
  if (raft.membership.learners.includes(node.self)) return 'learner';
  return raft.role === 'follower' ? 'follower' : 'candidate';
}

function memberStatus(node: NodeInside, { replica, node: id, url }: MemberInfo): MemberStatus {
  const { raft } = node.replica;
  const self = replica === node.self;
  const leading = raft.role === 'leader';
  const voter = raft.membership.voters.includes(replica);
  const progress = leading ? raft.progress().find((one) => one.replica === replica) : undefined;
  const now = node.options.platform.clock.monotonicMs();
  return {
    id,
    replica: idText(replica),
    url,
    role: self ? ownRole(node) : otherRole(replica === raft.leader, voter),
    voter,
    matchIndex: self ? raft.lastIndex : (progress?.match ?? null),
    lagMs: wholeMs(self ? node.lagMs() : leading ? node.lag.peerSilence(now, replica) : null),
    reachable: self || node.peers.connected(replica) !== undefined,
  };
}

/** Bounds are rounded up. */
function wholeMs(lag: number | null): number | null {
  return lag === null ? null : Math.ceil(lag);
}

function otherRole(leads: boolean, voter: boolean): RoleName {
  if (leads) return 'leader';
  return voter ? 'follower' : 'learner';
}

/** Whether the process should go on: only a node that has stopped should be restarted. */
export function liveness(node: NodeInside): Health {
  const reasons = node.failure ? [`stopped: ${node.failure.message}`] : [];
  return { ok: reasons.length === 0, reasons };
}

/** Whether the node can serve: it knows a leader, is part of the cluster and does not shut down. Warnings stand beside. */
export function readiness(node: NodeInside): Health {
  const reasons: string[] = [];
  if (node.shuttingDown) reasons.push('shutting down');
  const waiting = node.waiting();
  if (waiting !== '') reasons.push(waiting);
  else if (node.replica.raft.role === 'leader' && !node.replica.raft.ready) {
    reasons.push('the new leader has not committed its first entry yet');
  }
  const { problem } = node.checkpointer;
  return { ok: reasons.length === 0, reasons: problem === '' ? reasons : [...reasons, problem] };
}
