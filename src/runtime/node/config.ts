/** What configuration needs of Node: files and variables that hold secrets, the host name. */
import { readFileSync } from 'node:fs';
import { hostname } from 'node:os';
import { DEFAULT_LISTEN } from '../../config/address.ts';
import type { NodeConfig } from '../../config/node-config.ts';
import { configError, type Origins } from '../../config/problem.ts';
import { type ResolvedConfig, resolveConfig } from '../../config/resolve.ts';

/** Where values came from, and whether the caller is a server process (which listens by default). */
export interface NodeResolveOptions {
  readonly origins?: Origins | undefined;
  readonly server?: boolean | undefined;
}

/** `resolveConfig` with Node's host name and secrets from files and variables. */
export function resolveNodeConfig(
  config: NodeConfig,
  options: NodeResolveOptions = {},
): ResolvedConfig {
  return resolveConfig(config, {
    origins: options.origins,
    hostname,
    readSecret: (reference, key) => readSecret(reference, key, options.origins),
    defaultListen: options.server === true ? DEFAULT_LISTEN : undefined,
  });
}

/** The secret behind `file:PATH` (surrounding white space removed) or `env:NAME`; any other text is the secret itself. */
export function readSecret(reference: string, key: string, origins?: Origins): string {
  const cut = reference.indexOf(':');
  const kind = reference.slice(0, cut);
  const name = reference.slice(cut + 1);
  if (kind === 'env') {
    const value = process.env[name];
    if (value !== undefined && value !== '') return value;
    throw configError(key, `is ${reference}, but that variable is not set`, { origins });
  }
  if (kind !== 'file') return reference;
  try {
    return readFileSync(name, 'utf8').trim();
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    throw configError(key, `is ${reference}, which cannot be read: ${reason}`, { origins });
  }
}
