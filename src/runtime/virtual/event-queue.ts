/** What will happen, ordered by time, then by the order in which it was arranged. A binary heap. */

/** One thing that will happen. */
export interface QueuedEvent {
  /** Microseconds since the world began. */
  time: number;
  /** Breaks ties; given by the queue. */
  order: number;
}

/** A priority queue of events. */
export class EventQueue<E extends QueuedEvent> {
  readonly #heap: E[] = [];
  #order = 0;

  get size(): number {
    return this.#heap.length;
  }

  /** The next event, or undefined. */
  peek(): E | undefined {
    return this.#heap[0];
  }

  push(event: E): void {
    event.order = this.#order++;
    const heap = this.#heap;
    let at = heap.length;
    heap.push(event);
    while (at > 0) {
      const parent = (at - 1) >> 1;
      if (!before(event, heap[parent]!)) break;
      heap[at] = heap[parent]!;
      at = parent;
    }
    heap[at] = event;
  }

  pop(): E | undefined {
    const heap = this.#heap;
    const first = heap[0];
    const last = heap.pop();
    if (heap.length === 0 || last === undefined) return first;
    let at = 0;
    for (;;) {
      let child = 2 * at + 1;
      if (child >= heap.length) break;
      if (child + 1 < heap.length && before(heap[child + 1]!, heap[child]!)) child++;
      if (!before(heap[child]!, last)) break;
      heap[at] = heap[child]!;
      at = child;
    }
    heap[at] = last;
    return first;
  }
}

function before(one: QueuedEvent, other: QueuedEvent): boolean {
  return one.time < other.time || (one.time === other.time && one.order < other.order);
}
