/** The header of commands that belong to no session: opening one, ticks. */
import type { CommandHeader } from '../wire/command.ts';

/** Session 0: no duplicates are looked for, since doing it twice does no harm. */
export const NO_SESSION: CommandHeader = { session: 0, sequence: 0, acknowledged: 0 };
