/** Upgrades to WebSockets on every server runtime: where the endpoints are and who is let in. */
import type { OriginPolicy } from '../../api/origins.ts';
import { problemResponse } from '../../api/problem.ts';
import { DEFAULT_STREAM_LIMITS, MESSAGE_EXTRA_BYTES } from '../../api/stream/limits.ts';
import type { Link, LinkEvents } from '../../platform/links.ts';
import { TRANSPORT_LIMITS } from '../../transport/limits.ts';
import { asQuorliteError, QuorliteError } from '../../wire/error.ts';
import { STREAM_PATH } from '../../wire/stream.ts';
import { RAFT_PATH } from './raft-endpoint.ts';

/** Takes an accepted link; returns where its events go. `remote` is `address:port`, for the log. */
export type AcceptLink = (link: Link, remote: string) => LinkEvents;

/** What upgrades need. */
export interface UpgradeOptions {
  readonly origins: OriginPolicy;
  /** Absent: this listener has no such endpoint. */
  readonly onRaft?: AcceptLink | undefined;
  readonly onStream?: AcceptLink | undefined;
  /** Paths below which the endpoints are, such as `/db`; default: the root alone. */
  readonly basePaths?: readonly string[] | undefined;
  /** Bytes of one message of a peer; default that of the transport. */
  readonly raftMessageBytes?: number | undefined;
  /** Bytes of one request of a client; default that of the stream server. */
  readonly streamMessageBytes?: number | undefined;
}

/** One endpoint: who takes its links, and the bytes of a message. */
export interface Endpoint {
  readonly accept: AcceptLink;
  readonly messageBytes: number;
}

/** The endpoints of a listener by path. */
export function endpointsOf(options: UpgradeOptions): ReadonlyMap<string, Endpoint> {
  const { onRaft, onStream, basePaths = [''] } = options;
  const raftBytes = options.raftMessageBytes ?? TRANSPORT_LIMITS.frameBytes;
  const streamBytes = options.streamMessageBytes ?? DEFAULT_STREAM_LIMITS.messageBytes;
  const endpoints = new Map<string, Endpoint>();
  for (const base of basePaths) {
    if (onRaft) endpoints.set(base + RAFT_PATH, { accept: onRaft, messageBytes: raftBytes });
    if (onStream) {
      const messageBytes = streamBytes + MESSAGE_EXTRA_BYTES;
      endpoints.set(base + STREAM_PATH, { accept: onStream, messageBytes });
    }
  }
  return endpoints;
}

/** Judges an upgrade request: throws what it is refused with. `header` gives null for what is absent. */
export function admitUpgrade(
  header: (name: string) => string | null,
  origins: OriginPolicy,
  closing: boolean,
): void {
  if (header('upgrade')?.toLowerCase() !== 'websocket') {
    throw new QuorliteError('BAD_REQUEST', 'only WebSocket upgrades are understood');
  }
  if (closing) throw new QuorliteError('SHUTTING_DOWN', 'the node stops');
  origins.admit({
    host: header('host'),
    origin: header('origin'),
    site: header('sec-fetch-site'),
    mode: header('sec-fetch-mode'),
  });
}

/**
 * What becomes of a `fetch` request: its endpoint, the answer that refuses its upgrade, or null when it is no upgrade or
 * its path is none of ours.
 */
export function judgeUpgrade(
  request: Request,
  endpoints: ReadonlyMap<string, Endpoint>,
  origins: OriginPolicy,
  closing: boolean,
): Endpoint | Response | null {
  const { headers, url } = request;
  if (!headers.has('upgrade')) return null;
  const endpoint = endpoints.get(new URL(url).pathname);
  if (endpoint === undefined) return null;
  try {
    admitUpgrade((name) => headers.get(name), origins, closing);
    if (headers.has('sec-websocket-key')) return endpoint;
    throw new QuorliteError('BAD_REQUEST', 'no WebSocket: Sec-WebSocket-Key is missing');
  } catch (error) {
    return problemResponse(asQuorliteError(error, 'not-applied'));
  }
}

/** The answer to an upgrade, on a port of our own, that no endpoint is there for. */
export function noSocketHere(): Response {
  return problemResponse(new QuorliteError('NOT_FOUND', 'there is no WebSocket at this path'));
}
