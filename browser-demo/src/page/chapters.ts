/** The tour: eight chapters, each ends with something to do. */
import type { Input } from '../sim/protocol.ts';

/** What a chapter may look at. */
export interface TourState {
  readonly leader: number;
  /** A node that does not lead. */
  readonly follower: number;
  /** Texts of events since the chapter began. */
  readonly told: readonly string[];
  /** Whether a statement was answered since then, and how. */
  readonly answers: readonly {
    readonly sql: string;
    readonly level: string;
    readonly error: string;
  }[];
}

/** A chapter. */
export interface Chapter {
  readonly title: string;
  readonly text: string;
  /** What the visitor does. */
  readonly now: string;
  /** The same, done for the visitor, in a few steps. */
  readonly show: readonly { readonly name: string; input(state: TourState): Input }[];
  done(state: TourState): boolean;
}

function sql(node: number, text: string, level: 'linearizable' | 'stale' = 'linearizable'): Input {
  return { type: 'sql', node, sql: text, level };
}

function said(state: TourState, pattern: RegExp): boolean {
  return state.told.some((text) => pattern.test(text));
}

/** All chapters, in order. */
export const CHAPTERS: readonly Chapter[] = [
  {
    title: 'A row travels',
    text: 'A write goes to the leader, which puts it in its log as one entry and sends it to the others. Once a quorum, three of five, has it synced on disk, it is committed: the outlined cell fills in. Then each node applies it to its own SQLite.',
    now: 'Slow time down to ×¼ and insert a row. Watch the outlined cell fill.',
    show: [
      {
        name: 'Insert a row',
        input: ({ follower }) => sql(follower, "INSERT INTO notes (text) VALUES ('a row travels')"),
      },
    ],
    done: ({ answers }) => answers.some(({ sql: text, error }) => /insert/i.test(text) && !error),
  },
  {
    title: 'Who leads',
    text: 'The leader sends heartbeats. Each follower has an arc: its patience. A heartbeat empties the arc; when it closes, the follower asks for votes. A term is one period of leadership, with at most one leader; it has a colour here.',
    now: 'Hand leadership to another node and see the term, and the colour, change.',
    show: [
      {
        name: 'Hand it over',
        input: ({ follower }) => ({ type: 'transfer', node: follower }),
      },
    ],
    done: (state) => said(state, /leads term/),
  },
  {
    title: 'The leader dies',
    text: 'What was acknowledged is on three disks. Whoever wins the next election got a vote from at least one of them, and nobody votes for a log older than its own. So the new leader has your row.',
    now: 'Write a row, kill the leader, and read the row from the next one.',
    show: [
      {
        name: 'Write a row',
        input: ({ follower }) => sql(follower, "INSERT INTO notes (text) VALUES ('still here')"),
      },
      { name: 'Kill the leader', input: ({ leader }) => ({ type: 'kill', node: leader }) },
      { name: 'Read it', input: ({ leader }) => sql(leader, 'SELECT * FROM notes') },
    ],
    done: (state) =>
      said(state, /was killed|lost power/) &&
      said(state, /leads term/) &&
      state.answers.some(({ sql: text, error }) => /select/i.test(text) && !error),
  },
  {
    title: 'Two sides',
    text: 'When the network splits, only the side with a majority can commit. The other side cannot know what happens over there, so it refuses honestly instead of guessing.',
    now: 'Draw a line across the ring, then write on the smaller side.',
    show: [
      {
        name: 'Split 2 | 3',
        input: ({ leader, follower }) => ({
          type: 'partition',
          groups: [
            [leader, follower],
            [1, 2, 3, 4, 5].filter((id) => id !== leader && id !== follower),
          ],
        }),
      },
      {
        name: 'Write on the small side',
        input: ({ follower }) => sql(follower, "INSERT INTO notes (text) VALUES ('who hears me')"),
      },
      { name: 'Heal', input: () => ({ type: 'healAll' }) },
    ],
    done: (state) => said(state, /network splits/) && said(state, /whole again/),
  },
  {
    title: 'Stale or sure',
    text: 'A linearizable read asks a quorum whether the leader still leads: it shows the newest data, or nothing. A stale read shows at once what its node has, which may be old, and says by how much.',
    now: 'Cut a follower off, write elsewhere, then read on it, stale and linearizable.',
    show: [
      {
        name: 'Cut one off',
        input: ({ follower }) => ({
          type: 'partition',
          groups: [[follower], [1, 2, 3, 4, 5].filter((id) => id !== follower)],
        }),
      },
      {
        name: 'Write elsewhere',
        input: ({ leader }) => sql(leader, "INSERT INTO notes (text) VALUES ('news')"),
      },
      {
        name: 'Read there, stale',
        input: ({ follower }) => sql(follower, 'SELECT count(*) FROM notes', 'stale'),
      },
      { name: 'Heal', input: () => ({ type: 'healAll' }) },
    ],
    done: ({ answers }) => answers.some(({ level, error }) => level === 'stale' && !error),
  },
  {
    title: 'Disks forget',
    text: 'A disk says “synced” when data is safe; before that, a power cut may lose it. In the durable mode a node acknowledges only what is synced, so a crash costs time, never an acknowledged row. A dashed cell is not synced yet.',
    now: 'Make a disk slow, write, and cut the power of that node. Then start it.',
    show: [
      {
        name: 'Slow disk',
        input: ({ follower }) => ({ type: 'slowDisk', node: follower, ms: 250 }),
      },
      {
        name: 'Write',
        input: ({ leader }) => sql(leader, "INSERT INTO notes (text) VALUES ('synced somewhere')"),
      },
      { name: 'Cut its power', input: ({ follower }) => ({ type: 'crash', node: follower }) },
      { name: 'Start it', input: ({ follower }) => ({ type: 'restart', node: follower }) },
    ],
    done: (state) => said(state, /lost power/) && said(state, / starts$/),
  },
  {
    title: 'Catching up',
    text: 'A node with an empty disk is a new replica: it may have voted before and must not vote twice. It joins as a learner, gets a snapshot or the whole log, and replaces the lost one in a single change.',
    now: 'Kill a follower, wipe its disk, start it, and watch its lane fill.',
    show: [
      { name: 'Kill one', input: ({ follower }) => ({ type: 'kill', node: follower }) },
      { name: 'Take a snapshot', input: ({ leader }) => ({ type: 'snapshot', node: leader }) },
      { name: 'Wipe its disk', input: ({ follower }) => ({ type: 'wipe', node: follower }) },
      { name: 'Start it', input: ({ follower }) => ({ type: 'restart', node: follower }) },
    ],
    done: (state) => said(state, /empty disk/) && said(state, /members at/),
  },
  {
    title: 'Growing',
    text: 'A change of members happens in two steps: for a moment both the old and the new majority must agree, so there are never two leaders. Writes go on meanwhile.',
    now: 'Switch the load on, add node 6, and promote it when it has caught up.',
    show: [
      { name: 'Load', input: () => ({ type: 'load', perSecond: 20 }) },
      { name: 'Add node 6', input: () => ({ type: 'add', node: 6 }) },
      { name: 'Promote it', input: () => ({ type: 'promote', node: 6 }) },
    ],
    done: (state) => said(state, /members at \d+: 6 voters/),
  },
];
