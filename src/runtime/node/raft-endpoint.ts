/** Where peers find each other. */

/** Path of the Raft endpoint below a node's URL. */
export const RAFT_PATH = '/raft';

/** The WebSocket URL of the Raft endpoint of a node with this `http`, `https`, `ws` or `wss` URL. */
export function raftEndpoint(url: string): string {
  const endpoint = new URL(url);
  if (endpoint.protocol === 'http:') endpoint.protocol = 'ws:';
  else if (endpoint.protocol === 'https:') endpoint.protocol = 'wss:';
  endpoint.pathname = endpoint.pathname.replace(/\/+$/, '') + RAFT_PATH;
  endpoint.search = '';
  endpoint.hash = '';
  return endpoint.href;
}
