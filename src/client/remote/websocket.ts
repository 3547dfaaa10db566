/** A `WebSocket` of the web's kind as a link. */
import type { Link, LinkEvents } from '../../platform/links.ts';

/** As much of the web's `WebSocket` as is used here; the package `ws` has it, too. */
export interface WebSocketLike {
  binaryType: string;
  readonly bufferedAmount: number;
  send(data: Uint8Array): void;
  close(code?: number, reason?: string): void;
  onopen: ((event: never) => void) | null;
  onmessage: ((event: never) => void) | null;
  onerror: ((event: never) => void) | null;
  onclose: ((event: never) => void) | null;
}

/** Makes WebSockets, such as the global `WebSocket` or the one of the package `ws`. */
export type WebSocketConstructor = new (url: string) => unknown;

const NORMAL = 1000;

/** Dials. What goes wrong, the constructor's refusal of the URL included, comes as `closed`. */
export function dialWebSocket(
  socketConstructor: WebSocketConstructor,
  url: string,
  events: LinkEvents,
): Link {
  let socket: WebSocketLike;
  let isOpen = false;
  let over = false;
  let problem = '';
  function end(reason: string): void {
    if (over) return;
    over = true;
    events.closed(reason);
  }
  try {
    socket = new socketConstructor(url) as WebSocketLike;
  } catch (error) {
    queueMicrotask(() => end(error instanceof Error ? error.message : String(error)));
    return { send() {}, bufferedBytes: 0, close() {} };
  }
  socket.binaryType = 'arraybuffer';
  socket.onopen = () => {
    isOpen = true;
    if (!over) events.opened();
  };
  socket.onmessage = ({ data }: { readonly data: unknown }) => {
    if (over) return;
    if (data instanceof ArrayBuffer) events.message(new Uint8Array(data));
    else close('a text message');
  };
  socket.onerror = (event: { readonly message?: unknown }) => {
    if (typeof event.message === 'string') problem = event.message;
  };
  socket.onclose = ({ code, reason }: { readonly code: number; readonly reason: string }) =>
    end(reason || problem || (isOpen ? `closed with code ${code}` : 'connection refused'));

  function close(reason: string = ''): void {
    over = true;
    socket.close(NORMAL, reason.slice(0, 120));
  }

  return {
    send(bytes) {
      if (isOpen && !over) socket.send(bytes);
    },
    get bufferedBytes() {
      return socket.bufferedAmount;
    },
    close,
  };
}
