/** Everything the worker has told: the page shows any moment of it without asking again. */
import type {
  AnswerView,
  ArrivalView,
  EntryView,
  EventView,
  MessageView,
  News,
  NodeView,
} from '../sim/protocol.ts';

/** A moment, complete. */
export interface Moment {
  readonly at: number;
  readonly nodes: readonly NodeView[];
  readonly arcs: readonly number[];
  readonly cuts: readonly number[];
}

/** Messages that are held back are looked for in the newest ones. */
const HELD_BACK = 400;

/** The recorded run. */
export class History {
  readonly moments: Moment[] = [];
  messages: MessageView[] = [];
  events: EventView[] = [];
  readonly ends: Map<number, ArrivalView> = new Map();
  readonly entries: Map<string, EntryView> = new Map();
  readonly answers: Map<number, AnswerView> = new Map();

  clear(): void {
    this.moments.length = 0;
    this.messages = [];
    this.events = [];
    this.ends.clear();
    this.entries.clear();
    this.answers.clear();
  }

  add(news: Extract<News, { type: 'news' }>): void {
    for (const frame of news.frames) {
      const before = this.moments[this.moments.length - 1];
      const nodes = frame.nodes.map((node, i) => node ?? before!.nodes[i]!);
      const cuts = frame.cuts ?? before?.cuts ?? [];
      this.moments.push({ at: frame.at, nodes, arcs: frame.arcs, cuts });
    }
    for (const message of news.messages) this.messages.push(message);
    for (const arrival of news.arrivals) {
      if (!this.ends.has(arrival.id)) this.ends.set(arrival.id, arrival);
    }
    for (const event of news.events) this.events.push(event);
    for (const entry of news.entries) this.entries.set(`${entry.index}/${entry.term}`, entry);
    for (const answer of news.answers) this.answers.set(answer.id, answer);
  }

  /** Forgets what came behind a moment. */
  cut(at: number): void {
    this.moments.length = this.#position(this.moments, at, (moment) => moment.at) + 1;
    this.messages = this.messages.filter((message) => message.sent <= at);
    this.events = this.events.filter((event) => event.at <= at);
    for (const [id, end] of this.ends) if (end.at > at) this.ends.delete(id);
    for (const [id, answer] of this.answers) {
      if (answer.asked > at) this.answers.delete(id);
      else if (answer.answered !== null && answer.answered > at) {
        this.answers.set(id, { ...answer, answered: null, error: '', rows: [], columns: [] });
      }
    }
  }

  /** The newest moment that is not behind `at`. */
  moment(at: number): Moment | null {
    if (this.moments.length === 0) return null;
    return this.moments[
      Math.max(
        0,
        this.#position(this.moments, at, (moment) => moment.at),
      )
    ]!;
  }

  /** Messages on their way. */
  travelling(at: number): MessageView[] {
    const { messages } = this;
    const to = this.#position(messages, at, (message) => message.sent);
    const found: MessageView[] = [];
    for (let i = to; i >= 0 && i > to - HELD_BACK; i--) {
      const message = messages[i]!;
      const end = this.ends.get(message.id);
      if (end === undefined ? at - message.sent < 60_000 : end.at >= at) found.push(message);
      if (at - message.sent > 60_000 && end !== undefined) break;
    }
    return found;
  }

  #position<T>(items: readonly T[], at: number, timeOf: (item: T) => number): number {
    let low = 0;
    let high = items.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (timeOf(items[middle]!) <= at) low = middle + 1;
      else high = middle;
    }
    return low - 1;
  }
}
