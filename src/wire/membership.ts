/**
 * Membership as it stands in the log: who votes, who learns, and under which number and address each replica is known.
 * The raft core decides who counts; numbers and addresses are data that it carries along (rule M12).
 */
import { ByteReader, ByteWriter } from './bytes.ts';
import type { ReplicaId } from './entry.ts';
import { QuorliteError } from './error.ts';

/** How operators know a replica. */
export interface MemberInfo {
  readonly replica: ReplicaId;
  /** The number in `nodes`. */
  readonly node: number;
  /** The advertised URL, or '' when it cannot be dialled. */
  readonly url: string;
}

/** A configuration; joint while `outgoing` is not empty (Raft dissertation, section 4.3). */
export interface Membership {
  /** Voters of the incoming (or only) half. */
  readonly voters: readonly ReplicaId[];
  /** Voters of the outgoing half while joint, else empty. */
  readonly outgoing: readonly ReplicaId[];
  readonly learners: readonly ReplicaId[];
  /** Voters of the outgoing half that become learners when the joint state is left (rule M5). */
  readonly learnersNext: readonly ReplicaId[];
  /** Addresses of everybody named above. */
  readonly members: readonly MemberInfo[];
}

/** One step of a change. */
export type MemberChange =
  | { readonly type: 'voter'; readonly member: MemberInfo }
  | { readonly type: 'learner'; readonly member: MemberInfo }
  | { readonly type: 'remove'; readonly replica: ReplicaId };

/**
 * What a membership entry holds: `found` sets the first membership of a cluster (only at index 1); `change` enters a
 * joint configuration (or applies directly when no voter changes); `leave` leaves the joint one.
 */
export type MembershipEntry =
  | { readonly type: 'found'; readonly members: readonly MemberInfo[] }
  | { readonly type: 'change'; readonly changes: readonly MemberChange[] }
  | { readonly type: 'leave' };

/** Nobody: the membership of a pristine node. */
export const EMPTY_MEMBERSHIP: Membership = {
  voters: [],
  outgoing: [],
  learners: [],
  learnersNext: [],
  members: [],
};

/** A cluster of one. */
export function soleVoter(member: MemberInfo): Membership {
  return { ...EMPTY_MEMBERSHIP, voters: [member.replica], members: [member] };
}

function writeMember(out: ByteWriter, member: MemberInfo): void {
  out.uint(member.replica);
  out.uint(member.node);
  out.text(member.url);
}

function readMember(input: ByteReader): MemberInfo {
  return { replica: input.uint(), node: input.uint(), url: input.text() };
}

function writeIds(out: ByteWriter, ids: readonly ReplicaId[]): void {
  out.uint(ids.length);
  for (const id of ids) out.uint(id);
}

function readList<T>(input: ByteReader, read: (input: ByteReader) => T): T[] {
  const count = input.uint();
  if (count > input.remaining) throw new QuorliteError('BAD_REQUEST', 'malformed bytes: list');
  return Array.from({ length: count }, () => read(input));
}

/** Bytes of a whole membership, as checkpoints and snapshots carry it. */
export function encodeMembership(membership: Membership): Uint8Array {
  const out = new ByteWriter();
  writeIds(out, membership.voters);
  writeIds(out, membership.outgoing);
  writeIds(out, membership.learners);
  writeIds(out, membership.learnersNext);
  out.uint(membership.members.length);
  for (const member of membership.members) writeMember(out, member);
  return out.take();
}

/** The opposite of `encodeMembership`. */
export function decodeMembership(bytes: Uint8Array): Membership {
  const input = new ByteReader(bytes);
  const id = (from: ByteReader): number => from.uint();
  const membership: Membership = {
    voters: readList(input, id),
    outgoing: readList(input, id),
    learners: readList(input, id),
    learnersNext: readList(input, id),
    members: readList(input, readMember),
  };
  input.finish();
  return membership;
}

const ENTRY_TYPES = ['found', 'change', 'leave'] as const;
const CHANGE_TYPES = ['voter', 'learner', 'remove'] as const;

/** Payload of a membership entry. */
export function encodeMembershipEntry(entry: MembershipEntry): Uint8Array {
  const out = new ByteWriter();
  out.u8(ENTRY_TYPES.indexOf(entry.type));
  if (entry.type === 'found') {
    out.uint(entry.members.length);
    for (const member of entry.members) writeMember(out, member);
  } else if (entry.type === 'change') {
    out.uint(entry.changes.length);
    for (const change of entry.changes) {
      out.u8(CHANGE_TYPES.indexOf(change.type));
      if (change.type === 'remove') out.uint(change.replica);
      else writeMember(out, change.member);
    }
  }
  return out.take();
}

/** The opposite of `encodeMembershipEntry`. */
export function decodeMembershipEntry(payload: Uint8Array): MembershipEntry {
  const input = new ByteReader(payload);
  const type = ENTRY_TYPES[input.u8()];
  let entry: MembershipEntry;
  if (type === 'found') entry = { type, members: readList(input, readMember) };
  else if (type === 'change') entry = { type, changes: readList(input, readChange) };
  else if (type === 'leave') entry = { type };
  else throw new QuorliteError('BAD_REQUEST', 'malformed bytes: membership entry');
  input.finish();
  return entry;
}

function readChange(input: ByteReader): MemberChange {
  const type = CHANGE_TYPES[input.u8()];
  if (type === 'remove') return { type, replica: input.uint() };
  if (type === 'voter' || type === 'learner') return { type, member: readMember(input) };
  throw new QuorliteError('BAD_REQUEST', 'malformed bytes: member change');
}
