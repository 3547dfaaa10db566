/** The rules of consensus, checked at every step, with arithmetic of its own. */
import type { Entry } from '../../../src/wire/entry.ts';
import type { Member } from './member.ts';
import type { CheckView } from './protocol.ts';

const NAMES = [
  'one leader per term',
  'logs match',
  'nothing acknowledged lost',
  'state equal',
  'reads linearizable',
] as const;
type Rule = 0 | 1 | 2 | 3 | 4;

interface Stored {
  readonly sum: number;
  readonly node: number;
}

function self(member: Member): number {
  return member.inside!.self;
}

/** Watches a run. */
export class Checker {
  readonly #broken = ['', '', '', '', ''];
  readonly #leaders = new Map<number, number>();
  /** Checksum of each entry that anybody wrote, by `index/term`. */
  readonly #written = new Map<string, Stored>();
  /** Terms of what is committed; the position is the index. */
  readonly #committed: number[] = [0];
  /** How far each replica's commits were looked at. */
  readonly #seen = new Map<number, number>();
  readonly #hashes = new Map<number, { readonly hash: string; readonly node: number }>();
  /** The index at which each replica's state was compared last. */
  readonly #lookedAt = new Map<number, number>();
  #acknowledged = 0;
  #acknowledgedCount = 0;
  #equalAt = 0;
  #reads = 0;
  /** The newest index that a linearizable answer has shown. */
  #shown = 0;

  /** A member begins another life: its commits are looked at again. */
  opened(member: Member): void {
    this.#seen.delete(member.id);
  }

  /** Somebody speaks as leader of a term. */
  leads(term: number, node: number): void {
    const other = this.#leaders.get(term) ?? node;
    this.#leaders.set(term, other);
    if (other !== node) this.#break(0, `n${other} and n${node} both lead term ${term}`);
  }

  wrote(member: Member, entries: readonly Entry[]): void {
    for (const { index, term, bytes } of entries) {
      const sum = new DataView(bytes.buffer, bytes.byteOffset, 8).getUint32(4, true);
      const known = this.#written.get(`${index}/${term}`);
      if (known === undefined) this.#written.set(`${index}/${term}`, { sum, node: member.id });
      else if (known.sum !== sum) {
        this.#break(1, `n${known.node} and n${member.id} differ at ${index} of term ${term}`);
      }
    }
  }

  /** A write was answered. */
  acknowledged(index: number): void {
    this.#acknowledged = Math.max(this.#acknowledged, index);
    this.#shown = Math.max(this.#shown, index);
    this.#acknowledgedCount++;
  }

  /** What a linearizable read that starts now must show at least. */
  get floor(): number {
    return this.#shown;
  }

  read(index: number, floor: number, node: number): void {
    this.#reads++;
    this.#shown = Math.max(this.#shown, index);
    if (index < floor) this.#break(4, `n${node} showed ${index} after ${floor} had been shown`);
  }

  look(members: readonly Member[]): void {
    for (const member of members) if (member.live) this.#lookAt(member);
    for (const member of members) if (member.live) this.#complete(member);
  }

  #lookAt(member: Member): void {
    const { replica, self } = member.inside!;
    const { raft } = replica;
    if (raft.role === 'leader') this.leads(raft.term, member.id);
    const from = Math.max(this.#seen.get(self) ?? 0, raft.firstIndex - 1);
    if (raft.commit > from) this.#commits(member, from);
    this.#seen.set(self, raft.commit);
    this.#state(member);
  }

  #commits(member: Member, from: number): void {
    const { raft } = member.inside!.replica;
    for (let index = from + 1; index <= raft.commit; index++) {
      const term = raft.termAt(index);
      if (term === null) continue;
      const known = this.#committed[index];
      if (known === undefined) this.#committed[index] = term;
      else if (known !== term) {
        this.#break(1, `n${member.id} committed another entry at ${index}`);
      }
    }
  }

  /** Whoever leads holds everything that was acknowledged. */
  #complete(member: Member): void {
    const { raft } = member.inside!.replica;
    const index = this.#acknowledged;
    if (raft.role !== 'leader' || !raft.ready || index < raft.firstIndex) return;
    if (raft.termAt(index) === this.#committed[index]) return;
    this.#break(2, `n${member.id} leads and lacks entry ${index}`);
  }

  #state(member: Member): void {
    const { index } = member.inside!.replica.stateMachine.applied;
    if (index === 0 || this.#lookedAt.get(self(member)) === index) return;
    this.#lookedAt.set(self(member), index);
    const { hash } = member.service!.databaseHash();
    const known = this.#hashes.get(index);
    if (known === undefined) {
      this.#hashes.set(index, { hash, node: member.id });
      if (this.#hashes.size > 4096) this.#hashes.delete(this.#hashes.keys().next().value!);
    } else if (known.hash !== hash) {
      this.#break(3, `n${known.node} and n${member.id} differ at ${index}`);
    } else if (known.node !== member.id) {
      this.#equalAt = Math.max(this.#equalAt, index);
    }
  }

  #break(rule: Rule, what: string): void {
    this.#broken[rule] ||= what;
  }

  views(): CheckView[] {
    const details = [
      `${this.#leaders.size} terms`,
      `${this.#written.size} entries`,
      `${this.#acknowledgedCount} writes`,
      `at ${this.#equalAt}`,
      `${this.#reads} reads`,
    ];
    return NAMES.map((name, rule) => ({
      name,
      broken: this.#broken[rule]!,
      detail: details[rule]!,
    }));
  }
}
