/** From state to effects: what to send, write, apply and answer. */
import { assert } from '../wire/assert.ts';
import type { Entry } from '../wire/entry.ts';
import type { Message } from '../wire/message.ts';
import type { Effects, StorageWrite } from './contract.ts';
import type { Core } from './core.ts';
import { flushForwardedReads } from './reads.ts';
import { checkRecovered } from './recovery.ts';
import { acknowledgeOwn, flushLeader } from './replication.ts';
import { step } from './step.ts';

const NO_ENTRIES: readonly Entry[] = [];

/** Effects without anything in them. */
export function emptyEffects(): Effects {
  return {
    messages: [],
    writes: [],
    committed: [],
    reads: [],
    readsDropped: [],
    softState: null,
    snapshots: [],
    removedAt: null,
    recoveredAt: null,
  };
}

/** Sends what was put off, so that all inputs since the last time share messages. */
function flush(core: Core): void {
  if (core.role === 'leader') flushLeader(core);
  flushForwardedReads(core);
}

/** Moves everything due into `effects`, whose arrays become the core's next ones. */
export function fillEffects(core: Core, effects: Effects): void {
  flush(core);
  effects.writes.length = 0;
  const write = nextWrite(core);
  if (write !== null) effects.writes.push(write);
  for (const message of core.writes.settle()) core.send(message);
  [effects.messages, core.outbox] = [core.outbox, cleared(effects.messages)];
  [effects.reads, core.granted] = [core.granted, cleared(effects.reads)];
  [effects.readsDropped, core.dropped] = [core.dropped, cleared(effects.readsDropped)];
  [effects.snapshots, core.wantSnapshots] = [core.wantSnapshots, cleared(effects.snapshots)];
  effects.committed = core.installing ? [] : core.log.give(core.limits.maxApplyBytes);
  effects.removedAt = core.removedAt;
  effects.recoveredAt = core.recoveredAt;
  core.removedAt = null;
  core.recoveredAt = null;
  effects.softState = isSoftStateNew(core) ? tellSoftState(core) : null;
}

function cleared<T>(array: T[]): T[] {
  array.length = 0;
  return array;
}

/**
 * The next durable write: hard state first, then entries (rule D1). Every write of entries carries the commit index
 * too, when it moved: whoever holds a membership entry then also knows, across a crash, that the one before it was
 * committed. Activation at apply (rule M4) is safe only so.
 */
function nextWrite(core: Core): StorageWrite | null {
  const { log } = core;
  const voted = isVoteUnwritten(core);
  const entries = log.accepted < log.last ? log.accept() : NO_ENTRIES;
  const mustSync = voted || entries.length > 0;
  if (!mustSync && !isHintDue(core)) return null;
  const hardState = { term: core.term, vote: core.vote, commit: log.commit };
  const changed = voted || core.written.commit !== log.commit;
  core.written = hardState;
  core.hintChecked = log.commit;
  const token = mustSync
    ? core.writes.begin(log.accepted, log.termAt(log.accepted)!)
    : core.writes.unsynced();
  return { token, hardState: changed ? hardState : null, entries, mustSync };
}

function isVoteUnwritten({ written, term, vote }: Core): boolean {
  return written.term !== term || written.vote !== vote;
}

/** A committed membership entry is worth a hint of its own: after a restart this replica knows its peers sooner. */
function isHintDue(core: Core): boolean {
  const { log } = core;
  const checked = Math.max(core.hintChecked, core.written.commit, log.compacted);
  if (checked >= log.commit) return false;
  if (log.holdsMembership(checked + 1, log.commit)) return true;
  core.hintChecked = log.commit;
  return false;
}

function isSoftStateNew({ told, role, leader, term }: Core): boolean {
  return told.role !== role || told.leader !== leader || told.term !== term;
}

function tellSoftState(core: Core): Effects['softState'] {
  core.told = { role: core.role, leader: core.leader, term: core.term };
  return core.told;
}

/** A write is durable: releases what waited for it, and counts the own log (rules D4, R13). */
export function completeWrite(core: Core, token: number): void {
  const completion = core.writes.complete(token);
  if (completion === null) return;
  core.log.markStable(completion.upTo, completion.term);
  for (const message of completion.messages) release(core, message);
  if (core.role === 'leader') acknowledgeOwn(core);
  checkRecovered(core);
}

function release(core: Core, message: Message): void {
  if (message.to === core.id) step(core, message);
  else core.send(message);
  assert(core.leader === 0 || core.role !== 'candidate', 'a candidate knows no leader');
}
