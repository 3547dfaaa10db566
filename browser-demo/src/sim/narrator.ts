/** Tells in words what nodes do, from what they log and say to each other. */
import { type Message, MessageType } from '../../../src/wire/message.ts';
import type { Member } from './member.ts';
import type { EventKind } from './protocol.ts';
import type { Travelling } from './wires.ts';

/** Where events go. */
export type Tell = (node: number, kind: EventKind, text: string) => void;

/** A narrator of one run. */
export class Narrator {
  readonly #tell: Tell;
  readonly #members: () => readonly Member[];
  /** The newest request for a vote that each node has got, by asker and asked. */
  readonly #asked = new Map<string, Message>();
  #membership = 0;

  constructor(members: () => readonly Member[], tell: Tell) {
    this.#members = members;
    this.#tell = tell;
  }

  /** A node logged something. */
  logged(member: Member, event: string, fields: { readonly [name: string]: unknown }): void {
    const { id } = member;
    switch (event) {
      case 'role':
        this.#role(id, String(fields['role']), Number(fields['term']), Number(fields['leader']));
        return;
      case 'membership':
        this.#members_(id, fields);
        return;
      case 'checkpoint':
        this.#tell(id, 'disk', `n${id} took a snapshot at ${fields['index']}`);
        return;
      default:
        if (/fail|stop|corrupt|refus|install|snapshot/.test(event)) this.#other(id, event, fields);
    }
  }

  #other(id: number, event: string, fields: { readonly [name: string]: unknown }): void {
    // Both sides of a connection that a third one replaced say so; that is no news.
    if (event === 'connection refused' && /already|duplicate/.test(String(fields['reason'])))
      return;
    const what = fields['reason'] ?? fields['error'] ?? fields['message'];
    const index = fields['index'] === undefined ? '' : ` at ${fields['index']}`;
    this.#tell(id, 'disk', `n${id}: ${event}${index}${what === undefined ? '' : `: ${what}`}`);
  }

  #role(id: number, role: string, term: number, leader: number): void {
    if (role === 'leader') this.#tell(id, 'role', `n${id} leads term ${term}`);
    if (role === 'candidate') this.#tell(id, 'vote', `n${id} stands for election in term ${term}`);
    if (role === 'preCandidate') {
      this.#tell(id, 'vote', `n${id} hears no leader and asks who would vote for it`);
    }
    if (role !== 'follower') return;
    const followed = this.#nodeOf(leader);
    if (followed !== 0) this.#tell(id, 'role', `n${id} follows n${followed} in term ${term}`);
  }

  #members_(id: number, fields: { readonly [name: string]: unknown }): void {
    const index = Number(fields['index']);
    if (index <= this.#membership) return;
    this.#membership = index;
    const learners = Number(fields['learners']);
    const more = learners === 0 ? '' : `, ${learners} learning`;
    const joint = fields['joint'] === true ? '; both the old and the new majority must agree' : '';
    this.#tell(id, 'member', `members at ${index}: ${fields['voters']} voters${more}${joint}`);
  }

  /** A message leaves. */
  sent({ from, to, message }: Travelling): void {
    if (message?.type !== MessageType.voteReply) return;
    if (message.reject) this.#refused(from, to, message.term);
    else if (from !== to)
      this.#tell(from, 'vote', `n${from} votes for n${to} in term ${message.term}`);
  }

  /** A message arrived. */
  taken({ from, to, message, kind, text }: Travelling): void {
    if (message?.type === MessageType.vote) this.#asked.set(`${from} ${to}`, message);
    if (kind === 'snapshot' && text === 'a snapshot begins') {
      this.#tell(to, 'disk', `n${to} gets a snapshot from n${from}`);
    }
  }

  #refused(voter: number, candidate: number, term: number): void {
    const asked = this.#asked.get(`${candidate} ${voter}`);
    const raft = this.#member(voter)?.inside?.replica.raft;
    const who = `n${voter} refused n${candidate}'s vote in term ${asked?.term ?? term}`;
    let why = 'it has voted already';
    if (raft && asked) {
      const own = raft.termAt(raft.lastIndex) ?? 0;
      const older = asked.logTerm < own || (asked.logTerm === own && asked.index < raft.lastIndex);
      if (older) why = `n${candidate}'s log is older`;
      else if (asked.term < raft.term) why = `it is in term ${raft.term} already`;
      else if (raft.leader !== 0) why = `it hears its leader n${this.#nodeOf(raft.leader)}`;
    }
    this.#tell(voter, 'vote', `${who}: ${why}`);
  }

  #member(id: number): Member | undefined {
    return this.#members().find((member) => member.id === id);
  }

  #nodeOf(replica: number): number {
    return this.#members().find(({ inside }) => inside?.self === replica)?.id ?? 0;
  }
}
