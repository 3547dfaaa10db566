/** What clients of a chaotic cluster asked and heard, and what must be true of it in the end. */
import { expect } from 'vitest';
import type { CommandOutcome } from '../../src/wire/result.ts';

/** What was asked of the counter and what came back, in virtual time. */
export interface CounterCall {
  readonly kind: 'add' | 'read';
  readonly from: number;
  to: number;
  value: number | null;
  outcome: 'ok' | 'not-applied' | 'unknown' | 'open';
}

/** Calls on the counter, and the fate of the rows that clients wrote. */
export class History {
  readonly calls: CounterCall[] = [];
  readonly acknowledged: Set<string> = new Set();
  readonly refused: Set<string> = new Set();

  begin(kind: CounterCall['kind'], now: number): CounterCall {
    const call: CounterCall = { kind, from: now, to: 0, value: null, outcome: 'open' };
    this.calls.push(call);
    return call;
  }

  /** An add was answered. */
  added(call: CounterCall, outcome: CommandOutcome, now: number): void {
    call.to = now;
    if (!outcome.ok) {
      call.outcome = outcome.error.outcome === 'not-applied' ? 'not-applied' : 'unknown';
    } else if (outcome.result.type === 'statement') {
      call.outcome = 'ok';
      call.value = outcome.result.result.rows![0]![0] as number;
    }
  }

  /** A row was answered. */
  wrote(key: string, outcome: CommandOutcome): void {
    if (outcome.ok) this.acknowledged.add(key);
    else if (outcome.error.outcome === 'not-applied') this.refused.add(key);
  }

  /** Whoever waited at a node that died hears nothing more. */
  interrupted(now: number): void {
    for (const call of this.calls) {
      if (call.outcome !== 'open') continue;
      call.to = now;
      call.outcome = 'unknown';
    }
  }

  checkRows(rows: readonly (readonly [client: number, sequence: number])[]): void {
    const present = new Set<string>();
    for (const [client, sequence] of rows) {
      const key = `${client}/${sequence}`;
      expect(present.has(key), `${key} is there twice`).toBe(false);
      present.add(key);
    }
    for (const key of this.acknowledged) expect(present.has(key), `${key} is lost`).toBe(true);
    for (const key of this.refused) expect(present.has(key), `${key} was refused`).toBe(false);
  }

  /**
   * A counter that only grows by one is linearizable exactly when acknowledged values are unique, no call sees less than
   * what ended before it began, and none sees more than what had begun before it ended.
   */
  checkCounter(final: number): void {
    const done = this.calls.filter((call) => call.outcome === 'ok');
    const adds = done.filter((call) => call.kind === 'add');
    expect(new Set(adds.map((call) => call.value)).size).toBe(adds.length);
    for (const call of done) {
      const before = done.filter((other) => other.to < call.from);
      const floor = Math.max(0, ...before.map((other) => other.value!));
      expect(call.value, `${JSON.stringify(call)} is stale`).toBeGreaterThanOrEqual(
        call.kind === 'add' ? floor + 1 : floor,
      );
      const possible = this.calls.filter(
        (other) => other.kind === 'add' && other.outcome !== 'not-applied' && other.from < call.to,
      );
      expect(call.value, `${JSON.stringify(call)} is from the future`).toBeLessThanOrEqual(
        possible.length,
      );
    }
    expect(final).toBeGreaterThanOrEqual(adds.length);
  }
}
