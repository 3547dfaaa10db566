import fc from 'fast-check';
import { expect, test } from 'vitest';
import { quorumValue, voteResult } from './quorum.ts';

const ids = fc.uniqueArray(fc.integer({ min: 1, max: 12 }), { minLength: 1, maxLength: 9 });
const halves = fc.record({ voters: ids, outgoing: fc.oneof(fc.constant<number[]>([]), ids) });
const values = fc.array(fc.integer({ min: 0, max: 6 }), { minLength: 13, maxLength: 13 });
const answers = fc.array(fc.constantFrom(true, false, undefined), {
  minLength: 13,
  maxLength: 13,
});

/** More than half of `voters` satisfy `test`; nobody of nobody does. */
function most(voters: readonly number[], test: (voter: number) => boolean): boolean {
  return voters.filter(test).length * 2 > voters.length;
}

function both(
  { voters, outgoing }: { voters: number[]; outgoing: number[] },
  test: (voter: number) => boolean,
): boolean {
  return most(voters, test) && (outgoing.length === 0 || most(outgoing, test));
}

test('R10, L4: the quorum value is the largest that a majority of every half has reached', () => {
  fc.assert(
    fc.property(halves, values, (config, reached) => {
      let naive = 0;
      for (let value = 0; value <= 6; value++) {
        if (both(config, (voter) => reached[voter]! >= value)) naive = value;
      }
      expect(quorumValue(config, (voter) => reached[voter]!)).toBe(naive);
    }),
  );
});

test('R10: big configurations are counted too', () => {
  const voters = Array.from({ length: 101 }, (_, at) => at);
  expect(quorumValue({ voters, outgoing: [] }, (voter) => voter)).toBe(50);
});

test('a vote is won by a majority of every half, lost when one half can no longer win', () => {
  fc.assert(
    fc.property(halves, answers, (config, votes) => {
      const result = voteResult(config, (voter) => votes[voter]);
      const won = both(config, (voter) => votes[voter] === true);
      const winnable = both(config, (voter) => votes[voter] !== false);
      expect(result).toBe(won ? 'won' : winnable ? 'pending' : 'lost');
    }),
  );
});

test('M6: a configuration without voters wins nothing and counts nothing', () => {
  const nobody = { voters: [], outgoing: [] };
  expect(voteResult(nobody, () => true)).toBe('lost');
  expect(() => quorumValue(nobody, () => 1)).toThrow('has a voter');
});
