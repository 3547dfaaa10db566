/** Closed loops: a fixed number of callers, each with one operation outstanding. */

/** What one run measured. */
export interface LoopResult {
  readonly operations: number;
  readonly errors: number;
  /** Wall time of the run, seconds. */
  readonly seconds: number;
  /** Operations that succeeded per second. */
  readonly rate: number;
  readonly p50Ms: number;
  readonly p99Ms: number;
  readonly maxMs: number;
  /** Processor time that this process spent per operation, microseconds. */
  readonly cpuUs: number;
  /** The first error, when there was one. */
  readonly firstError: unknown;
}

/**
 * Runs `operation` from `concurrency` callers until `ms` have passed, then lets what is outstanding finish. Ends early at
 * the hundredth error.
 */
export async function closedLoop(
  concurrency: number,
  ms: number,
  operation: () => Promise<void>,
): Promise<LoopResult> {
  const times: number[] = [];
  let errors = 0;
  let firstError: unknown = null;
  const cpu = process.cpuUsage();
  const begin = performance.now();
  async function caller(): Promise<void> {
    for (let now = performance.now(); now - begin < ms && errors < 100; ) {
      try {
        await operation();
        const end = performance.now();
        times.push(end - now);
        now = end;
      } catch (error) {
        firstError ??= error;
        errors++;
        now = performance.now();
      }
    }
  }
  await Promise.all(Array.from({ length: concurrency }, caller));
  const seconds = (performance.now() - begin) / 1000;
  const { user, system } = process.cpuUsage(cpu);
  const sorted = Float64Array.from(times).sort();
  return {
    operations: times.length,
    errors,
    seconds,
    rate: times.length / seconds,
    p50Ms: percentile(sorted, 0.5),
    p99Ms: percentile(sorted, 0.99),
    maxMs: percentile(sorted, 1),
    cpuUs: times.length === 0 ? 0 : (user + system) / times.length,
    firstError,
  };
}

/** The smallest value that at least `share` of the sorted values do not exceed (nearest rank); 0 of none. */
export function percentile(sorted: Float64Array, share: number): number {
  if (sorted.length === 0) return 0;
  return sorted[Math.max(0, Math.ceil(share * sorted.length) - 1)]!;
}
