/**
 * Reading a JSON body within bounds: its media type, its size while it arrives, its depth before it is parsed. Parsing
 * deep nesting is what bodies of a few bytes per level can hurt a process with.
 */
import type { NodeLimits } from '../config/limits.ts';
import { QuorliteError } from '../wire/error.ts';

const decoder = new TextDecoder('utf-8', { fatal: true });

/** The media types that an HTML form can send to another site without being asked first. */
const FORM_TYPES: ReadonlySet<string> = new Set([
  'application/x-www-form-urlencoded',
  'multipart/form-data',
  'text/plain',
]);

/** The limits that reading a body needs. */
export type BodyLimits = Pick<NodeLimits, 'maxBodyBytes' | 'maxNesting' | 'maxPendingBytes'>;

/** Reads bodies for one API and bounds what all of them hold together. */
export interface BodyReader {
  /**
   * The parsed body; undefined when it is empty. Throws `BAD_REQUEST` (media type, UTF-8, JSON, depth),
   * `ENTRY_TOO_LARGE` (one body) and `OVERLOADED` (all bodies being read).
   */
  json(request: Request): Promise<unknown>;
}

/** Refuses the three form types, whatever the route. */
export function refuseForms(contentType: string | null): void {
  if (contentType === null || contentType === 'application/json') return;
  const type = mediaType(contentType);
  if (!FORM_TYPES.has(type)) return;
  throw new QuorliteError('BAD_REQUEST', `the content type ${type} is refused everywhere`, {
    hint: 'send JSON with the header content-type: application/json',
  });
}

function mediaType(contentType: string): string {
  const end = contentType.indexOf(';');
  return (end < 0 ? contentType : contentType.slice(0, end)).trim().toLowerCase().slice(0, 64);
}

/** Makes a reader with these limits. */
export function createBodyReader(limits: BodyLimits): BodyReader {
  const together = Math.max(limits.maxPendingBytes, limits.maxBodyBytes);
  let held = 0;

  function hold(bytes: number): void {
    if (held + bytes > together) {
      throw new QuorliteError('OVERLOADED', `request bodies of ${together} bytes are being read`);
    }
    held += bytes;
  }

  async function json(request: Request): Promise<unknown> {
    const declared = declaredLength(request.headers.get('content-length'));
    if (declared > limits.maxBodyBytes) throw tooLarge(limits.maxBodyBytes);
    if (declared === 0) return undefined;
    let mine = 0;
    function grow(bytes: number): void {
      hold(bytes);
      mine += bytes;
      if (mine > limits.maxBodyBytes) throw tooLarge(limits.maxBodyBytes);
    }
    try {
      const bytes =
        declared > 0
          ? await readDeclared(request, declared, grow)
          : await readChunks(request, grow);
      if (bytes.length === 0) return undefined;
      requireJson(request.headers);
      return parseJson(bytes, limits.maxNesting);
    } finally {
      held -= mine;
    }
  }
  return { json };
}

/** NaN when there is no `content-length` (a chunked body, or a request made in this process). */
function declaredLength(header: string | null): number {
  return header === null ? Number.NaN : Number(header);
}

/** The fast way: the server has checked that the body is as long as it says. */
async function readDeclared(
  request: Request,
  declared: number,
  grow: (bytes: number) => void,
): Promise<Uint8Array> {
  grow(declared);
  const bytes = new Uint8Array(await request.arrayBuffer().catch(interrupted));
  if (bytes.length > declared) grow(bytes.length - declared);
  return bytes;
}

async function readChunks(request: Request, grow: (bytes: number) => void): Promise<Uint8Array> {
  if (request.body === null) return new Uint8Array(0);
  const reader = request.body.getReader();
  const chunks: Uint8Array[] = [];
  let length = 0;
  for (;;) {
    const { done, value } = await reader.read().catch(interrupted);
    if (done) break;
    try {
      grow(value.length);
    } catch (error) {
      await reader.cancel().catch(() => {});
      throw error;
    }
    chunks.push(value);
    length += value.length;
  }
  if (chunks.length === 1) return chunks[0]!;
  const bytes = new Uint8Array(length);
  let at = 0;
  for (const chunk of chunks) {
    bytes.set(chunk, at);
    at += chunk.length;
  }
  return bytes;
}

function interrupted(cause: unknown): never {
  throw new QuorliteError('ABORTED', 'the body ended before it was complete', { cause });
}

function tooLarge(limit: number): QuorliteError {
  return new QuorliteError('ENTRY_TOO_LARGE', `the body exceeds ${limit} bytes`, {
    hint: 'send it in several requests, or raise limits.maxBodyBytes',
  });
}

function requireJson(headers: Headers): void {
  const encoding = headers.get('content-encoding');
  if (encoding !== null && encoding !== 'identity') {
    throw new QuorliteError(
      'BAD_REQUEST',
      'an encoded body is not read; send it without content-encoding',
    );
  }
  const type = headers.get('content-type');
  if (type === 'application/json') return;
  if (type === null || mediaType(type) !== 'application/json') {
    const given = type === null ? 'none' : mediaType(type);
    throw new QuorliteError(
      'BAD_REQUEST',
      `the content type must be application/json, not ${given}`,
    );
  }
  const charset = /;\s*charset\s*=\s*"?([^\s";]*)/i.exec(type)?.[1];
  if (charset !== undefined && charset.toLowerCase() !== 'utf-8') {
    throw new QuorliteError('BAD_REQUEST', 'JSON is read as UTF-8 only');
  }
}

/** Parses JSON no deeper than `maxNesting`. Throws `BAD_REQUEST`. */
export function parseJson(bytes: Uint8Array, maxNesting: number): unknown {
  if (exceedsDepth(bytes, maxNesting)) {
    throw new QuorliteError('BAD_REQUEST', `the body nests deeper than ${maxNesting} levels`);
  }
  let text: string;
  try {
    text = decoder.decode(bytes);
  } catch {
    throw new QuorliteError('BAD_REQUEST', 'the body is not UTF-8');
  }
  try {
    return JSON.parse(text);
  } catch (error) {
    throw new QuorliteError('BAD_REQUEST', `the body is not JSON: ${(error as Error).message}`);
  }
}

const QUOTE = 34;
const BACKSLASH = 92;

/** Counts brackets outside of texts; what is not JSON is left to the parser. */
function exceedsDepth(bytes: Uint8Array, limit: number): boolean {
  // One level takes two bytes, so that short bodies need no look.
  if (bytes.length <= limit) return false;
  let depth = 0;
  for (let i = 0; i < bytes.length; i++) {
    const byte = bytes[i]!;
    if (byte === QUOTE) {
      for (i++; i < bytes.length && bytes[i] !== QUOTE; i++) if (bytes[i] === BACKSLASH) i++;
      continue;
    }
    // `[` 91 and `{` 123, `]` 93 and `}` 125 differ in bit 5 alone.
    const folded = byte | 32;
    if (folded === 123) {
      if (++depth > limit) return true;
    } else if (folded === 125) {
      depth--;
    }
  }
  return false;
}
