/** CORS: what browsers of allowed origins are told. No cookies are in use, so credentials are never allowed. */

const ALLOWED_HEADERS = 'Authorization, Content-Type, Idempotency-Key, If-Match, Last-Event-ID';
const EXPOSED_HEADERS =
  'Quorlite-Served-By, Quorlite-Leader, Quorlite-Index, Quorlite-History, ETag, Retry-After, Allow';
/** Seconds that a browser may remember a preflight. */
const PREFLIGHT_SECONDS = '600';

/** Adds the headers of an answer to an allowed origin. */
export function corsHeaders(headers: Headers, origin: string): void {
  headers.set('access-control-allow-origin', origin);
  headers.set('access-control-expose-headers', EXPOSED_HEADERS);
  headers.append('vary', 'Origin');
}

/** The answer to `OPTIONS`; `origin` is null for the same origin. */
export function preflight(
  origin: string | null,
  methods: readonly string[],
  request: Request,
): Response {
  const allow = methods.join(', ');
  const headers = new Headers({ allow, 'cache-control': 'no-store' });
  if (origin !== null) {
    headers.set('access-control-allow-methods', allow);
    headers.set('access-control-allow-headers', ALLOWED_HEADERS);
    headers.set('access-control-max-age', PREFLIGHT_SECONDS);
    if (request.headers.get('access-control-request-private-network') === 'true') {
      headers.set('access-control-allow-private-network', 'true');
    }
    corsHeaders(headers, origin);
  }
  return new Response(null, { status: 204, headers });
}
