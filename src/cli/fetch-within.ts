/** HTTP requests that end in time. */

/**
 * `fetch` that is aborted after `ms` milliseconds, its body included. Unlike `AbortSignal.timeout` the timer keeps the
 * process alive: a connection that hangs must end in an error, not in a silent exit.
 */
export async function fetchWithin<T>(
  url: string,
  ms: number,
  read: (answer: Response) => Promise<T>,
  init: RequestInit = {},
): Promise<T> {
  const controller = new AbortController();
  const timer = setTimeout(() => controller.abort(new Error(`no answer within ${ms} ms`)), ms);
  try {
    return await read(await fetch(url, { ...init, signal: controller.signal }));
  } finally {
    clearTimeout(timer);
  }
}
