/**
 * The text of the newest statement in a batch. Batches tend to hold one statement many times over; a command whose text
 * is that of the one before refers to it instead of repeating it, which halves the log and what goes over the network.
 */
export class TextAbove {
  #sql: string | null = null;
  /** Where it stands, length and all. */
  at = 0;
  end = 0;
  /** Whether the command that is being written refers to it. */
  used = false;
  #nextSql: string | null = null;
  #nextAt = 0;
  #nextEnd = 0;

  /** A command begins. */
  begin(): void {
    this.used = false;
    this.#nextSql = null;
  }

  /** Whether `sql` needs no bytes of its own. */
  repeats(sql: string): boolean {
    this.used = sql === this.#sql;
    return this.used;
  }

  /** `sql` was written to `[at, end)`. */
  wrote(sql: string, at: number, end: number): void {
    this.#nextSql = sql;
    this.#nextAt = at;
    this.#nextEnd = end;
  }

  /** The command is complete: the next one may refer to its text, or to the one that it referred to itself. */
  settle(): void {
    if (this.used) return;
    this.#sql = this.#nextSql;
    this.at = this.#nextAt;
    this.end = this.#nextEnd;
  }

  /** The next command writes its text. */
  forget(): void {
    this.#sql = null;
  }
}
