/** As much of Bun as is used here: its types come with Bun alone. */

/** A WebSocket that `Bun.serve` accepted. */
export interface BunSocket<T> {
  data: T;
  binaryType: 'uint8array';
  readonly readyState: number;
  /** Bytes sent; −1 when some are buffered, 0 when the message was dropped. */
  send(bytes: Uint8Array): number;
  getBufferedAmount(): number;
  close(code: number, reason: string): void;
  terminate(): void;
}

/** What `Bun.serve` does with WebSockets. */
export interface BunSocketHandlers<T> {
  readonly maxPayloadLength: number;
  readonly backpressureLimit: number;
  readonly closeOnBackpressureLimit: boolean;
  readonly idleTimeout: number;
  readonly sendPings: boolean;
  readonly perMessageDeflate: boolean;
  open(socket: BunSocket<T>): void;
  message(socket: BunSocket<T>, data: Uint8Array | string): void;
  drain(socket: BunSocket<T>): void;
  close(socket: BunSocket<T>, code: number, reason: string): void;
}

/** A server that `Bun.serve` started. */
export interface BunServer {
  readonly port: number;
  /** Turns a request into a WebSocket, which comes to `open` of the handlers. */
  upgrade(request: Request, options: { readonly data: unknown }): boolean;
  requestIP(request: Request): { readonly address: string; readonly port: number } | null;
  /** How long the connection of a request may be silent, seconds; 0 for ever. */
  timeout(request: Request, seconds: number): void;
  /** Stops accepting; resolves when the requests in flight are answered. `cut` closes connections at once. */
  stop(cut: boolean): Promise<void>;
}

/** The namespace `Bun`. */
export interface BunApi {
  serve(options: {
    readonly hostname: string;
    readonly port: number;
    readonly development: boolean;
    readonly idleTimeout: number;
    readonly maxRequestBodySize: number;
    readonly fetch: (request: Request, server: BunServer) => Response | Promise<Response>;
    readonly error: (error: unknown) => Response;
    readonly websocket: object;
  }): BunServer;
}

/** Bun's own interface. */
export function bunApi(): BunApi {
  return (globalThis as unknown as { readonly Bun: BunApi }).Bun;
}
