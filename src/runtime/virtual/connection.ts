/** One connection between two processes: two ends, and a pipe in each direction. */
import type { Link, LinkEvents } from '../../platform/links.ts';
import type { Life } from './life.ts';
import type { Path } from './paths.ts';

/** What travels in a pipe. */
type Item =
  | { readonly type: 'message'; readonly bytes: Uint8Array }
  | { readonly type: 'open' }
  | { readonly type: 'close'; readonly reason: string };

interface Travelling {
  readonly item: Item;
  /** When it leaves the sender: later than it was sent when the sender is busy. True microseconds. */
  readonly leavesAt: number;
  /** Neither lost nor overtaken. */
  readonly safe: boolean;
  arrivesAt: number;
}

/** One direction: what was sent and has not been taken yet, in order. At most one event is queued for it. */
class Pipe {
  readonly #path: Path;
  readonly #sender: End;
  readonly #receiver: End;
  #items: Travelling[] = [];
  #undelivered = 0;
  #messages = 0;
  /** When the last byte sent so far has left the wire, and when the last item arrives. */
  #wireFreeAt = 0;
  #lastArrival = 0;
  #moving = false;

  constructor(path: Path, sender: End, receiver: End) {
    this.#path = path;
    this.#sender = sender;
    this.#receiver = receiver;
  }

  /** Bytes beyond what the kernels hold. */
  get buffered(): number {
    return Math.max(0, this.#undelivered - this.#path.options.socketBytes);
  }

  get idle(): boolean {
    return this.#items.length === 0;
  }

  put(item: Item): void {
    const path = this.#path;
    const { options, random } = path;
    const spared = item.type !== 'message' || ++this.#messages <= options.spared;
    const safe = spared || !options.lossy;
    if (!safe && random.chance(options.loss)) return;
    this.#add(item, safe);
    if (!safe && random.chance(options.duplicate)) this.#add(item, safe);
    if (!safe && random.chance(options.reorder)) this.#swapLast();
  }

  /** Forgets what has not left a sender that died now; the rest is on its way. */
  cutOff(now: number): void {
    this.#items = this.#items.filter(({ item, leavesAt }) => {
      if (leavesAt <= now) return true;
      if (item.type === 'message') this.#undelivered -= item.bytes.length;
      return false;
    });
  }

  /** Loses everything. */
  drop(): void {
    this.#items = [];
    this.#undelivered = 0;
  }

  /** Arranges for the next item's arrival. */
  move(): void {
    const next = this.#items[0];
    if (this.#moving || next === undefined) return;
    this.#moving = true;
    if (this.#path.blocked && !this.#vanishes(next.item)) {
      this.#path.whenOpen(() => this.#retry());
      return;
    }
    const bytes = next.item.type === 'message' ? next.item.bytes : null;
    const kind = bytes === null ? 'io' : 'message';
    this.#receiver.life.at(next.arrivesAt, kind, () => this.#arrive(next), bytes);
  }

  #add(item: Item, safe: boolean): void {
    const { options } = this.#path;
    const size = item.type === 'message' ? item.bytes.length : 0;
    const leavesAt = this.#sender.life.now;
    const wire =
      Math.max(leavesAt, this.#wireFreeAt) + Math.floor(size / options.bytesPerMs) * 1000;
    this.#wireFreeAt = wire;
    const arrivesAt = Math.max(this.#lastArrival, wire + this.#path.latency());
    this.#lastArrival = arrivesAt;
    this.#items.push({ item, leavesAt, safe, arrivesAt });
    this.#undelivered += size;
    this.move();
  }

  #swapLast(): void {
    const items = this.#items;
    const last = items.length - 1;
    // The first item may have an event of its own already.
    if (last < 2 || items[last - 1]!.safe) return;
    [items[last - 1], items[last]] = [items[last]!, items[last - 1]!];
    const { arrivesAt } = items[last]!;
    items[last]!.arrivesAt = items[last - 1]!.arrivesAt;
    items[last - 1]!.arrivesAt = arrivesAt;
  }

  /** The path is open again: what has waited arrives one latency later. */
  #retry(): void {
    this.#moving = false;
    const again = this.#receiver.life.now + this.#path.latency();
    this.#lastArrival = Math.max(this.#lastArrival, again);
    for (const waiting of this.#items) waiting.arrivesAt = Math.max(waiting.arrivesAt, again);
    this.move();
  }

  #arrive(travelling: Travelling): void {
    this.#moving = false;
    // A pipe that was dropped or cut off meanwhile has other things in front.
    if (this.#items[0] !== travelling) {
      this.move();
      return;
    }
    const vanishes = this.#vanishes(travelling.item);
    if (this.#path.blocked && !vanishes) {
      this.move();
      return;
    }
    this.#items.shift();
    this.#taken(travelling.item);
    this.move();
    if (!vanishes) this.#receiver.take(travelling.item);
  }

  /** Whether an item is lost when it arrives: only then, since until then the path may heal. */
  #vanishes(item: Item): boolean {
    return this.#path.cut && this.#path.options.lossy && item.type === 'message';
  }

  #taken(item: Item): void {
    if (item.type !== 'message') return;
    const { socketBytes } = this.#path.options;
    const full = this.#undelivered > socketBytes;
    this.#undelivered -= item.bytes.length;
    if (full && this.#undelivered <= socketBytes) this.#sender.drained();
  }
}

/** One side of a connection. */
export class End implements Link {
  readonly life: Life;
  events: LinkEvents | null = null;
  #open = true;
  #out!: Pipe;
  #other!: End;
  /** What happens when this end sends towards a machine that lost the connection: null while it has it. */
  #onLost: (() => void) | null = null;

  constructor(life: Life) {
    this.life = life;
  }

  /** Joins two ends. */
  static join(one: End, other: End, there: Path, back: Path): void {
    one.#other = other;
    other.#other = one;
    one.#out = new Pipe(there, one, other);
    other.#out = new Pipe(back, other, one);
  }

  get open(): boolean {
    return this.#open && this.life.alive;
  }

  /** Neither side has ended it on this side; its process may just have died. */
  get unended(): boolean {
    return this.#open;
  }

  get other(): End {
    return this.#other;
  }

  get bufferedBytes(): number {
    return this.open ? this.#out.buffered : 0;
  }

  send(bytes: Uint8Array): void {
    if (!this.open) return;
    this.#out.put({ type: 'message', bytes });
    this.#onLost?.();
  }

  close(reason: string = 'closed'): void {
    if (!this.open) return;
    this.#open = false;
    this.#out.put({ type: 'close', reason });
  }

  /** The acceptor has taken the connection. */
  confirm(): void {
    if (this.open) this.#out.put({ type: 'open' });
  }

  /** The process of this end died. Its kernel closes the connection, unless the whole machine fell silent. */
  die(now: number, silent: boolean): void {
    if (!this.#open) return;
    this.#open = false;
    this.#out.cutOff(now);
    if (silent) return;
    this.#other.#out.drop();
    this.#out.put({ type: 'close', reason: 'connection reset' });
  }

  /** The machine of the other end is back and knows nothing of this connection; whoever sends hears so. */
  forget(reset: () => void): void {
    this.#onLost = () => {
      this.#onLost = null;
      reset();
    };
    if (!this.#out.idle) this.#onLost();
  }

  /** Breaks the connection on this side, now. */
  reset(reason: string): void {
    if (!this.open) return;
    this.life.at(this.life.now, 'io', () => this.take({ type: 'close', reason }));
    this.#out.drop();
  }

  drained(): void {
    this.life.at(this.life.now, 'io', () => {
      if (this.open) this.events?.drained?.();
    });
  }

  take(item: Item): void {
    if (!this.open) return;
    if (item.type === 'message') {
      this.events?.message(item.bytes);
    } else if (item.type === 'open') {
      this.events?.opened();
    } else {
      this.#open = false;
      this.events?.closed(item.reason);
    }
  }
}
