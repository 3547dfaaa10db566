/** Addresses in a configuration: where to bind, and the URLs of nodes. */

/** Where to bind; `host` without brackets. Port 0 takes a free one. */
export interface HostPort {
  readonly host: string;
  readonly port: number;
}

/** Where a node listens when nothing else says so. */
export const DEFAULT_LISTEN: HostPort = { host: '127.0.0.1', port: 4001 };

/** Parses `host:port`, `[::1]:port` or a port alone (loopback). Null when it is none of these. */
export function parseHostPort(text: string): HostPort | null {
  const match = /^(?:(?:\[([0-9a-fA-F:.]+)\]|([^\s:/[\]]+)):)?(\d{1,5})$/.exec(text);
  if (match === null) return null;
  const port = Number(match[3]);
  if (port > 65_535) return null;
  return { host: match[1] ?? match[2] ?? DEFAULT_LISTEN.host, port };
}

/** The text that `parseHostPort` reads. */
export function formatHostPort(address: HostPort): string {
  const host = address.host.includes(':') ? `[${address.host}]` : address.host;
  return `${host}:${address.port}`;
}

/** True for addresses that only this machine can reach. */
export function isLoopback(host: string): boolean {
  const bare = host.replace(/^\[|\]$/g, '').toLowerCase();
  return bare === 'localhost' || bare === '::1' || /^127(\.\d{1,3}){3}$/.test(bare);
}

/** The origin of a node's URL without a trailing slash, or the reason why it is none. */
export function parseNodeUrl(
  text: string,
): { readonly url: string } | { readonly problem: string } {
  if (!URL.canParse(text))
    return { problem: `"${text}" is not a URL such as http://10.0.0.1:4001` };
  const url = new URL(text);
  if (url.protocol !== 'http:' && url.protocol !== 'https:') {
    return { problem: `"${text}" must begin with http:// or https://` };
  }
  if (url.username !== '' || url.password !== '') {
    return { problem: `"${url.origin}" must not carry a user or a password: use secretRaft` };
  }
  if (url.search !== '' || url.hash !== '') {
    return { problem: `"${text}" must not carry a query or a fragment` };
  }
  return { url: `${url.origin}${url.pathname}`.replace(/\/+$/, '') };
}

/** The path below which a node's URL says that it is reached, such as `/db`; '' for the root and for no URL at all. */
export function basePathOf(url: string): string {
  return url === '' ? '' : new URL(url).pathname.replace(/\/+$/, '');
}

/** Host and port of a node's URL, the scheme's port when it names none. */
export function addressOfUrl(text: string): HostPort {
  const url = new URL(text);
  const port = url.port === '' ? (url.protocol === 'https:' ? 443 : 80) : Number(url.port);
  return { host: url.hostname.replace(/^\[|\]$/g, ''), port };
}
