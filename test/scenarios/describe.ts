/** Short texts for what a core says and holds. */
import type { ProgressView, Raft, StorageWrite } from '../../src/raft/contract.ts';
import type { Entry, LogIndex } from '../../src/wire/entry.ts';
import { EntryKind, entryPayload } from '../../src/wire/entry.ts';
import { decodeMembershipEntry, type Membership } from '../../src/wire/membership.ts';
import { type Message, MessageType } from '../../src/wire/message.ts';

const NAMES = Object.entries(MessageType);

/** `append`, `voteReply`, … */
export function typeName(message: Message): string {
  return NAMES.find(([, number]) => number === message.type)![0];
}

/** `1>2 append t2 prev=1/1 [2/2] commit=1`; terms behind slashes, fields that are 0 left out. */
export function describeMessage(message: Message): string {
  const { from, to, term, force, recovering } = message;
  const parts = [`${from}>${to}`, typeName(message), `t${term}`, ...details(message)];
  if (force) parts.push('force');
  if (recovering) parts.push('recovering');
  return parts.join(' ');
}

function details(message: Message): string[] {
  const { index, logTerm, commit, reject, hintIndex, hintTerm, read, entries } = message;
  switch (message.type) {
    case MessageType.preVote:
    case MessageType.vote:
      return [`last=${index}/${logTerm}`, `commit=${commit}`];
    case MessageType.preVoteReply:
    case MessageType.voteReply:
      return [reject ? 'no' : 'yes'];
    case MessageType.append:
      return [`prev=${index}/${logTerm}`, positions(entries), `commit=${commit}`];
    case MessageType.appendReply:
      return reject ? [`no=${index}`, `hint=${hintIndex}/${hintTerm}`] : [`ok=${index}`];
    case MessageType.heartbeat:
      return [
        `commit=${commit}`,
        ...(read > 0 ? [`read=${read}`] : []),
        ...(message.session === 0 ? ['notice'] : []),
        ...(hintIndex > 0 ? [`recovers-at=${hintIndex}`] : []),
      ];
    case MessageType.heartbeatReply:
      return read > 0 ? [`read=${read}`] : [];
    case MessageType.readIndexReply:
      return [reject ? 'no' : `index=${index}`];
    case MessageType.removed:
      return [`index=${index}`];
    default:
      return [];
  }
}

/** `[2/2 3/2]`, many in a row as `[2..9/2]`. */
export function positions(entries: readonly Entry[]): string {
  const runs: string[] = [];
  for (let at = 0; at < entries.length; ) {
    const first = entries[at]!;
    let end = at;
    while (entries[end + 1]?.term === first.term) end++;
    const last = entries[end]!;
    runs.push(
      last === first
        ? `${first.index}/${first.term}`
        : `${first.index}..${last.index}/${first.term}`,
    );
    at = end + 1;
  }
  return `[${runs.join(' ')}]`;
}

/** `write term=2 vote=1 commit=1 [2/2]`. */
export function describeWrite({ hardState, entries, mustSync }: StorageWrite): string {
  const parts = ['write'];
  if (hardState !== null) {
    parts.push(`term=${hardState.term}`, `vote=${hardState.vote}`, `commit=${hardState.commit}`);
  }
  if (entries.length > 0) parts.push(positions(entries));
  if (!mustSync) parts.push('unsynced');
  return parts.join(' ');
}

/** `voters 1 2 3`, `voters 1 2 & 1 2 3 learners 4 next 3`. */
export function describeMembership(membership: Membership): string {
  const { voters, outgoing, learners, learnersNext } = membership;
  if (voters.length === 0) return 'pristine';
  let text = `voters ${voters.join(' ')}`;
  if (outgoing.length > 0) text += ` & ${outgoing.join(' ')}`;
  if (learners.length > 0) text += ` learners ${learners.join(' ')}`;
  if (learnersNext.length > 0) text += ` next ${learnersNext.join(' ')}`;
  return text;
}

/** `3/2 "text"`. */
export function describeEntry(entry: Entry): string {
  const { index, term, kind } = entry;
  if (kind === EntryKind.empty) return `${index}/${term} empty`;
  if (kind === EntryKind.commands) {
    return `${index}/${term} "${new TextDecoder().decode(entryPayload(entry))}"`;
  }
  const change = decodeMembershipEntry(entryPayload(entry));
  if (change.type !== 'change') return `${index}/${term} ${change.type}`;
  const steps = change.changes.map((step) =>
    step.type === 'remove' ? `remove:${step.replica}` : `${step.type}:${step.member.replica}`,
  );
  return `${index}/${term} change ${steps.join(' ')}`;
}

/** One line of state. */
export function describeStatus(raft: Raft, applied: LogIndex): string {
  const { id, role, term, leader, commit, lastIndex, firstIndex, membership } = raft;
  const first = firstIndex > 1 ? ` first=${firstIndex}` : '';
  const log = `last=${lastIndex}/${raft.termAt(lastIndex)}${first} commit=${commit} applied=${applied}`;
  return `${id} ${role} t${term} leader=${leader} ${log} ${describeMembership(membership)}`;
}

/** One line per follower. */
export function describeProgress(view: ProgressView): string {
  const { replica, state, match, next, active, learner, recovering } = view;
  const roles = `${learner ? ' learner' : ''}${recovering ? ' recovering' : ''}`;
  const flags = `${active ? '' : ' inactive'}${roles}`;
  return `${replica} ${state} match=${match} next=${next}${flags}`;
}
