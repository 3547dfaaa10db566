/**
 * What nodes say to each other above the transport: consensus messages, forwarded writes and requests, founding and
 * joining, snapshot chunks. One byte of kind, then the body.
 */
import { ByteReader, ByteWriter } from '../wire/bytes.ts';
import type { LogIndex, ReplicaId } from '../wire/entry.ts';
import { type Outcome, QuorliteError } from '../wire/error.ts';
import type { MemberInfo } from '../wire/membership.ts';
import { type Message, readMessage, writeMessage } from '../wire/message.ts';
import { type CommandOutcome, readOutcome, writeOutcome } from '../wire/result.ts';

const Kind = {
  raft: 1,
  writes: 2,
  outcomes: 3,
  request: 4,
  reply: 5,
  snapshotBegin: 6,
  snapshotChunk: 7,
  snapshotAck: 8,
} as const;

/** Bytes of results beyond which the next frame begins. */
const OUTCOMES_BYTES = 1024 * 1024;

/** Requests between nodes that are rare enough for JSON. */
export type PeerRequest =
  | { readonly op: 'promise'; readonly cluster: number; readonly founder: ReplicaId }
  | { readonly op: 'join'; readonly member: MemberInfo; readonly voter: boolean }
  | { readonly op: 'admin'; readonly request: unknown; readonly timeoutMs: number };

/** What went wrong with a request. */
export interface PeerError {
  readonly code: string;
  readonly message: string;
  readonly outcome: Outcome;
}

/** A decoded frame. */
export type NodeFrame =
  | {
      readonly kind: 'raft';
      readonly cluster: number;
      /** The sender's monotonic clock when it sent this. */
      readonly sentAt: number;
      /** The receiver's own `sentAt` that the sender saw last, 0 when none. */
      readonly echo: number;
      /** The sender's commit index, whatever the message itself carries. */
      readonly commit: LogIndex;
      /** How long ago a quorum confirmed the sender as leader, milliseconds; −1 when it does not lead or does not know. */
      readonly leaderLag: number;
      readonly message: Message;
    }
  | { readonly kind: 'writes'; readonly writes: { id: number; command: Uint8Array }[] }
  | { readonly kind: 'outcomes'; readonly outcomes: { id: number; outcome: CommandOutcome }[] }
  | { readonly kind: 'request'; readonly id: number; readonly request: PeerRequest }
  | {
      readonly kind: 'reply';
      readonly id: number;
      readonly error: PeerError | null;
      readonly result: unknown;
    }
  | {
      readonly kind: 'snapshotBegin';
      readonly cluster: number;
      readonly transfer: number;
      readonly manifest: Uint8Array;
    }
  | {
      readonly kind: 'snapshotChunk';
      readonly transfer: number;
      readonly file: number;
      readonly offset: number;
      readonly bytes: Uint8Array;
    }
  | {
      readonly kind: 'snapshotAck';
      readonly transfer: number;
      /** Where the next chunk must start; null when all is installed. */
      readonly next: { readonly file: number; readonly offset: number } | null;
      /** Why the transfer ended without success, '' when it goes on. */
      readonly failed: string;
    };

/** What a consensus frame says beside its message. */
export interface RaftEnvelope {
  readonly cluster: number;
  readonly sentAt: number;
  readonly echo: number;
  readonly commit: LogIndex;
  readonly leaderLag: number;
}

/** Where headers of consensus messages are put together: the transport copies its parts before it returns. */
const header = new ByteWriter(128);

/**
 * A consensus message as parts: a header of its own, then the entries' records without copying them. The header is valid
 * until the next call.
 */
export function raftFrame(envelope: RaftEnvelope, message: Message): Uint8Array[] {
  const out = header;
  out.length = 0;
  out.u8(Kind.raft);
  out.uint(envelope.cluster);
  out.f64(envelope.sentAt);
  out.f64(envelope.echo);
  out.uint(envelope.commit);
  out.f64(envelope.leaderLag);
  writeMessage(out, message, { withEntries: false });
  const parts = [out.view()];
  for (const entry of message.entries) parts.push(entry.bytes);
  return parts;
}

/** Commands for the leader, each with the asker's request id. */
export function writesFrame(writes: readonly { id: number; command: Uint8Array }[]): Uint8Array {
  const out = new ByteWriter(1024);
  out.u8(Kind.writes);
  out.uint(writes.length);
  for (const { id, command } of writes) {
    out.uint(id);
    out.blob(command);
  }
  return out.view();
}

/** What became of forwarded commands, in as many frames as their results need. */
export function outcomesFrames(
  outcomes: readonly { id: number; outcome: CommandOutcome }[],
): Uint8Array[] {
  const frames: Uint8Array[] = [];
  let body = new ByteWriter(1024);
  let count = 0;
  for (const { id, outcome } of outcomes) {
    body.uint(id);
    writeOutcome(body, outcome);
    count++;
    if (body.length < OUTCOMES_BYTES) continue;
    frames.push(outcomesFrame(count, body));
    body = new ByteWriter(1024);
    count = 0;
  }
  if (count > 0) frames.push(outcomesFrame(count, body));
  return frames;
}

function outcomesFrame(count: number, body: ByteWriter): Uint8Array {
  const out = new ByteWriter(body.length + 16);
  out.u8(Kind.outcomes);
  out.uint(count);
  out.raw(body.view());
  return out.view();
}

/** A request to another node, answered by `replyFrame` with the same id. */
export function requestFrame(id: number, request: PeerRequest): Uint8Array {
  const out = new ByteWriter();
  out.u8(Kind.request);
  out.uint(id);
  out.text(JSON.stringify(request));
  return out.view();
}

/** The answer to a request: an error, or a result as JSON. */
export function replyFrame(id: number, error: QuorliteError | null, result: unknown): Uint8Array {
  const out = new ByteWriter();
  out.u8(Kind.reply);
  out.uint(id);
  const failure: PeerError | null = error && {
    code: error.code,
    message: error.message,
    outcome: error.outcome,
  };
  out.text(JSON.stringify({ error: failure, result: result ?? null }));
  return out.view();
}

/** Begins, or begins again, a transfer; the receiver answers where it stands. */
export function snapshotBeginFrame(
  cluster: number,
  transfer: number,
  manifest: Uint8Array,
): Uint8Array {
  const out = new ByteWriter(manifest.length + 32);
  out.u8(Kind.snapshotBegin);
  out.uint(cluster);
  out.uint(transfer);
  out.blob(manifest);
  return out.view();
}

/** One chunk of one file, as parts that are joined on the wire. */
export function snapshotChunkFrame(
  transfer: number,
  file: number,
  offset: number,
  bytes: Uint8Array,
): Uint8Array[] {
  const out = new ByteWriter(32);
  out.u8(Kind.snapshotChunk);
  out.uint(transfer);
  out.uint(file);
  out.uint(offset);
  return [out.view(), bytes];
}

/** Where the next chunk must start, null when all is installed, or why the transfer failed. */
export function snapshotAckFrame(
  transfer: number,
  next: { file: number; offset: number } | null,
  failed: string,
): Uint8Array {
  const out = new ByteWriter();
  out.u8(Kind.snapshotAck);
  out.uint(transfer);
  out.u8(next ? 1 : 0);
  out.uint(next?.file ?? 0);
  out.uint(next?.offset ?? 0);
  out.text(failed);
  return out.view();
}

/** Reads a frame; its byte fields are views. Throws `BAD_REQUEST` or `CORRUPT` when malformed. */
export function readFrame(bytes: Uint8Array): NodeFrame {
  const input = new ByteReader(bytes);
  const kind = input.u8();
  switch (kind) {
    case Kind.raft: {
      const cluster = input.uint();
      const sentAt = input.f64();
      const echo = input.f64();
      const commit = input.uint();
      const leaderLag = input.f64();
      return {
        kind: 'raft',
        cluster,
        sentAt,
        echo,
        commit,
        leaderLag,
        message: readMessage(input),
      };
    }
    case Kind.writes:
      return {
        kind: 'writes',
        writes: readMany(input, () => ({ id: input.uint(), command: input.blob() })),
      };
    case Kind.outcomes:
      return {
        kind: 'outcomes',
        outcomes: readMany(input, () => ({ id: input.uint(), outcome: readOutcome(input) })),
      };
    case Kind.request:
      return { kind: 'request', id: input.uint(), request: JSON.parse(input.text()) };
    case Kind.reply:
      return { kind: 'reply', id: input.uint(), ...JSON.parse(input.text()) };
    case Kind.snapshotBegin:
      return {
        kind: 'snapshotBegin',
        cluster: input.uint(),
        transfer: input.uint(),
        manifest: input.blob(),
      };
    case Kind.snapshotChunk: {
      const transfer = input.uint();
      const file = input.uint();
      const offset = input.uint();
      return { kind: 'snapshotChunk', transfer, file, offset, bytes: input.raw(input.remaining) };
    }
    case Kind.snapshotAck: {
      const transfer = input.uint();
      const more = input.u8() === 1;
      const next = { file: input.uint(), offset: input.uint() };
      return { kind: 'snapshotAck', transfer, next: more ? next : null, failed: input.text() };
    }
    default:
      throw new QuorliteError('BAD_REQUEST', `malformed bytes: node frame ${kind}`);
  }
}

function readMany<T>(input: ByteReader, read: () => T): T[] {
  const count = input.uint();
  if (count > input.remaining) throw new QuorliteError('BAD_REQUEST', 'malformed bytes: count');
  return Array.from({ length: count }, read);
}
