/** As much of Deno as is used here: its types come with Deno alone. */

/** An address that a connection came from. */
export interface DenoAddress {
  readonly hostname?: string;
  readonly port?: number;
}

/** A server that `Deno.serve` started. */
export interface DenoServer {
  readonly addr: DenoAddress;
  readonly finished: Promise<void>;
  /** Stops accepting; resolves when the requests in flight are answered. */
  shutdown(): Promise<void>;
}

/** The namespace `Deno`. */
export interface DenoApi {
  serve(
    options: {
      readonly hostname: string;
      readonly port: number;
      readonly signal: AbortSignal;
      readonly onListen: () => void;
      readonly onError: (error: unknown) => Response;
      readonly automaticCompression: boolean;
    },
    handler: (
      request: Request,
      info: { readonly remoteAddr: DenoAddress },
    ) => Response | Promise<Response>,
  ): DenoServer;
  upgradeWebSocket(
    request: Request,
    options: { readonly idleTimeout: number },
  ): { readonly socket: WebSocket; readonly response: Response };
}

/** Deno's own interface. */
export function denoApi(): DenoApi {
  return (globalThis as unknown as { readonly Deno: DenoApi }).Deno;
}
