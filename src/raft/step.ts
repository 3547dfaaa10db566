/** The way of a message into the core: first its term, then its kind (rules P1, P3, P4, P5, M9). */
import { unreachable } from '../wire/assert.ts';
import { type Message, MessageType } from '../wire/message.ts';
import type { Core } from './core.ts';
import {
  handleVoteReply,
  handleVoteRequest,
  inLease,
  learnCommit,
  tellCommit,
} from './election.ts';
import { handleAppend, handleHeartbeat, hearLeader } from './follower.ts';
import { handleReadIndex, handleReadIndexReply } from './reads.ts';
import { sendRemoved } from './reconfigure.ts';
import { handleAppendReply, handleHeartbeatReply } from './replication.ts';
import { becomeFollower } from './roles.ts';
import { handleTimeoutNow } from './transfer.ts';

/** Takes in one message. Messages for somebody else are ignored. */
export function step(core: Core, message: Message): void {
  if (message.to !== core.id) return;
  if (message.type === MessageType.removed) handleRemoved(core, message);
  else if (!isFromRemoved(core, message)) takeTerm(core, message);
}

/** Whether the sender still campaigns or asks although it was removed; it is told so (rule M9). */
function isFromRemoved(core: Core, message: Message): boolean {
  if (core.removed.size === 0) return false;
  const index = core.removed.get(message.from);
  if (index === undefined || !isRequest(message)) return false;
  sendRemoved(core, message.from, index);
  return true;
}

function isRequest({ type }: Message): boolean {
  return (
    type === MessageType.preVote || type === MessageType.vote || type === MessageType.readIndex
  );
}

function takeTerm(core: Core, message: Message): void {
  if (message.term < core.term) {
    answerOldTerm(core, message);
    return;
  }
  if (message.term > core.term && !admitNewTerm(core, message)) return;
  dispatch(core, message);
}

/** A higher term was seen. Returns whether the message is to be looked at further. */
function admitNewTerm(core: Core, message: Message): boolean {
  const { type } = message;
  const asksVote = type === MessageType.preVote || type === MessageType.vote;
  // While the leader is heard nobody may disturb, unless the leader itself wants to hand over (rule P3).
  if (asksVote && !message.force && inLease(core, message.from)) return false;
  // A pre-vote and its grant name a term that nobody has entered yet (rule P1).
  if (type === MessageType.preVote) return true;
  if (type === MessageType.preVoteReply && !message.reject) return true;
  // Seeing a term is not voting in it (rule E4); the leader is set by the message itself, if it leads.
  becomeFollower(core, message.term, 0);
  return true;
}

/** Leaders and candidates of old terms must learn that they are (rules P4, P5); the rest is noise. */
function answerOldTerm(core: Core, message: Message): void {
  switch (message.type) {
    case MessageType.append:
    case MessageType.heartbeat:
    case MessageType.snapshot: {
      const reply = core.draft(MessageType.appendReply, message.from);
      reply.reject = true;
      core.send(reply);
      return;
    }
    case MessageType.preVote:
    case MessageType.vote: {
      const pre = message.type === MessageType.preVote;
      const type = pre ? MessageType.preVoteReply : MessageType.voteReply;
      const reply = core.draft(type, message.from);
      reply.reject = true;
      tellCommit(core, reply);
      core.send(reply);
      return;
    }
    case MessageType.preVoteReply:
    case MessageType.voteReply:
      // A refusal of a replica behind our term: as a vote it is void, but what is committed stays so.
      learnCommit(core, message);
      return;
  }
}

function dispatch(core: Core, message: Message): void {
  switch (message.type) {
    case MessageType.preVote:
    case MessageType.vote:
      handleVoteRequest(core, message);
      break;
    case MessageType.preVoteReply:
    case MessageType.voteReply:
      handleVoteReply(core, message);
      break;
    case MessageType.append:
      handleAppend(core, message);
      break;
    case MessageType.appendReply:
      handleAppendReply(core, message);
      break;
    case MessageType.heartbeat:
      handleHeartbeat(core, message);
      break;
    case MessageType.heartbeatReply:
      handleHeartbeatReply(core, message);
      break;
    case MessageType.snapshot:
      hearLeader(core, message);
      break;
    case MessageType.timeoutNow:
      handleTimeoutNow(core, message);
      break;
    case MessageType.readIndex:
      handleReadIndex(core, message);
      break;
    case MessageType.readIndexReply:
      handleReadIndexReply(core, message);
      break;
    case MessageType.removed:
      handleRemoved(core, message);
      break;
    default:
      unreachable(message.type);
  }
}

/** Somebody who applied more than we did says that we are out. A later entry may have taken us in again. */
function handleRemoved(core: Core, message: Message): void {
  if (message.index > core.log.applied) core.removedAt = message.index;
}
