import { expect, test } from 'vitest';
import { EntryKind, makeEntry, type ReplicaId } from '../wire/entry.ts';
import { EMPTY_MEMBERSHIP, encodeMembershipEntry } from '../wire/membership.ts';
import { MessageType } from '../wire/message.ts';
import type { Raft, RaftLimits, RaftStart } from './contract.ts';
import { draft } from './draft.ts';
import { createRaft } from './raft.ts';

const LIMITS: RaftLimits = {
  electionTicks: 10,
  heartbeatTicks: 2,
  maxAppendBytes: 10_000,
  maxInflightMessages: 8,
  maxInflightBytes: 100_000,
  maxUncommittedBytes: 100_000,
  maxApplyBytes: 10_000,
  maxPendingReads: 2,
};

function start(voters: readonly ReplicaId[], change: Partial<RaftStart> = {}): RaftStart {
  const members = voters.map((replica) => ({ replica, node: replica, url: '' }));
  const payload = encodeMembershipEntry({ type: 'found', members });
  return {
    id: 1,
    hardState: { term: 1, vote: 0, commit: 1 },
    applied: { index: 0, term: 0 },
    compacted: { index: 0, term: 0 },
    membership: EMPTY_MEMBERSHIP,
    entries: [makeEntry(1, 1, EntryKind.membership, payload)],
    limits: LIMITS,
    seed: 1,
    recovering: false,
    ...change,
  };
}

/** Performs everything at once: all writes durable, all entries applied. */
function perform(raft: Raft): void {
  while (raft.hasEffects()) {
    const { writes, committed } = raft.takeEffects();
    for (const { token } of [...writes]) raft.storageDone(token);
    for (const entry of [...committed]) {
      if (entry.kind === EntryKind.membership) raft.applyMembership(entry);
      raft.applied(entry.index);
    }
  }
}

function leaderOfOne(): Raft {
  const raft = createRaft(start([1]));
  perform(raft);
  raft.campaign();
  perform(raft);
  return raft;
}

/** A follower of replica 2, which leads term 2 and has sent entries up to `last`. */
function followerOf2(last: number): Raft {
  const raft = createRaft(start([1, 2, 3]));
  perform(raft);
  const append = draft(MessageType.append, 2, 1, 2);
  append.index = 1;
  append.logTerm = 1;
  append.session = 7;
  append.commit = 2;
  append.entries = Array.from({ length: last - 1 }, (_, at) =>
    makeEntry(2, at + 2, EntryKind.commands),
  );
  raft.step(append);
  perform(raft);
  return raft;
}

test('a single voter commits what it proposed when its own disk has it', () => {
  const raft = leaderOfOne();
  expect(raft.role).toBe('leader');
  expect(raft.ready).toBe(true);
  const entry = raft.propose(new Uint8Array(40), EntryKind.commands);
  expect(entry).toMatchObject({ index: 3, term: 2 });
  const { writes, committed } = raft.takeEffects();
  expect(committed).toEqual([]);
  raft.storageDone(writes[0]!.token);
  expect(raft.takeEffects().committed.map((each) => each.index)).toEqual([3]);
  expect(raft.uncommittedBytes).toBe(0);
});

test('effects are empty after they were taken', () => {
  const raft = leaderOfOne();
  raft.propose(new Uint8Array(32), EntryKind.commands);
  raft.takeEffects();
  expect(raft.hasEffects()).toBe(false);
  const { messages, writes, committed, softState } = raft.takeEffects();
  expect([messages, writes, committed, softState]).toEqual([[], [], [], null]);
});

test('D1, M4: a write of entries carries the commit index that was known when they came', () => {
  const raft = createRaft(start([1, 2, 3]));
  perform(raft);
  const append = draft(MessageType.append, 2, 1, 2);
  append.index = 1;
  append.logTerm = 1;
  append.commit = 2;
  append.entries = [2, 3].map((index) => makeEntry(2, index, EntryKind.commands));
  raft.step(append);
  const [write] = raft.takeEffects().writes;
  expect(write).toMatchObject({ hardState: { term: 2, vote: 0, commit: 2 }, mustSync: true });
  expect(write?.entries.length).toBe(2);
});

test('S2: a snapshot that contradicts a committed entry stops the replica', () => {
  const raft = createRaft(start([1, 2, 3], { hardState: { term: 1, vote: 0, commit: 1 } }));
  expect(() => raft.installed({ index: 1, term: 9, membership: EMPTY_MEMBERSHIP })).toThrow('S2');
});

test('S11, E6: nothing is applied, appended or campaigned for while a snapshot is installed', () => {
  const raft = followerOf2(4);
  raft.setInstalling(true);
  const notice = draft(MessageType.heartbeat, 2, 1, 2);
  notice.commit = 4;
  raft.step(notice);
  expect(raft.commit).toBe(2);
  for (let i = 0; i < 100; i++) raft.tick();
  expect(raft.role).toBe('follower');
  raft.installed({ index: 3, term: 2, membership: raft.membership });
  expect([raft.commit, raft.lastIndex]).toEqual([3, 4]);
  raft.step(notice);
  expect(raft.takeEffects().committed.map((each) => each.index)).toEqual([4]);
});

test('S7: an installed snapshot is acknowledged in the session of the leader', () => {
  const raft = followerOf2(2);
  raft.setInstalling(true);
  raft.installed({ index: 50, term: 2, membership: raft.membership });
  const [reply] = raft.takeEffects().messages;
  expect(reply).toMatchObject({ type: MessageType.appendReply, to: 2, index: 50, session: 7 });
  expect([raft.firstIndex, raft.lastIndex, raft.commit]).toEqual([51, 50, 50]);
});

test('R8: what comes back with another session moves nothing', () => {
  const raft = leaderOf([1, 2, 3]);
  const before = raft.progress()[1];
  for (const index of [1, 2]) {
    const reply = draft(MessageType.appendReply, 2, 1, raft.term);
    reply.index = index;
    reply.session = 999;
    raft.step(reply);
  }
  expect(raft.progress()[1]).toEqual(before);
});

/** A leader whose followers have answered nothing but its campaign. */
function leaderOf(voters: readonly ReplicaId[]): Raft {
  const raft = createRaft(start(voters));
  perform(raft);
  raft.campaign();
  for (const type of [MessageType.preVoteReply, MessageType.voteReply]) {
    perform(raft);
    for (const voter of voters.slice(1)) raft.step(draft(type, voter, 1, 2));
  }
  perform(raft);
  expect(raft.role).toBe('leader');
  return raft;
}

test('L1, T3: reads beyond the bound are dropped at once, the others when leadership ends', () => {
  const raft = leaderOf([1, 2, 3]);
  for (const context of [1, 2, 3]) raft.readIndex(context);
  expect(raft.takeEffects().readsDropped).toEqual([3]);
  raft.setStorageStalled(true);
  expect(raft.takeEffects().readsDropped).toEqual([1, 2]);
});

test('M6: messages of strangers elect nobody', () => {
  const raft = createRaft(start([1, 2, 3]));
  perform(raft);
  raft.campaign();
  for (const stranger of [4, 5, 6]) raft.step(draft(MessageType.preVoteReply, stranger, 1, 2));
  expect(raft.role).toBe('preCandidate');
  const own = createRaft(start([1, 2, 3]));
  const misdirected = draft(MessageType.vote, 2, 9, 50);
  own.step(misdirected);
  expect(own.term).toBe(1);
});

test('R3: two leaders of one term are a broken invariant', () => {
  const raft = followerOf2(2);
  const append = draft(MessageType.append, 3, 1, 2);
  expect(() => raft.step(append)).toThrow('lead term 2');
});

test('E5: timeouts differ by seed and lie between one and two times the setting', () => {
  const ticks = new Set<number>();
  for (let seed = 1; seed <= 60; seed++) {
    const raft = createRaft(start([1, 2, 3], { seed }));
    perform(raft);
    let count = 0;
    while (raft.role === 'follower') {
      raft.tick();
      count++;
    }
    expect(count).toBeGreaterThanOrEqual(10);
    expect(count).toBeLessThan(20);
    ticks.add(count);
  }
  expect(ticks.size).toBe(10);
});

test('R9: a start that contradicts itself is refused', () => {
  const gap = [makeEntry(1, 5, EntryKind.empty)];
  expect(() => createRaft(start([1], { entries: gap }))).toThrow('follows');
  const ahead = { applied: { index: 9, term: 1 } };
  expect(() => createRaft(start([1], ahead))).toThrow('ends before the checkpoint');
});
