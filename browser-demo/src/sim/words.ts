/** What messages and entries say, in words. */
import { readFrame } from '../../../src/node/frames.ts';
import { FrameKind, frameKind, framePayload } from '../../../src/transport/frames.ts';
import { ByteReader } from '../../../src/wire/bytes.ts';
import { readBatchHeader, readCommand } from '../../../src/wire/command.ts';
import { type Entry, EntryKind, entryPayload } from '../../../src/wire/entry.ts';
import { type Message, MessageType } from '../../../src/wire/message.ts';
import { OpFlag, readOperation } from '../../../src/wire/operation.ts';
import type { MessageKind } from './protocol.ts';

/** A message in words; `message` is there when it is one of consensus. */
export interface Said {
  readonly kind: MessageKind;
  readonly text: string;
  readonly term: number;
  readonly message: Message | null;
}

const LONGEST = 140;

/** Reads what a node sends to another; null for what only keeps the connection. */
export function said(bytes: Uint8Array): Said | null {
  const kind = frameKind(bytes);
  if (kind > FrameKind.snapshot) return linkWords(kind);
  const frame = readFrame(framePayload(bytes));
  switch (frame.kind) {
    case 'raft':
      return consensusWords(frame.message);
    case 'writes':
      return other('client', `${count(frame.writes.length, 'write')} forwarded to the leader`);
    case 'outcomes':
      return other('client', `${count(frame.outcomes.length, 'answer')} to forwarded writes`);
    case 'request':
      return other('client', `asks: ${frame.request.op}`);
    case 'reply':
      return other('client', frame.error ? `refuses: ${frame.error.message}` : 'agrees');
    case 'snapshotBegin':
      return other('snapshot', 'a snapshot begins');
    case 'snapshotChunk':
      return other('snapshot', `snapshot, ${frame.bytes.length.toLocaleString('en')} bytes`);
    case 'snapshotAck':
      return other('snapshot', frame.next ? 'more of the snapshot, please' : 'snapshot complete');
  }
}

function other(kind: MessageKind, text: string): Said {
  return { kind, text, term: 0, message: null };
}

function linkWords(kind: number): Said | null {
  if (kind < FrameKind.start) return null;
  return other('link', kind === FrameKind.ready ? 'connected' : 'proves that it knows the secret');
}

function consensusWords(message: Message): Said {
  const { kind, text } = wordsOf(message);
  return { kind, text, term: message.term, message };
}

function wordsOf(message: Message): { readonly kind: MessageKind; readonly text: string } {
  const { term, index, reject, entries } = message;
  switch (message.type) {
    case MessageType.preVote:
      return { kind: 'vote', text: `would you vote for me in term ${term}` };
    case MessageType.preVoteReply:
      return { kind: 'vote', text: reject ? 'I would not vote for you' : 'I would vote for you' };
    case MessageType.vote:
      return { kind: 'vote', text: `vote for me in term ${term}; my log ends at ${index}` };
    case MessageType.voteReply:
      return { kind: 'vote', text: reject ? `no vote in term ${term}` : `my vote in term ${term}` };
    case MessageType.append:
      return { kind: 'append', text: appendWords(message) };
    case MessageType.appendReply:
      return {
        kind: 'reply',
        text: reject ? `my log does not match at ${index}` : `I hold everything up to ${index}`,
      };
    case MessageType.heartbeat:
      return { kind: 'heartbeat', text: `I lead term ${term}; committed up to ${message.commit}` };
    case MessageType.heartbeatReply:
      return { kind: 'heartbeat', text: 'you lead' };
    case MessageType.snapshot:
      return { kind: 'snapshot', text: `you need a snapshot; mine is at ${index}` };
    case MessageType.timeoutNow:
      return { kind: 'vote', text: 'stand for election now' };
    case MessageType.readIndex:
      return { kind: 'client', text: 'from which index may I read' };
    case MessageType.readIndexReply:
      return { kind: 'client', text: `you may read from ${index} on` };
    case MessageType.removed:
      return { kind: 'client', text: `you were removed at ${index}` };
    default:
      return { kind: 'append', text: `${count(entries.length, 'entry')}` };
  }
}

function appendWords({ entries, index, commit }: Message): string {
  if (entries.length === 0) return `does your log match at ${index}; committed up to ${commit}`;
  const first = entries[0]!.index;
  const last = entries[entries.length - 1]!.index;
  const which = first === last ? `entry ${first}` : `entries ${first} to ${last}`;
  return `${which}: ${entryWords(entries[0]!)}`;
}

/** What an entry does. */
export function entryWords(entry: Entry): string {
  if (entry.kind === EntryKind.empty) return `term ${entry.term} begins`;
  if (entry.kind === EntryKind.membership) return 'the members change';
  const input = new ByteReader(entryPayload(entry));
  const { count: commands } = readBatchHeader(input);
  const texts: string[] = [];
  for (let i = 0; i < commands && texts.length < 3; i++) {
    texts.push(commandWords(readCommand(input).body));
  }
  const more = commands > texts.length ? ` and ${commands - texts.length} more` : '';
  return cutShort(texts.join('; ') + more);
}

function commandWords(body: Uint8Array): string {
  // Its text is that of the command above it.
  if (body[0] === 1 && (body[1]! & OpFlag.textAbove) !== 0) return 'the same again';
  const operation = readOperation(new ByteReader(body));
  switch (operation.op) {
    case 'execute':
      return operation.sql;
    case 'txn':
      return operation.statements.map(({ sql }) => sql).join('; ');
    case 'batch':
      return operation.sql;
    case 'openSession':
      return 'a node opens its session';
    case 'closeSession':
      return 'a session ends';
    case 'tick':
      return 'time passes';
    case 'settings':
      return 'settings change';
    case 'migrate':
      return 'migrations';
  }
}

/** One line of at most 140 characters. */
export function cutShort(text: string): string {
  const line = text.replace(/\s+/g, ' ').trim();
  return line.length > LONGEST ? `${line.slice(0, LONGEST - 1)}…` : line;
}

function count(number: number, word: string): string {
  if (number === 1) return `1 ${word}`;
  return word.endsWith('y') ? `${number} ${word.slice(0, -1)}ies` : `${number} ${word}s`;
}
