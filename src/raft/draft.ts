/** Building messages: every message has every field, in one order, so that engines see one shape. */
import type { Entry, ReplicaId, Term } from '../wire/entry.ts';
import type { Message, MessageType } from '../wire/message.ts';

/** A message being filled in; never changed once it is sent. */
export type Draft = { -readonly [Field in keyof Message]: Message[Field] };

const NO_ENTRIES: readonly Entry[] = [];

/** A message with nothing in it yet but its envelope. */
export function draft(type: MessageType, from: ReplicaId, to: ReplicaId, term: Term): Draft {
  return {
    type,
    from,
    to,
    term,
    index: 0,
    logTerm: 0,
    commit: 0,
    reject: false,
    force: false,
    hintIndex: 0,
    hintTerm: 0,
    recovering: false,
    read: 0,
    session: 0,
    entries: NO_ENTRIES,
  };
}
