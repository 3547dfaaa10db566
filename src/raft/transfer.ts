/** Leadership transfer (rules T5, M10, L5): stop proposals, let the target catch up, tell it to campaign. */
import type { ReplicaId } from '../wire/entry.ts';
import { type Message, MessageType } from '../wire/message.ts';
import type { ProposeRefusal } from './contract.ts';
import type { Core } from './core.ts';
import { campaignForced } from './election.ts';
import { maybeLeaveJoint } from './reconfigure.ts';

/** Begins a transfer; null when it is under way, or when this replica is asked to hand over to itself. */
export function beginTransfer(core: Core, to: ReplicaId): ProposeRefusal | null {
  if (core.role !== 'leader') return 'not-leader';
  if (core.transfer !== null) return core.transfer.to === to ? null : 'transferring';
  if (to === core.id) return null;
  const progress = core.progress.get(to);
  if (progress === undefined || !core.membership.voters.includes(to)) return 'invalid';
  if (!progress.active || progress.recovering) return 'not-caught-up';
  core.transfer = { to, elapsed: 0, asked: false };
  advanceTransfer(core);
  return null;
}

/** Asks the target to campaign once it holds everything, durably. */
export function advanceTransfer(core: Core): void {
  const { transfer } = core;
  if (transfer === null || transfer.asked) return;
  if (core.progress.get(transfer.to)?.match !== core.log.last) return;
  transfer.asked = true;
  core.send(core.draft(MessageType.timeoutNow, transfer.to));
}

/** One tick: a lost request is repeated; after an election timeout the leader goes on as before. */
export function tickTransfer(core: Core): void {
  const { transfer, limits } = core;
  if (transfer === null) return;
  transfer.elapsed++;
  if (transfer.elapsed >= limits.electionTicks) {
    abortTransfer(core);
  } else if (transfer.elapsed % limits.heartbeatTicks === 0) {
    transfer.asked = false;
    advanceTransfer(core);
  }
}

/** Gives up; what had to wait for the transfer goes on. */
export function abortTransfer(core: Core): void {
  core.transfer = null;
  maybeLeaveJoint(core);
}

/** The leader asks this replica to take over. */
export function handleTimeoutNow(core: Core, message: Message): void {
  if (core.role === 'follower' && message.from === core.leader) campaignForced(core);
}
