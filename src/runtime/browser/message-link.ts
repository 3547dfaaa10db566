/**
 * A link over anything that carries structured messages both ways: a `MessagePort`, or a `BroadcastChannel` and the
 * numbers of two ends. The receiver acknowledges what it took, so that the sender knows what is still on its way.
 */
import type { Link, LinkEvents } from '../../platform/links.ts';

/** What the two ends of a link say to each other. */
export type LinkMessage =
  | { readonly kind: 'opened' }
  | { readonly kind: 'data'; readonly bytes: Uint8Array }
  | { readonly kind: 'ack'; readonly bytes: number }
  | { readonly kind: 'close'; readonly reason: string };

/** So many bytes may be taken before they are acknowledged; the sender counts them as gone. */
const ACK_BYTES = 64 * 1024;

/** One end. Whoever owns the medium calls `receive` and `lost`. */
export class MessageLink implements Link {
  events: LinkEvents | null = null;
  readonly #post: (message: LinkMessage) => void;
  readonly #ended: () => void;
  #open: boolean;
  #over = false;
  #unacknowledged = 0;
  #taken = 0;

  /**
   * @param options `post` sends; `ended` is called once, when nothing more is to be sent or received; a link that was
   *   accepted is `open` from the start.
   */
  constructor(options: {
    readonly open: boolean;
    readonly post: (message: LinkMessage) => void;
    readonly ended: () => void;
  }) {
    this.#open = options.open;
    this.#post = options.post;
    this.#ended = options.ended;
  }

  get bufferedBytes(): number {
    return this.#over ? 0 : Math.max(0, this.#unacknowledged - ACK_BYTES);
  }

  send(bytes: Uint8Array): void {
    if (!this.#open || this.#over) return;
    this.#unacknowledged += bytes.length;
    // A structured clone takes the whole buffer below a view.
    const whole = bytes.length === bytes.buffer.byteLength ? bytes : bytes.slice();
    this.#post({ kind: 'data', bytes: whole });
  }

  close(reason: string = 'closed'): void {
    if (this.#over) return;
    this.#over = true;
    this.#post({ kind: 'close', reason: reason.slice(0, 120) });
    this.#ended();
  }

  /** Takes what the other end said. */
  receive(message: LinkMessage): void {
    if (this.#over) return;
    switch (message.kind) {
      case 'opened':
        if (this.#open) return;
        this.#open = true;
        this.events?.opened();
        return;
      case 'data':
        this.#take(message.bytes);
        return;
      case 'ack': {
        const before = this.bufferedBytes;
        this.#unacknowledged = Math.max(0, this.#unacknowledged - message.bytes);
        if (before > 0 && this.bufferedBytes === 0) this.events?.drained?.();
        return;
      }
      case 'close':
        this.lost(message.reason);
    }
  }

  /** The other end, or the way to it, is gone. */
  lost(reason: string): void {
    if (this.#over) return;
    this.#over = true;
    this.#ended();
    this.events?.closed(reason);
  }

  #take(bytes: Uint8Array): void {
    this.#taken += bytes.length;
    if (this.#taken >= ACK_BYTES) {
      this.#post({ kind: 'ack', bytes: this.#taken });
      this.#taken = 0;
    }
    this.events?.message(bytes);
  }
}

/**
 * A link over a port, which is this link's alone. An accepted one is open at once; a dialled one when the other side has
 * accepted.
 */
export function portLink(
  port: MessagePort,
  options: { readonly accepted: boolean; readonly listen: (link: Link) => LinkEvents },
): void {
  const link = new MessageLink({
    open: options.accepted,
    post: (message) => port.postMessage(message),
    ended: () => setTimeout(() => port.close(), 0),
  });
  link.events = options.listen(link);
  port.onmessage = ({ data }: MessageEvent<LinkMessage>) => link.receive(data);
  port.addEventListener('close', () => link.lost('the port was closed'));
  if (options.accepted) port.postMessage({ kind: 'opened' } satisfies LinkMessage);
}
