/** What a page and the worker that runs its node say to each other. */
import { QuorliteError } from '../../wire/error.ts';
import type { BrowserNodeConfig } from './config.ts';

/** From the page. */
export type ToWorker =
  | { readonly type: 'start'; readonly config: BrowserNodeConfig }
  /** A client of the node, over a port of its own. */
  | { readonly type: 'serve'; readonly port: MessagePort }
  | { readonly type: 'hash'; readonly call: number }
  | { readonly type: 'shutdown' };

/** From the worker. */
export type FromWorker =
  | { readonly type: 'waiting' }
  | { readonly type: 'running'; readonly id: number }
  | { readonly type: 'hash'; readonly call: number; readonly answer: DatabaseHash | ErrorText }
  | { readonly type: 'stopped'; readonly error: ErrorText | null };

/** The whole database in a few digits, equal on all replicas at an index. */
export interface DatabaseHash {
  readonly index: number;
  readonly hash: string;
}

/** An error, as plain data. */
export interface ErrorText {
  readonly code: QuorliteError['code'];
  readonly message: string;
  readonly outcome: QuorliteError['outcome'];
  readonly hint: string | undefined;
}

/** An error as plain data. */
export function errorText({ code, message, outcome, hint }: QuorliteError): ErrorText {
  return { code, message, outcome, hint };
}

/** The error that was plain data. */
export function errorFrom({ code, message, outcome, hint }: ErrorText): QuorliteError {
  return new QuorliteError(code, message, { outcome, hint });
}
