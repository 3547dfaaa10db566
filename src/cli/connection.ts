/** How commands reach a cluster. */
import type { Client } from '../client/contract.ts';
import { parseNodeUrl } from '../config/address.ts';
import { readSecret } from '../runtime/node/config.ts';
import type { FlagSpecs, Invocation } from './command.ts';
import { UsageError } from './usage.ts';

/** Flags of every command that talks to a cluster. */
export const CONNECTION_FLAGS: FlagSpecs = {
  token: {
    type: 'text',
    shape: 'TEXT|file:PATH|env:NAME',
    help: 'API secret or token (environment QUORLITE_TOKEN, else QUORLITE_SECRET_API)',
  },
  timeout: { type: 'integer', shape: 'MS', help: 'longest wait for one answer', fallback: '10000' },
};

/** Help on the words that follow. */
export const URL_DETAILS = `URL… are nodes of one cluster, any of them; QUORLITE_URL (separated by commas) when none is given,
else http://127.0.0.1:4001.`;

/** Where to connect. */
export interface Target {
  readonly urls: readonly string[];
  readonly token: string | undefined;
  readonly timeoutMs: number;
}

/** URLs and token of an invocation. Throws `UsageError` for what is no URL. */
export function targetOf({ flags, env }: Invocation, words: readonly string[]): Target {
  const given = words.length > 0 ? words : (env['QUORLITE_URL'] ?? '').split(',');
  const urls = given.map((url) => url.trim()).filter((url) => url !== '');
  if (urls.length === 0) urls.push('http://127.0.0.1:4001');
  const checked = urls.map((url) => {
    const parsed = parseNodeUrl(url);
    if ('problem' in parsed) throw new UsageError(parsed.problem);
    return parsed.url;
  });
  const reference = flags.text('token') ?? env['QUORLITE_TOKEN'] ?? env['QUORLITE_SECRET_API'];
  return {
    urls: checked,
    token: reference === undefined ? undefined : readSecret(reference, 'token'),
    timeoutMs: flags.integer('timeout') ?? 10_000,
  };
}

/** Opens a client; connecting happens with its first call. */
export async function openClient(target: Target): Promise<Client> {
  const { connect } = await import('../runtime/node/connect.ts');
  return connect(target.urls, { token: target.token, agent: 'quorlite command line' });
}

/** Runs `body` with a client that is closed afterwards. */
export async function withClient<T>(
  target: Target,
  body: (client: Client) => Promise<T>,
): Promise<T> {
  const client = await openClient(target);
  try {
    return await body(client);
  } finally {
    await client.close();
  }
}
