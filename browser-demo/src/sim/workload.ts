/** Clients that write by themselves, and chaos: all chance comes from the seed. */
import type { VirtualWorld } from '../../../src/runtime/virtual/contract.ts';
import type { Random } from '../../../src/runtime/virtual/random.ts';
import { type Operation, writeOperation } from '../../../src/wire/operation.ts';
import type { CommandOutcome } from '../../../src/wire/result.ts';
import type { Checker } from './checker.ts';
import type { Member } from './member.ts';
import type { Input } from './protocol.ts';

const TIMEOUT_MS = 10_000;
const ACCOUNTS = 8;
const EACH = 125;
const TRANSFERS_PER_SECOND = 4;
const SUM_MS = 2500;
/** What the bank holds, for ever. */
export const TOTAL: number = ACCOUNTS * EACH;

/** What clients and chaos act on. */
export interface WorkloadHost {
  readonly world: VirtualWorld;
  readonly checker: Checker;
  members(): readonly Member[];
  /** Does what a visitor could do. */
  act(input: Input): void;
  told(text: string): void;
}

/** The clients of one run. */
export class Workload {
  perSecond = 0;
  chaos = false;
  /** What the bank's total was the last time, null before. */
  bank: number | null = null;
  readonly #host: WorkloadHost;
  readonly #random: Random;
  #generation = 0;
  #chaosGeneration = 0;
  #row = 0;

  constructor(host: WorkloadHost) {
    this.#host = host;
    this.#random = host.world.random.split('clients');
  }

  setLoad(perSecond: number): void {
    this.perSecond = perSecond;
    const generation = ++this.#generation;
    if (perSecond > 0) this.#next(generation);
  }

  #next(generation: number): void {
    if (generation !== this.#generation) return;
    const wait = 1000 / this.perSecond;
    this.#host.world.after(wait * (0.5 + this.#random.below(1000) / 1000), () => {
      if (generation !== this.#generation) return;
      const text = `note ${++this.#row}`;
      this.#write({ op: 'execute', sql: 'INSERT INTO notes (text) VALUES (?)', params: [text] });
      this.#next(generation);
    });
  }

  setChaos(on: boolean): void {
    if (on === this.chaos) return;
    this.chaos = on;
    const generation = ++this.#chaosGeneration;
    if (!on) {
      this.#host.act({ type: 'healAll' });
      for (const member of this.#host.members()) this.#revive(member);
      return;
    }
    const accounts = Array.from({ length: ACCOUNTS }, (_, i) => `(${i + 1}, ${EACH})`).join(', ');
    this.#write(
      {
        op: 'batch',
        atomic: true,
        sql: `CREATE TABLE IF NOT EXISTS bank (id INTEGER PRIMARY KEY, money INTEGER NOT NULL);
          INSERT OR IGNORE INTO bank VALUES ${accounts}`,
      },
      (outcome) => {
        if (outcome.ok) this.#bank(generation);
        else if (generation === this.#chaosGeneration) this.chaos = false;
      },
    );
  }

  #bank(generation: number): void {
    this.#transfers(generation);
    this.#sums(generation);
    this.#trouble(generation);
  }

  #every(generation: number, ms: readonly [number, number], run: () => void): void {
    this.#host.world.after(this.#random.between(ms[0], ms[1]), () => {
      if (generation !== this.#chaosGeneration) return;
      run();
      this.#every(generation, ms, run);
    });
  }

  #transfers(generation: number): void {
    const wait = 1000 / TRANSFERS_PER_SECOND;
    this.#every(generation, [wait / 2, wait * 1.5], () => {
      const [from, to] = this.#random.shuffle(Array.from({ length: ACCOUNTS }, (_, i) => i + 1));
      const sum = this.#random.between(1, 20);
      const sql = 'UPDATE bank SET money = money + ? WHERE id = ?';
      this.#write({
        op: 'txn',
        statements: [
          { sql, params: [-sum, from!] },
          { sql, params: [sum, to!] },
        ],
      });
    });
  }

  #sums(generation: number): void {
    this.#every(generation, [SUM_MS, SUM_MS], () => {
      const member = this.#anyone();
      if (member === null) return;
      const { floor } = this.#host.checker;
      member.service!.query(
        {
          sql: 'SELECT sum(money) FROM bank',
          consistency: 'linearizable',
          timeoutMs: TIMEOUT_MS,
        },
        (error, result) => {
          if (error) return;
          this.#host.checker.read(result!.index, floor, member.id);
          this.bank = Number(result!.rows[0]![0]);
          if (this.bank !== TOTAL) this.#host.told(`the bank holds ${this.bank}, not ${TOTAL}`);
        },
      );
    });
  }

  #trouble(generation: number): void {
    this.#every(generation, [1800, 4200], () => {
      const members = this.#host.members();
      const down = members.filter(({ serving }) => !serving);
      if (down.length > 0 && (down.length >= 2 || this.#random.chance(0.6))) {
        for (const member of down) this.#revive(member);
        return;
      }
      const { id } = this.#random.pick(members);
      const others = members.filter((member) => member.id !== id).map((member) => member.id);
      const half = this.#random.shuffle(others).slice(0, 1);
      const rest = others.filter((other) => !half.includes(other));
      const to = this.#random.pick(others);
      this.#host.act(
        this.#random.pick<Input>([
          { type: 'kill', node: id },
          { type: 'crash', node: id },
          { type: 'pause', node: id },
          { type: 'partition', groups: [[id, ...half], rest] },
          { type: 'cut', from: id, to },
          { type: 'healAll' },
          { type: 'healAll' },
          { type: 'slowDisk', node: id, ms: this.#random.pick([10, 80, 200]) },
        ]),
      );
    });
  }

  #revive({ id, process }: Member): void {
    if (!process.alive) this.#host.act({ type: 'restart', node: id });
    else if (process.paused) this.#host.act({ type: 'resume', node: id });
  }

  #anyone(): Member | null {
    const serving = this.#host.members().filter((member) => member.serving);
    return serving.length === 0 ? null : this.#random.pick(serving);
  }

  #write(operation: Operation, done: (outcome: CommandOutcome) => void = () => {}): void {
    const member = this.#anyone();
    if (member === null) return;
    const request = {
      operation: (out: Parameters<typeof writeOperation>[0]) => writeOperation(out, operation),
      timeoutMs: TIMEOUT_MS,
    };
    member.service!.write(request, (outcome) => {
      if (outcome.ok) this.#host.checker.acknowledged(outcome.index);
      done(outcome);
    });
  }
}
