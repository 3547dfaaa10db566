/**
 * The first pass over an entry: who sent each command, is it new, and what it asks of modules other than the database.
 * What it finds stands in columns, one slot per command, that are used again for every entry.
 */
import { ByteReader } from '../wire/bytes.ts';
import { type BatchHeader, KEY_HASH_BYTES, readBatchHeader } from '../wire/command.ts';
import { ENTRY_HEADER_BYTES, type Entry, type LogIndex } from '../wire/entry.ts';
import { QuorliteError } from '../wire/error.ts';
import { decodeOperation, Op, OpFlag } from '../wire/operation.ts';
import type { CommandOutcome, OperationResult } from '../wire/result.ts';
import type { KeyRecord, Keys } from './keys.ts';
import type { Session } from './sessions/session.ts';
import type { Sessions } from './sessions/sessions.ts';
import type { Settings } from './settings-module.ts';

const FLAG_KEY = 1;
/** Fewest bytes of a command: three varints, flags, length. */
const COMMAND_BYTES = 8;

const NO_INPUT = new ByteReader(new Uint8Array(0));
/** Stands in a slot that is not in use. */
const NO_OUTCOME: CommandOutcome = { ok: true, index: 0, result: { type: 'done' } };

/** What becomes of a command after admission. */
export const Verdict = {
  /** The database runs it. */
  run: 0,
  /** `outcomes` has its outcome, which is kept for retries. */
  answered: 1,
  /** `outcomes` has its outcome, which is not kept: it was refused and may be sent again. */
  refused: 2,
  /** `outcomes` has the outcome of an earlier entry. */
  duplicate: 3,
  /** It repeats the command `original` of this entry. */
  repeated: 4,
} as const;

/** See the file's comment. */
export class Admission {
  header: BatchHeader = { wall: 0, elapsed: 0, seed: new Uint8Array(0), count: 0 };
  /** The entry's record, from its payload on. */
  input: ByteReader = NO_INPUT;
  count = 0;
  /** Commands for the database. */
  runs = 0;
  readonly verdicts: number[] = [];
  readonly starts: number[] = [];
  readonly ends: number[] = [];
  /** Where the text of an `execute` stands, in it or above it; 0 for other operations. */
  readonly texts: number[] = [];
  readonly outcomes: CommandOutcome[] = [];
  readonly originals: number[] = [];
  readonly #sessions: (Session | null)[] = [];
  readonly #sequences: number[] = [];
  readonly #keys: (KeyRecord | null)[] = [];
  readonly #modules: { sessions: Sessions; keys: Keys; settings: Settings };
  #elapsed = 0;
  #index: LogIndex = 0;
  /** The newest text of an `execute`, 0 before the first one. */
  #textAt = 0;

  constructor(modules: { sessions: Sessions; keys: Keys; settings: Settings }) {
    this.#modules = modules;
  }

  /** Reads the header of an entry; false when there is none, and nothing in it can be applied. */
  open({ bytes, index }: Entry): boolean {
    this.input = new ByteReader(bytes, ENTRY_HEADER_BYTES);
    this.#index = index;
    this.count = 0;
    this.runs = 0;
    this.#textAt = 0;
    try {
      this.header = readBatchHeader(this.input);
    } catch {
      return false;
    }
    return this.header.count * COMMAND_BYTES <= bytes.length;
  }

  /** Admits all commands; `elapsed` is the replicated time they are admitted at. */
  admitAll(elapsed: number): void {
    this.#elapsed = elapsed;
    const { count } = this.header;
    for (let ordinal = 0; ordinal < count; ordinal++) {
      if (this.#admit(ordinal)) continue;
      // The framing is broken: what stands behind cannot be told apart. No client can bring that about.
      for (; ordinal < count; ordinal++) this.#refuse(ordinal, malformed());
    }
    this.count = count;
  }

  /** Reads and judges one command; false when its framing is broken. */
  #admit(ordinal: number): boolean {
    const { input } = this;
    this.#sessions[ordinal] = null;
    this.#keys[ordinal] = null;
    try {
      const session = input.uint();
      const sequence = input.uint();
      const acknowledged = input.uint();
      const flags = input.u8();
      const key =
        flags & FLAG_KEY
          ? { scope: input.text(), key: input.text(), hash: input.raw(KEY_HASH_BYTES) }
          : null;
      const length = input.u32();
      if (length > input.remaining || length === 0 || flags > FLAG_KEY) return false;
      this.starts[ordinal] = input.at;
      this.texts[ordinal] = this.#textOf(input.bytes, input.at);
      input.at += length;
      this.ends[ordinal] = input.at;
      this.#judge(ordinal, session, sequence, acknowledged, key);
      return true;
    } catch (error) {
      if (!(error instanceof QuorliteError)) throw error;
      return false;
    }
  }

  /** Commands that are not run have texts, too, which others may refer to. */
  #textOf(bytes: Uint8Array, start: number): number {
    if (bytes[start] !== Op.execute) return 0;
    if ((bytes[start + 1]! & OpFlag.textAbove) === 0) this.#textAt = start + 2;
    return this.#textAt;
  }

  #judge(
    ordinal: number,
    id: number,
    sequence: number,
    acknowledged: number,
    key: { scope: string; key: string; hash: Uint8Array } | null,
  ): void {
    try {
      if (id !== 0) {
        const session = this.#modules.sessions.admit(id, sequence, acknowledged, this.#elapsed);
        const slot = session.at(sequence);
        if (slot !== undefined) {
          this.#known(ordinal, slot);
          return;
        }
        this.#sessions[ordinal] = session;
        this.#sequences[ordinal] = sequence;
      }
      if (key !== null) {
        const record = this.#modules.keys.find(key);
        if (record !== undefined) {
          this.#known(ordinal, record.outcome);
          return;
        }
        this.#keys[ordinal] = this.#modules.keys.add(key, this.#elapsed, ordinal);
      }
    } catch (error) {
      this.#refuse(ordinal, operating(error));
      return;
    }
    this.#sessions[ordinal]?.set(sequence, ordinal);
    this.#start(ordinal);
  }

  /** A retry: by its session in an earlier entry or in this one, or by its key. */
  #known(ordinal: number, known: CommandOutcome | number): void {
    if (typeof known === 'number') {
      this.verdicts[ordinal] = Verdict.repeated;
      this.originals[ordinal] = known;
    } else {
      this.verdicts[ordinal] = Verdict.duplicate;
      this.outcomes[ordinal] = known;
    }
  }

  /** Refused before it did anything, and not kept: the same command may succeed later. */
  #refuse(ordinal: number, error: QuorliteError): void {
    this.verdicts[ordinal] = Verdict.refused;
    this.outcomes[ordinal] = { ok: false, index: this.#index, error };
    this.#sessions[ordinal] = null;
    this.#keys[ordinal] = null;
  }

  /** A new command: the database's turn, or done here. */
  #start(ordinal: number): void {
    const { bytes } = this.input;
    const start = this.starts[ordinal]!;
    const op = bytes[start]!;
    if (op <= Op.migrate) {
      this.verdicts[ordinal] = Verdict.run;
      this.runs++;
      return;
    }
    this.verdicts[ordinal] = Verdict.answered;
    const index = this.#index;
    try {
      const result = this.#perform(bytes.subarray(start, this.ends[ordinal]));
      this.outcomes[ordinal] = { ok: true, index, result };
    } catch (error) {
      this.outcomes[ordinal] = { ok: false, index, error: operating(error) };
    }
  }

  /** Operations of modules other than the database. */
  #perform(body: Uint8Array): OperationResult {
    const operation = decodeOperation(body);
    const { sessions, settings } = this.#modules;
    switch (operation.op) {
      case 'openSession':
        sessions.open(operation.session, this.#elapsed);
        return { type: 'done' };
      case 'closeSession':
        sessions.close(operation.session);
        return { type: 'done' };
      case 'settings':
        return { type: 'settings', settings: settings.patch(operation.patch) };
      default:
        // A tick: what is due has expired when its entry began.
        return { type: 'done' };
    }
  }

  /** Keeps the outcomes of new commands for retries, and fills in those of repeated ones. */
  settle(): void {
    const { sessions, keys } = this.#modules;
    for (let ordinal = 0; ordinal < this.count; ordinal++) {
      const verdict = this.verdicts[ordinal]!;
      if (verdict === Verdict.repeated) {
        this.outcomes[ordinal] = this.outcomes[this.originals[ordinal]!]!;
      } else if (verdict <= Verdict.answered) {
        const session = this.#sessions[ordinal];
        if (session) sessions.settle(session, this.#sequences[ordinal]!, this.outcomes[ordinal]!);
        const record = this.#keys[ordinal];
        if (record) keys.settle(record, this.outcomes[ordinal]!);
      }
    }
  }

  /** Lets go of what the entry left in the columns. */
  clear(): void {
    for (let ordinal = 0; ordinal < this.count; ordinal++) {
      this.outcomes[ordinal] = NO_OUTCOME;
      this.#sessions[ordinal] = null;
      this.#keys[ordinal] = null;
    }
    this.count = 0;
    this.input = NO_INPUT;
  }
}

/** An error that is a result; any other is a mistake of ours and is thrown on. */
function operating(error: unknown): QuorliteError {
  if (error instanceof QuorliteError) return error;
  throw error;
}

function malformed(): QuorliteError {
  return new QuorliteError('BAD_REQUEST', 'malformed bytes: a command of this entry is cut off');
}
