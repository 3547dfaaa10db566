/** From milliseconds in the configuration to ticks of the consensus core. */

/** Ticks per heartbeat: more would only cost wake-ups. */
const TICKS_PER_HEARTBEAT = 3;

/** The leader works so long on a join or a promotion before it gives up, milliseconds. */
export const JOIN_MS = 30_000;

/**
 * Question or answer may be lost, so whoever wants to join asks again after so long, milliseconds; twice as long each
 * time, since catching up takes its time, up to `JOIN_ASK_MAX_MS`. The leader joins equal questions.
 */
export const JOIN_ASK_MS = 1000;
/** The longest of these waits, milliseconds. */
export const JOIN_ASK_MAX_MS = 8000;

/** The core's clock. */
export interface Timing {
  readonly tickMs: number;
  readonly heartbeatTicks: number;
  readonly electionTicks: number;
  readonly electionMs: number;
  /** How long a command marked slow may hold an election back, from its commit on (architecture, section 2). */
  readonly slowMaxMs: number;
}

/**
 * @example
 * timing({ heartbeatMs: 150, electionMs: 1000 }).tickMs === 50;
 */
export function timing(config: {
  readonly heartbeatMs: number;
  readonly electionMs: number;
}): Timing {
  const tickMs = config.heartbeatMs / TICKS_PER_HEARTBEAT;
  return {
    tickMs,
    heartbeatTicks: TICKS_PER_HEARTBEAT,
    electionTicks: Math.max(TICKS_PER_HEARTBEAT * 2, Math.round(config.electionMs / tickMs)),
    electionMs: config.electionMs,
    slowMaxMs: 60_000,
  };
}
