/** Random choices of a test world, all from one seed. */
import { Random } from '../../src/raft/random.ts';

/** Choices on top of the core's generator. */
export class Dice {
  readonly #random: Random;

  constructor(seed: number) {
    this.#random = new Random(seed);
  }

  /** An integer from 0 to `bound` − 1. */
  below(bound: number): number {
    return this.#random.below(bound);
  }

  /** True in `percent` of 100 cases; fractions of a percent count. */
  percent(percent: number): boolean {
    return this.#random.below(10_000) < percent * 100;
  }

  /** One of `items`, which are not empty. */
  pick<T>(items: readonly T[]): T {
    return items[this.below(items.length)]!;
  }

  /** A seed for something else. */
  seed(): number {
    return this.#random.next();
  }
}
