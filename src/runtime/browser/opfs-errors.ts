/** What the origin private file system throws, as the file layer says it. */
import { FileError, type FileErrorKind } from '../../platform/files.ts';

const KINDS: Readonly<Record<string, FileErrorKind>> = {
  NotFoundError: 'not-found',
  QuotaExceededError: 'no-space',
  NoModificationAllowedError: 'locked',
  InvalidStateError: 'closed',
};

/** `error` as a `FileError` about `path`. */
export function fileError(path: string, error: unknown): FileError {
  if (error instanceof FileError) return error;
  const [name, message] =
    error instanceof Error ? [error.name, error.message] : ['', String(error)];
  return new FileError(KINDS[name] ?? 'io', `${path}: ${message}`, error);
}
