/** Remembers which refusals were told, so that a peer that knocks every two seconds fills no log. */

/** How many are remembered before all are forgotten. */
const REMEMBERED = 64;

/** The refusals told since the last connection. */
export class ReportedRefusals {
  readonly #told = new Set<string>();

  /** Whether this refusal was not told yet. A remote port does not count: it differs each time. */
  isNew(url: string, reason: string): boolean {
    const key = `${url.includes('/') ? url : url.replace(/:\d+$/, '')} ${reason}`;
    if (this.#told.has(key)) return false;
    if (this.#told.size >= REMEMBERED) this.#told.clear();
    this.#told.add(key);
    return true;
  }

  forget(): void {
    this.#told.clear();
  }
}
