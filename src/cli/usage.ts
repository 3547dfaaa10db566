/** Wrong use of the command line: exit code 2. */

/** Thrown for arguments that make no sense; `hint` says what would. */
export class UsageError extends Error {
  override readonly name = 'UsageError';
  readonly hint: string | undefined;

  constructor(message: string, hint?: string) {
    super(message);
    this.hint = hint;
  }
}
