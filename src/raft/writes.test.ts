import { expect, test } from 'vitest';
import { MessageType } from '../wire/message.ts';
import { draft } from './draft.ts';
import { WriteQueue } from './writes.ts';

function ack(index: number, session = 1): ReturnType<typeof draft> {
  const message = draft(MessageType.appendReply, 1, 2, 3);
  message.index = index;
  message.session = session;
  return message;
}

test('D10: completions out of order count only when all before them are complete', () => {
  const writes = new WriteQueue();
  writes.hold(ack(5));
  const first = writes.begin(5, 1);
  writes.hold(ack(7));
  const second = writes.begin(7, 1);
  expect(writes.complete(second)).toBeNull();
  const done = writes.complete(first);
  expect(done?.upTo).toBe(7);
  expect(done?.messages.map((message) => message.index)).toEqual([5, 7]);
});

test('D11: a completion does not vouch for what a later write replaces', () => {
  const writes = new WriteQueue();
  const old = writes.begin(9, 1);
  writes.clip(4, 1);
  const newer = writes.begin(6, 2);
  writes.clip(5, 2);
  const newest = writes.begin(9, 1);
  expect(writes.complete(old)?.upTo).toBe(4);
  expect(writes.complete(newer)?.upTo).toBe(5);
  expect(writes.complete(newest)?.upTo).toBe(9);
});

test('D2: without a write of its own a message waits for the newest one under way', () => {
  const writes = new WriteQueue();
  const token = writes.begin(1, 1);
  writes.hold(ack(1));
  expect(writes.settle()).toEqual([]);
  expect(writes.complete(token)?.messages.length).toBe(1);
  writes.hold(ack(1));
  expect(writes.settle().length).toBe(1);
});

test('acknowledgements of one session merge into the last; others and refusals do not', () => {
  const writes = new WriteQueue();
  writes.hold(ack(1));
  writes.hold(ack(2));
  writes.hold(ack(3, 2));
  const refusal = ack(3, 2);
  refusal.reject = true;
  writes.hold(refusal);
  const sent = writes.settle().map((message) => [message.index, message.session, message.reject]);
  expect(sent).toEqual([
    [2, 1, false],
    [3, 2, false],
    [3, 2, true],
  ]);
});

test('a completion of a write that never began is a broken invariant', () => {
  const writes = new WriteQueue();
  expect(() => writes.complete(1)).toThrow('never begun');
  expect(writes.complete(writes.unsynced())).toBeNull();
});
