/** What a bound port answers before the node behind it is there, and after. */
import { problemResponse } from '../../api/problem.ts';
import type { StreamServer } from '../../api/stream/server.ts';
import type { Link, LinkEvents } from '../../platform/links.ts';
import type { Transport } from '../../transport/contract.ts';
import { QuorliteError } from '../../wire/error.ts';

/** Serves from the moment that the port is bound; says so until the node is there. */
export class Entrance {
  #app: { fetch(request: Request, env: unknown): Response | Promise<Response> } | null = null;
  #transport: Transport | null = null;
  #stream: StreamServer | null = null;

  open(parts: {
    app: { fetch(request: Request, env: unknown): Response | Promise<Response> };
    transport: Transport;
    stream: StreamServer;
  }): void {
    this.#app = parts.app;
    this.#transport = parts.transport;
    this.#stream = parts.stream;
  }

  fetch(request: Request, env: unknown): Response | Promise<Response> {
    if (this.#app) return this.#app.fetch(request, env);
    return problemResponse(new QuorliteError('NOT_READY', 'the node is starting'));
  }

  raft(link: Link, remote: string): LinkEvents {
    return this.#transport?.accept(link, remote) ?? refuse(link);
  }

  stream(link: Link, remote: string): LinkEvents {
    return this.#stream?.accept(link, remote) ?? refuse(link);
  }
}

function refuse(link: Link): LinkEvents {
  link.close('the node is starting');
  return { opened: () => {}, message: () => {}, closed: () => {} };
}
