/** What happened, as the page shows it: kept until the page takes it. */
import type { Entry } from '../../../src/wire/entry.ts';
import type { Member } from './member.ts';
import type {
  AnswerView,
  ArrivalView,
  EntryView,
  EventKind,
  EventView,
  Frame,
  MessageView,
  NodeView,
} from './protocol.ts';
import type { Travelling } from './wires.ts';
import { entryWords } from './words.ts';

/** A run's recorder. While it is `off`, a run that was recorded before is only repeated. */
export class Recorder {
  off = false;
  frames: Frame[] = [];
  messages: MessageView[] = [];
  arrivals: ArrivalView[] = [];
  events: EventView[] = [];
  entries: EntryView[] = [];
  answers: AnswerView[] = [];
  #views = new Map<number, NodeView>();
  #cuts = '';
  #arcs = '';
  #lastEvent = 0;
  readonly #known = new Set<string>();

  event(at: number, node: number, kind: EventKind, text: string): void {
    const id = ++this.#lastEvent;
    if (!this.off) this.events.push({ id, at, node, kind, text });
  }

  sent(message: Travelling): void {
    if (this.off) return;
    const { id, from, to, kind, text, term, bytes, sent, due } = message;
    this.messages.push({ id, from, to, kind, text, term, bytes, sent, due });
  }

  arrived(arrival: ArrivalView): void {
    if (!this.off) this.arrivals.push(arrival);
  }

  answer(answer: AnswerView): void {
    if (!this.off) this.answers.push(answer);
  }

  entry(entry: Entry): void {
    const { index, term, bytes } = entry;
    const key = `${index}/${term}`;
    if (this.#known.has(key)) return;
    this.#known.add(key);
    if (this.off) return;
    this.entries.push({ index, term, text: entryWords(entry), bytes: bytes.length });
  }

  /** Takes a picture, if it differs from the last one. */
  frame(at: number, members: readonly Member[], cuts: readonly number[], whole: boolean): void {
    if (this.off) return;
    let changed = whole;
    const nodes = members.map((member) => {
      const view = member.view();
      const before = this.#views.get(member.id);
      if (!whole && before !== undefined && same(before, view)) return null;
      this.#views.set(member.id, view);
      changed = true;
      return view;
    });
    const arcs = members.map((member) => member.arc());
    const arcsKey = arcs.join();
    const cutsKey = cuts.join();
    const cut = whole || cutsKey !== this.#cuts;
    if (!changed && !cut && arcsKey === this.#arcs) return;
    this.#arcs = arcsKey;
    this.#cuts = cutsKey;
    this.frames.push({ at, nodes, arcs, cuts: cut ? cuts : null });
  }

  /** Everything since the last time. */
  take(): {
    frames: Frame[];
    messages: MessageView[];
    arrivals: ArrivalView[];
    events: EventView[];
    entries: EntryView[];
    answers: AnswerView[];
  } {
    const { frames, messages, arrivals, events, entries, answers } = this;
    this.frames = [];
    this.messages = [];
    this.arrivals = [];
    this.events = [];
    this.entries = [];
    this.answers = [];
    return { frames, messages, arrivals, events, entries, answers };
  }
}

function same(a: NodeView, b: NodeView): boolean {
  return (
    a.state === b.state &&
    a.role === b.role &&
    a.term === b.term &&
    a.leader === b.leader &&
    a.commit === b.commit &&
    a.applied === b.applied &&
    a.durable === b.durable &&
    a.last === b.last &&
    a.hash === b.hash &&
    a.syncMs === b.syncMs &&
    a.why === b.why &&
    a.copied === b.copied &&
    a.terms === b.terms
  );
}
