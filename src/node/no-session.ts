/** The header of commands that belong to no session: opening one, ticks. */
import type { CommandHeader } from '../wire/command.ts';

export const NO_SESSION: CommandHeader = { session: 0, sequence: 0, acknowledged: 0 };
