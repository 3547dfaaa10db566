/** `GET /`: one plain page. No script, no style sheet from elsewhere, nothing to load. */
import { sha256 } from '@noble/hashes/sha2.js';
import { encodeBase64 } from './base64.ts';
import type { Call } from './context.ts';

const POLICY = [
  "default-src 'none'",
  "style-src 'sha256-STYLE'",
  "base-uri 'none'",
  "form-action 'none'",
  "frame-ancestors 'none'",
];

/** System fonts and colours, light and dark alike. */
const STYLE = [
  ':root{color-scheme:light dark}',
  'body{font:16px/1.5 system-ui,sans-serif;max-width:40rem;margin:4rem auto;padding:0 1rem}',
  'dt{font-weight:600}dd{margin:0 0 .5rem}code{font-family:ui-monospace,monospace}',
].join('');

const LINKS: readonly (readonly [path: string, text: string])[] = [
  ['/readyz', 'readiness'],
  ['/livez', 'liveness'],
  ['/openapi.json', 'API description (OpenAPI 3.1)'],
  ['/v1/version', 'version'],
  ['/v1/cluster', 'cluster'],
  ['/metrics', 'metrics'],
];

/** The style is allowed by its hash, so that nothing else inline would be. */
const CONTENT_SECURITY_POLICY = POLICY.join('; ').replace(
  'STYLE',
  encodeBase64(sha256(new TextEncoder().encode(STYLE))),
);

/** The page. Role and leader are shown where no token protects them. */
export function pageResponse({ api }: Call): Response {
  return new Response(render(facts(api), api.basePath || '.'), {
    headers: {
      'content-type': 'text/html; charset=utf-8',
      'content-security-policy': CONTENT_SECURITY_POLICY,
      'referrer-policy': 'no-referrer',
      'x-content-type-options': 'nosniff',
      'cache-control': 'no-store',
    },
  });
}

function facts(api: Call['api']): [name: string, value: string][] {
  const shown: [string, string][] = [['Node', String(api.service.id)]];
  if (api.auth.required) {
    shown.push(['Access', 'with a token: Authorization: Bearer TOKEN']);
    return shown;
  }
  const { role, leader, term, waiting } = api.service.status();
  shown.push(['Version', api.about.version], ['Role', role]);
  shown.push(['Leader', leader === null ? 'unknown' : `node ${leader}, term ${term}`]);
  if (waiting !== '') shown.push(['Waiting', waiting]);
  return shown;
}

function render(shown: readonly [string, string][], base: string): string {
  const list = shown.map(
    ([name, value]) => `<dt>${escapeHtml(name)}</dt><dd>${escapeHtml(value)}</dd>`,
  );
  // Relative, for APIs mounted below a path that they do not know.
  const links = LINKS.map(
    ([path, text]) =>
      `<li><a href="${escapeHtml(base)}${path}"><code>${path}</code></a> ${escapeHtml(text)}</li>`,
  );
  return `<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<title>Quorlite</title>
<style>${STYLE}</style>
<h1>Quorlite</h1>
<dl>${list.join('')}</dl>
<ul>${links.join('')}</ul>
</html>
`;
}

function escapeHtml(text: string): string {
  return text.replace(/[&<>"']/g, (letter) => `&#${letter.charCodeAt(0)};`);
}
