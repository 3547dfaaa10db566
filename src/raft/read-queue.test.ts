import { expect, test } from 'vitest';
import { ForwardedReads } from './forwarded-reads.ts';
import { ReadQueue } from './read-queue.ts';

const own = (context: number) => ({ replica: 1, context });

test('L2: a round confirms reads that came before it was sent, and none that came after', () => {
  const reads = new ReadQueue();
  reads.add(own(1), 10);
  expect(reads.startRound()).toBe(true);
  reads.add(own(2), 11);
  expect(reads.confirm(reads.round).map((read) => read.asker.context)).toEqual([1]);
  expect(reads.startRound()).toBe(true);
  expect(reads.confirm(reads.round).map((read) => read.index)).toEqual([11]);
  expect(reads.startRound()).toBe(false);
});

test('L2: equal contexts are different reads', () => {
  const reads = new ReadQueue();
  reads.add(own(7), 1);
  reads.startRound();
  reads.add(own(7), 2);
  expect(reads.confirm(1).map((read) => read.index)).toEqual([1]);
});

test('L1: early reads start when the leader is ready; all are told when it ends', () => {
  const reads = new ReadQueue();
  reads.delay(own(1));
  expect(reads.startRound()).toBe(false);
  reads.ready(5);
  reads.delay(own(2));
  expect(reads.drain().map((asker) => asker.context)).toEqual([1, 2]);
  expect(reads.size).toBe(0);
});

test('L7: contexts asked together share a question; another boot answers nothing', () => {
  const reads = new ForwardedReads(1000);
  reads.add(1);
  reads.add(2);
  const sequence = reads.ask();
  reads.add(3);
  expect(reads.answer(sequence - 1000)).toEqual([]);
  expect(reads.answer(sequence)).toEqual([1, 2]);
  expect(reads.answer(sequence)).toEqual([]);
  expect(reads.size).toBe(1);
  expect(reads.drain()).toEqual([3]);
});

test('T3: a question without an answer expires', () => {
  const reads = new ForwardedReads(0);
  reads.add(1);
  reads.ask();
  expect(reads.tick(2)).toEqual([]);
  reads.add(2);
  reads.ask();
  expect(reads.tick(2)).toEqual([]);
  expect(reads.tick(2)).toEqual([1]);
  expect(reads.size).toBe(1);
});
