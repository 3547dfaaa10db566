/** Linearizable reads by read index (rules L1 to L5, L7, L8). */
import type { LogIndex } from '../wire/entry.ts';
import { type Message, MessageType } from '../wire/message.ts';
import type { Core } from './core.ts';
import { quorumValue } from './quorum.ts';
import type { Asker } from './read-queue.ts';

/** Asks for a read point, here or at the leader; refused at once when nobody can answer. */
export function readIndex(core: Core, context: number): void {
  if (core.role === 'leader') {
    ask(core, { replica: core.id, context });
  } else if (core.leader === 0 || core.forwarded.size >= core.limits.maxPendingReads) {
    core.dropped.push(context);
  } else {
    core.forwarded.add(context);
  }
}

/** Whether this leader committed an entry of its own term, so that its commit index is not behind (rule L1). */
export function isReady(core: Core): boolean {
  return core.role === 'leader' && core.log.termAt(core.log.commit) === core.term;
}

function ask(core: Core, asker: Asker): void {
  const { reads, limits } = core;
  if (core.transfer !== null || reads.size >= limits.maxPendingReads) refuse(core, asker);
  else if (isReady(core)) reads.add(asker, core.log.commit);
  else reads.delay(asker);
}

/** A quorum may have answered another round of heartbeats: grants what that confirms (rules L2, L4). */
export function confirmReads(core: Core): void {
  const { reads } = core;
  if (reads.size === 0) return;
  const round = quorumValue(core.membership, (replica) => {
    if (replica === core.id) return reads.round;
    const progress = core.progress.get(replica);
    return progress === undefined || progress.recovering ? 0 : progress.readAcked;
  });
  for (const read of reads.confirm(round)) grant(core, read.asker, read.index);
}

function grant(core: Core, asker: Asker, index: LogIndex): void {
  if (asker.replica === core.id) core.granted.push({ context: asker.context, index });
  else core.send(readReply(core, asker, index, false));
}

function refuse(core: Core, asker: Asker): void {
  if (asker.replica === core.id) core.dropped.push(asker.context);
  else core.send(readReply(core, asker, 0, true));
}

function readReply(core: Core, asker: Asker, index: LogIndex, reject: boolean): Message {
  const reply = core.draft(MessageType.readIndexReply, asker.replica);
  reply.index = index;
  reply.reject = reject;
  reply.read = asker.context;
  return reply;
}

/** A follower asks; whoever does not lead refuses, so that the asker can try again soon. */
export function handleReadIndex(core: Core, message: Message): void {
  const asker = { replica: message.from, context: message.read };
  if (core.role === 'leader') ask(core, asker);
  else refuse(core, asker);
}

/** The leader's answer to a question of this boot and term. */
export function handleReadIndexReply(core: Core, reply: Message): void {
  if (core.role === 'leader' || reply.from !== core.leader) return;
  for (const context of core.forwarded.answer(reply.read)) {
    if (reply.reject) core.dropped.push(context);
    else core.granted.push({ context, index: reply.index });
  }
}

/** Sends the question for all contexts that arrived since the last one. */
export function flushForwardedReads(core: Core): void {
  if (!core.forwarded.due) return;
  const question = core.draft(MessageType.readIndex, core.leader);
  question.read = core.forwarded.ask();
  core.send(question);
}

/** One tick: questions older than an election timeout were lost. */
export function expireForwardedReads(core: Core): void {
  if (core.forwarded.size === 0) return;
  for (const context of core.forwarded.tick(core.limits.electionTicks)) core.dropped.push(context);
}

/** Leader or term changed: no answer can come any more. */
export function dropForwardedReads(core: Core): void {
  for (const context of core.forwarded.drain()) core.dropped.push(context);
}

/** Leadership ended: everybody who waits is told. */
export function dropLeaderReads(core: Core): void {
  for (const asker of core.reads.drain()) refuse(core, asker);
}
