/** The demo's runs, without its page: the same seed and inputs give the same run, and its rules hold in chaos. */
import { expect, test } from 'vitest';
import { Player } from '../../browser-demo/src/sim/player.ts';
import type { Input, News, TimedInput } from '../../browser-demo/src/sim/protocol.ts';
import { engineUnderTest } from '../kit/engine.ts';

function playerOf(seed: string, inputs: readonly TimedInput[] = []): Player {
  return new Player(engineUnderTest(), { seed, inputs });
}

function newsOf(player: Player): Extract<News, { type: 'news' }> {
  const news = player.news();
  if (news.type !== 'news') throw new Error(`expected news, got ${news.type}`);
  return news;
}

function leaderOf(player: Player): number {
  const leads = player.simulation.members.find(
    ({ serving, inside }) => serving && inside!.replica.raft.role === 'leader',
  );
  return leads?.id ?? 0;
}

function act(player: Player, input: Input): void {
  player.act(player.now, input);
}

test('a row survives the death of the leader that acknowledged it', () => {
  const player = playerOf('4711');
  player.boot(null);
  player.forward(500);
  const first = leaderOf(player);
  const sql = "INSERT INTO notes (text) VALUES ('kept')";
  act(player, { type: 'sql', node: first, sql, level: 'linearizable' });
  player.forward(500);
  act(player, { type: 'kill', node: first });
  player.forward(4000);
  const second = leaderOf(player);
  expect(second).not.toBe(first);
  const read = 'SELECT text FROM notes';
  act(player, { type: 'sql', node: second, sql: read, level: 'linearizable' });
  player.forward(1000);
  const answer = newsOf(player).answers.findLast(({ answered }) => answered !== null);
  expect(answer?.error).toBe('');
  expect(answer?.rows.flat()).toContain('kept');
});

test('in chaos, with a bank, no rule breaks; the same run again is the same to the last event', () => {
  const player = playerOf('chaos');
  player.boot(null);
  player.forward(500);
  act(player, { type: 'chaos', on: true });
  player.forward(15_000);
  act(player, { type: 'chaos', on: false });
  player.forward(3000);
  const checks = player.simulation.checks();
  expect(checks.filter(({ broken }) => broken !== '')).toEqual([]);
  expect(checks.map(({ name }) => name)).toContain('bank holds 1000');
  const again = playerOf('chaos', player.run.inputs);
  again.boot(player.now);
  expect(again.simulation.world.traceHash()).toBe(player.simulation.world.traceHash());
});

test('who acts in the past forks the run: it is that of the inputs so far', () => {
  const player = playerOf('fork');
  player.boot(null);
  player.forward(2000);
  act(player, { type: 'load', perSecond: 20 });
  player.forward(2000);
  const back = player.now - 1500;
  expect(player.act(back, { type: 'kill', node: 1 })).toBe(true);
  expect(player.now).toBe(back);
  player.forward(1000);
  expect(player.run.inputs.map(({ input }) => input.type)).toEqual(['load', 'kill']);
  const straight = playerOf('fork', player.run.inputs);
  straight.boot(player.now);
  expect(straight.simulation.world.traceHash()).toBe(player.simulation.world.traceHash());
});

test('a message that is lost is sent again; one that comes twice does no harm', () => {
  const player = playerOf('messages');
  player.boot(null);
  player.forward(1000);
  newsOf(player);
  const sql = "INSERT INTO notes (text) VALUES ('twice')";
  act(player, { type: 'sql', node: leaderOf(player), sql, level: 'linearizable' });
  player.forward(4);
  const sent = newsOf(player).messages.filter(({ kind }) => kind === 'append');
  expect(sent.length).toBeGreaterThan(2);
  act(player, { type: 'message', id: sent[0]!.id, act: 'drop' });
  act(player, { type: 'message', id: sent[1]!.id, act: 'duplicate' });
  act(player, { type: 'message', id: sent[2]!.id, act: 'delay' });
  player.forward(6000);
  const lasts = player.simulation.members.map(({ inside }) => inside!.replica.raft.commit);
  expect(new Set(lasts).size).toBe(1);
  expect(player.simulation.checks().filter(({ broken }) => broken !== '')).toEqual([]);
});

test('a flipped bit in the log stops the node that reads it, and says where', () => {
  const player = playerOf('rot');
  player.boot(null);
  player.forward(1000);
  act(player, { type: 'kill', node: 5 });
  act(player, { type: 'flipBit', node: 5 });
  act(player, { type: 'restart', node: 5 });
  player.forward(200);
  const { events } = newsOf(player);
  expect(events.some(({ text }) => /^n5 refuses to start: .*is bad/.test(text))).toBe(true);
});

test('a sixth node joins, is promoted, and a wiped one comes back as a new replica', () => {
  const player = playerOf('grow');
  player.boot(null);
  player.forward(1000);
  act(player, { type: 'add', node: 6 });
  player.forward(3000);
  act(player, { type: 'promote', node: 6 });
  player.forward(2000);
  const wiped = [1, 2, 3].find((id) => id !== leaderOf(player))!;
  act(player, { type: 'kill', node: wiped });
  act(player, { type: 'wipe', node: wiped });
  act(player, { type: 'restart', node: wiped });
  player.forward(6000);
  const views = player.simulation.members.map((member) => member.view());
  expect(views.length).toBe(6);
  expect(new Set(views.map(({ hash }) => hash)).size).toBe(1);
  expect(views.find(({ id }) => id === 6)?.role).toMatch(/follower|leader/);
});

test('the database of a node can be taken away as a file', () => {
  const player = playerOf('export');
  player.boot(null);
  player.forward(1500);
  const file = player.simulation.export(2);
  expect(new TextDecoder().decode(file!.subarray(0, 15))).toBe('SQLite format 3');
  expect(new TextDecoder('latin1').decode(file!)).toContain('five nodes, one database');
});

test('a node whose old disk was put back is refused by those who remember', () => {
  const player = playerOf('old disk');
  player.boot(null);
  player.forward(1500);
  const node = [1, 2, 3].find((id) => id !== leaderOf(player))!;
  act(player, { type: 'copyDisk', node });
  act(player, { type: 'load', perSecond: 20 });
  player.forward(2000);
  act(player, { type: 'kill', node });
  player.forward(1000);
  act(player, { type: 'restart', node });
  player.forward(2000);
  act(player, { type: 'kill', node });
  act(player, { type: 'oldDisk', node });
  act(player, { type: 'load', perSecond: 0 });
  newsOf(player);
  act(player, { type: 'restart', node });
  player.forward(4000);
  expect(
    newsOf(player)
      .events.map(({ text }) => text)
      .join('\n'),
  ).toMatch(/refused/);
  expect(player.simulation.checks().filter(({ broken }) => broken !== '')).toEqual([]);
});
