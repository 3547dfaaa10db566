/**
 * Recovering replicas: in the relaxed sync modes a replica whose machine went down may have lost entries that it had
 * acknowledged. Until it holds an entry that was committed without it after it came back, it neither votes nor
 * campaigns nor counts. A nonce drawn per boot ties questions and answers to one boot.
 */
import type { LogIndex, ReplicaId } from '../wire/entry.ts';
import type { Message } from '../wire/message.ts';
import type { Core } from './core.ts';
import type { Progress } from './progress.ts';
import { appendEmpty } from './roles.ts';

/** `peer` began a new boot: earlier acknowledgements are void (rule R8). */
export function restartPeer(core: Core, peer: ReplicaId, recovering: boolean): void {
  if (recovering) core.recoveringPeers.add(peer);
  else core.recoveringPeers.delete(peer);
  const progress = core.progress.get(peer);
  if (core.role !== 'leader' || progress === undefined || peer === core.id) return;
  progress.restart(++core.sessions, recovering);
  progress.active = true;
  // Something must be committed without it; on an idle cluster nothing would be.
  if (recovering && core.log.commit === core.log.last && core.transfer === null) appendEmpty(core);
}

/**
 * Leader: what `reply` says about its sender's recovery. False when the reply itself is void, because it is the first
 * sign of a boot that this leader has not heard of.
 */
export function noteRecovery(core: Core, progress: Progress, reply: Message): boolean {
  if (!reply.recovering) {
    if (progress.recovering) endRecovery(core, progress);
    return true;
  }
  // A refusal carries its hint where other replies carry the nonce.
  const nonce = reply.reject ? progress.recoveryNonce : reply.hintTerm;
  const sameBoot = progress.recoveryNonce === 0 || progress.recoveryNonce === nonce;
  if (!progress.recovering || !sameBoot) {
    restartPeer(core, progress.replica, true);
    return false;
  }
  progress.recoveryNonce = nonce;
  return true;
}

/** The replica itself decides when it has recovered; from now on what it holds counts. */
function endRecovery(core: Core, progress: Progress): void {
  core.recoveringPeers.delete(progress.replica);
  progress.recovering = false;
  progress.recoveryNonce = 0;
  progress.recoveryTarget = 0;
}

/** Leader: `index`, an entry of its own term, was just committed without any recovering replica. */
export function setRecoveryTargets(core: Core, index: LogIndex): void {
  if (core.recoveringPeers.size === 0) return;
  for (const progress of core.progress.values()) {
    if (progress.recovering && progress.recoveryTarget === 0) progress.recoveryTarget = index;
  }
}

/** Recovering replica: the leader named the entry that ends this boot's recovery. */
export function learnRecoveryTarget(core: Core, heartbeat: Message): void {
  if (!core.recovering || heartbeat.hintIndex === 0) return;
  if (heartbeat.hintTerm !== core.recoveryNonce) return;
  core.recoveryTarget = heartbeat.hintIndex;
  core.recoveryTerm = heartbeat.term;
  checkRecovered(core);
}

/** Recovering replica: tells the caller once the entry that ends the recovery is durable here. */
export function checkRecovered(core: Core): void {
  const { log, recoveryTarget } = core;
  if (!core.recovering || core.recoveryTold || recoveryTarget === 0) return;
  if (log.stable < recoveryTarget) return;
  const held = recoveryTarget <= log.compacted || log.matches(recoveryTarget, core.recoveryTerm);
  if (!held) return;
  core.recoveryTold = true;
  core.recoveredAt = recoveryTarget;
}
