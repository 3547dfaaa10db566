/** What page and worker say to each other, and what a run is made of. */

/** How fresh a read in the page may be asked to be. */
export type ReadLevel = 'linearizable' | 'session' | 'stale';

/** What a visitor does to the cluster. Nodes and messages go by number. */
export type Input =
  | { readonly type: 'sql'; readonly node: number; readonly sql: string; readonly level: ReadLevel }
  | {
      readonly type: 'kill' | 'crash' | 'restart' | 'wipe' | 'pause' | 'resume';
      readonly node: number;
    }
  | { readonly type: 'copyDisk' | 'oldDisk' | 'flipBit'; readonly node: number }
  | { readonly type: 'slowDisk'; readonly node: number; readonly ms: number }
  | { readonly type: 'drift'; readonly node: number; readonly ppm: number }
  | { readonly type: 'partition'; readonly groups: readonly (readonly number[])[] }
  | { readonly type: 'cut' | 'heal'; readonly from: number; readonly to: number }
  | { readonly type: 'healAll' }
  | {
      readonly type: 'message';
      readonly id: number;
      readonly act: 'drop' | 'duplicate' | 'delay';
    }
  | { readonly type: 'add' | 'promote' | 'remove' | 'transfer' | 'snapshot'; readonly node: number }
  | { readonly type: 'load'; readonly perSecond: number }
  | { readonly type: 'chaos'; readonly on: boolean };

/** An input and when it came, whole virtual milliseconds. */
export interface TimedInput {
  readonly at: number;
  readonly input: Input;
}

/** Everything that a run follows from. */
export interface Run {
  readonly seed: string;
  readonly inputs: readonly TimedInput[];
}

/** What a node is at a moment. */
export type NodeState = 'running' | 'paused' | 'dead' | 'failed';
/** Its part in consensus. */
export type NodeRole = 'leader' | 'follower' | 'candidate' | 'learner' | 'joining' | 'removed';

/** A node as it is shown. */
export interface NodeView {
  readonly id: number;
  readonly state: NodeState;
  readonly role: NodeRole;
  readonly term: number;
  /** Number of the leader that it follows, 0 when it knows none. */
  readonly leader: number;
  readonly commit: number;
  readonly applied: number;
  /** Newest entry that is synced on its disk. */
  readonly durable: number;
  readonly last: number;
  /** Terms of the newest entries; the last one is that of `last`. */
  readonly terms: readonly number[];
  /** Hash of its database, 16 hexadecimal digits, '' when unknown. */
  readonly hash: string;
  readonly syncMs: number;
  /** Why it does not serve, '' when it does. */
  readonly why: string;
  /** Whether a copy of its disk lies beside. */
  readonly copied: boolean;
}

/** A moment. */
export interface Frame {
  readonly at: number;
  /** By node, ascending; null where nothing but the arc changed since the frame before. */
  readonly nodes: readonly (NodeView | null)[];
  /** How much of each node's patience is used up, 0 to 255. */
  readonly arcs: readonly number[];
  /** Directions through which nothing gets, `from * 16 + to`; null as before. */
  readonly cuts: readonly number[] | null;
}

/** What a message is about, for its colour and size. */
export type MessageKind =
  | 'append'
  | 'heartbeat'
  | 'vote'
  | 'reply'
  | 'client'
  | 'snapshot'
  | 'link';

/** A message on its way. */
export interface MessageView {
  readonly id: number;
  readonly from: number;
  readonly to: number;
  readonly kind: MessageKind;
  /** What it says, in words. */
  readonly text: string;
  readonly term: number;
  readonly bytes: number;
  readonly sent: number;
  /** When it should arrive. */
  readonly due: number;
}

/** How a message's way ended. */
export interface ArrivalView {
  readonly id: number;
  readonly at: number;
  readonly lost: boolean;
}

/** What an event is about: a filter and a colour. */
export type EventKind = 'role' | 'vote' | 'fault' | 'sql' | 'member' | 'disk' | 'check';

/** Something that happened, in words. */
export interface EventView {
  readonly id: number;
  readonly at: number;
  /** 0 for the cluster as a whole. */
  readonly node: number;
  readonly kind: EventKind;
  readonly text: string;
}

/** What an entry of the log is. */
export interface EntryView {
  readonly index: number;
  readonly term: number;
  readonly text: string;
  readonly bytes: number;
}

/** A statement that was run, or still runs. */
export interface AnswerView {
  readonly id: number;
  readonly node: number;
  readonly sql: string;
  readonly level: ReadLevel;
  readonly asked: number;
  /** Null while it runs. */
  readonly answered: number | null;
  readonly index: number;
  readonly columns: readonly string[];
  readonly rows: readonly (readonly string[])[];
  readonly rowsAffected: number | null;
  readonly error: string;
  /** Why it took as long as it did. */
  readonly why: string;
}

/** A rule that is checked at every step. */
export interface CheckView {
  readonly name: string;
  /** '' while it holds, else what broke it. */
  readonly broken: string;
  readonly detail: string;
}

/** News from the worker. */
export type News =
  | {
      readonly type: 'news';
      readonly now: number;
      readonly playing: boolean;
      readonly frames: readonly Frame[];
      readonly messages: readonly MessageView[];
      readonly arrivals: readonly ArrivalView[];
      readonly events: readonly EventView[];
      readonly entries: readonly EntryView[];
      readonly answers: readonly AnswerView[];
      readonly checks: readonly CheckView[] | null;
      readonly inputs: readonly TimedInput[] | null;
      readonly load: number;
      readonly chaos: boolean;
    }
  /** What came behind `at` has not happened any more. */
  | { readonly type: 'forked'; readonly at: number; readonly tookMs: number }
  | { readonly type: 'started'; readonly seed: string; readonly bootMs: number }
  | { readonly type: 'export'; readonly name: string; readonly bytes: Uint8Array<ArrayBuffer> }
  | { readonly type: 'failed'; readonly message: string };

/** What the page asks of the worker. */
export type Ask =
  | {
      readonly type: 'start';
      readonly run: Run;
      /** Where to stop and show; null plays on from the first leader. */
      readonly until: number | null;
      readonly sqlite: WebAssembly.Module;
      readonly trampolines: WebAssembly.Module;
      readonly hash: string;
    }
  | { readonly type: 'restart'; readonly run: Run; readonly until: number | null }
  | { readonly type: 'play'; readonly on: boolean }
  | { readonly type: 'rate'; readonly rate: number }
  | { readonly type: 'step' }
  | { readonly type: 'act'; readonly at: number; readonly input: Input }
  | { readonly type: 'export'; readonly node: number };
