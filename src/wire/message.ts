/** Consensus messages: what replicas of one group say to each other, and their bytes. */
import type { ByteReader, ByteWriter } from './bytes.ts';
import { type Entry, type LogIndex, type ReplicaId, readEntry, type Term } from './entry.ts';
import { QuorliteError } from './error.ts';

/** Kinds of message. Numbers are part of the wire format: append only. */
export const MessageType = {
  preVote: 1,
  preVoteReply: 2,
  vote: 3,
  voteReply: 4,
  append: 5,
  appendReply: 6,
  heartbeat: 7,
  heartbeatReply: 8,
  /** The leader has a snapshot for a follower whose next entry is compacted away; the bytes travel on their own lane. */
  snapshot: 9,
  timeoutNow: 10,
  /** A follower asks the leader for a read index. */
  readIndex: 11,
  readIndexReply: 12,
  /** The receiver was removed from the cluster at `index` (rule M9). */
  removed: 13,
} as const;
export type MessageType = (typeof MessageType)[keyof typeof MessageType];

/**
 * One message. A single shape for all kinds keeps the core monomorphic; unused fields are 0, false or empty.
 */
export interface Message {
  readonly type: MessageType;
  readonly from: ReplicaId;
  readonly to: ReplicaId;
  /** The sender's term; for preVote the term it would campaign in. */
  readonly term: Term;
  /** append: index before the first entry. appendReply: last index matched, or the rejected one. vote: last index. snapshot: its index. */
  readonly index: LogIndex;
  /** Term of the entry at `index`. */
  readonly logTerm: Term;
  /**
   * The sender's commit index; in heartbeats min(match, commit) (rule R2). Votes and their replies name its term in
   * `hintTerm`, so that whoever holds that entry learns that it is committed.
   */
  readonly commit: LogIndex;
  readonly reject: boolean;
  /** A campaign or request that leadership transfer asked for: overrides the lease (rule P3). */
  readonly force: boolean;
  /**
   * Rejected append: the follower's own (index, term) with index <= probe and term <= probe term (rule R5).
   * While a replica recovers: its replies carry the nonce of its boot in `hintTerm` (accepting replies) and heartbeats
   * answer with the same nonce and, in `hintIndex`, the entry that ends the recovery once it is durable there; 0 before
   * that entry is known.
   */
  readonly hintIndex: LogIndex;
  readonly hintTerm: Term;
  /** Replies: the sender recovers from a lost boot, so its acknowledgement does not count (architecture 4). */
  readonly recovering: boolean;
  /** Read sequence: heartbeats carry the highest one asked, replies echo it (rule L2). readIndex: the asker's own sequence. */
  readonly read: number;
  /**
   * Replication session that an append, a heartbeat and their replies belong to (rule R8). A heartbeat of session 0
   * only tells a commit index: nobody waits for its reply, so there is none.
   */
  readonly session: number;
  readonly entries: readonly Entry[];
}

const FLAG_REJECT = 1;
const FLAG_FORCE = 2;
const FLAG_RECOVERING = 4;

/** Appends the bytes of `message` to `out`; its entries, which come last, may be left to the caller. */
export function writeMessage(
  out: ByteWriter,
  message: Message,
  { withEntries = true }: { readonly withEntries?: boolean } = {},
): void {
  out.u8(message.type);
  out.u8(
    (message.reject ? FLAG_REJECT : 0) |
      (message.force ? FLAG_FORCE : 0) |
      (message.recovering ? FLAG_RECOVERING : 0),
  );
  out.uint(message.from);
  out.uint(message.to);
  out.uint(message.term);
  out.uint(message.index);
  out.uint(message.logTerm);
  out.uint(message.commit);
  out.uint(message.hintIndex);
  out.uint(message.hintTerm);
  out.uint(message.read);
  out.uint(message.session);
  out.uint(message.entries.length);
  if (withEntries) for (const entry of message.entries) out.raw(entry.bytes);
}

/** Reads one message up to the end of `input`; its entries are views of the input, their checksums verified. */
export function readMessage(input: ByteReader): Message {
  const type = input.u8();
  if (type < MessageType.preVote || type > MessageType.removed) {
    throw new QuorliteError('BAD_REQUEST', `malformed bytes: message type ${type}`);
  }
  const flags = input.u8();
  const from = input.uint();
  const to = input.uint();
  const term = input.uint();
  const index = input.uint();
  const logTerm = input.uint();
  const commit = input.uint();
  const hintIndex = input.uint();
  const hintTerm = input.uint();
  const read = input.uint();
  const session = input.uint();
  const count = input.uint();
  const entries: Entry[] = [];
  for (let i = 0; i < count; i++) {
    const entry = readEntry(input.bytes.subarray(0, input.end), input.at);
    input.raw(entry.bytes.length);
    entries.push(entry);
  }
  return {
    type: type as MessageType,
    from,
    to,
    term,
    index,
    logTerm,
    commit,
    reject: (flags & FLAG_REJECT) !== 0,
    force: (flags & FLAG_FORCE) !== 0,
    hintIndex,
    hintTerm,
    recovering: (flags & FLAG_RECOVERING) !== 0,
    read,
    session,
    entries,
  };
}
