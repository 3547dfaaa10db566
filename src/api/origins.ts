/**
 * Which browsers may call: an allow-list of origins, same origin by default, for HTTP and WebSocket upgrades alike; and
 * a check of the Host header where no token protects the node, so that a name that an attacker rebinds to this machine
 * does not become "same origin" (DNS rebinding).
 */
import { isLoopback } from '../config/address.ts';
import { QuorliteError } from '../wire/error.ts';

/** What of a request counts. Names as in HTTP; null when absent. */
export interface CallerHeaders {
  readonly host: string | null;
  readonly origin: string | null;
  /** `sec-fetch-site`, `sec-fetch-mode`: sent by browsers alone. */
  readonly site: string | null;
  readonly mode: string | null;
}

/** Judges requests by where they come from. */
export interface OriginPolicy {
  /** Whether the Host header counts; callers may skip reading `site` and `mode` otherwise. */
  readonly open: boolean;
  /** Throws `FORBIDDEN`. Returns the origin when it is another one and allowed (it needs CORS headers), else null. */
  admit(caller: CallerHeaders): string | null;
}

/**
 * Makes the policy of a node.
 *
 * @example
 * createOriginPolicy({ origins: ['https://app.example'], url: 'http://127.0.0.1:4001', authenticated: true });
 */
export function createOriginPolicy(options: {
  /** Allowed beside the same origin, as `scheme://host[:port]`; `*` for any, only with a token. */
  readonly origins: readonly string[];
  /** The node's own URL: its host is a good Host header. */
  readonly url: string;
  /** Whether every call needs a token. */
  readonly authenticated: boolean;
}): OriginPolicy {
  const { authenticated } = options;
  const any = options.origins.includes('*');
  const allowed = new Set(options.origins.filter((origin) => origin !== '*').map(normalize));
  if (any && !authenticated) {
    throw new QuorliteError(
      'CONFIG_INVALID',
      'origins "*" needs secretApi: else any page could use this node',
    );
  }
  const hosts = new Set([...allowed, ...(options.url ? [options.url] : [])].map(hostnameOf));

  let lastGood: string | null = null;

  function checkHost(host: string | null): void {
    if (host !== null && host === lastGood) return;
    if (host === null) throw new QuorliteError('FORBIDDEN', 'the Host header is missing');
    const name = hostnameOf(`http://${host}`);
    if (isLoopback(name) || name.endsWith('.localhost') || hosts.has(name)) {
      lastGood = host;
      return;
    }
    throw new QuorliteError('FORBIDDEN', 'the Host header does not name this node', {
      hint: 'without secretApi a node answers to loopback names, its own URL and configured origins only',
    });
  }

  function admit({ host, origin, site, mode }: CallerHeaders): string | null {
    if (!authenticated) checkHost(host);
    if (origin === null) {
      // Without a token, a page of another site could still load a URL of ours (as an image, say) and cost work.
      if (!authenticated && site === 'cross-site' && mode !== 'navigate') throw crossOrigin();
      return null;
    }
    if (any || allowed.has(origin)) return origin;
    if (host !== null && isSameHost(origin, host)) return null;
    throw crossOrigin();
  }
  return { open: !authenticated, admit };
}

function crossOrigin(): QuorliteError {
  return new QuorliteError('FORBIDDEN', 'requests from this origin are not allowed', {
    hint: 'add it to origins in the configuration of the node',
  });
}

/** Scheme aside: a proxy that ends TLS hides it from us. */
function isSameHost(origin: string, host: string): boolean {
  const separator = origin.indexOf('://');
  if (separator < 0) return false;
  return origin.slice(separator + 3).toLowerCase() === host.toLowerCase();
}

function normalize(origin: string): string {
  const url = URL.canParse(origin) ? new URL(origin) : null;
  if (url === null || url.host === '' || url.pathname.length > 1 || url.search !== '') {
    throw new QuorliteError('CONFIG_INVALID', `origins: "${origin}" is not scheme://host[:port]`);
  }
  // Extensions and native shells have schemes whose origin URL calls opaque; browsers send scheme and host.
  return url.origin === 'null' ? `${url.protocol}//${url.host}` : url.origin;
}

function hostnameOf(url: string): string {
  return URL.canParse(url) ? new URL(url).hostname.toLowerCase() : '';
}
