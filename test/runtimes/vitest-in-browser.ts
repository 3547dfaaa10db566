/**
 * Stands in for vitest where conformance suites run inside a browser: vitest's own `expect`, and a runner that keeps what
 * it is told. A bundle takes this file in place of the package.
 */
import { chai, JestAsymmetricMatchers, JestChaiExpect, JestExtend } from '@vitest/expect';

chai.use(JestExtend);
chai.use(JestChaiExpect);
chai.use(JestAsymmetricMatchers);

type Work = () => unknown;

interface Suite {
  readonly name: string;
  readonly before: Work[];
  readonly after: Work[];
  readonly outer: Suite | null;
}

interface Case {
  readonly name: string;
  readonly suite: Suite | null;
  readonly work: Work;
}

const cases: Case[] = [];
let current: Suite | null = null;

export const expect: typeof chai.expect = chai.expect;

function addSuite(name: string, define: Work): void {
  const suite: Suite = { name, before: [], after: [], outer: current };
  current = suite;
  define();
  current = suite.outer;
}

/** A group of tests; `skipIf` as in vitest. */
export const describe = Object.assign(addSuite, {
  skipIf: (skip: boolean) => (skip ? () => {} : addSuite),
});

function addCase(name: string, work: Work): void {
  cases.push({ name, suite: current, work });
}

/** A test. `skipIf` and `each` as far as the suites use them. */
export const it = Object.assign(addCase, {
  skipIf: (skip: boolean) => (skip ? () => {} : addCase),
  each:
    (rows: readonly unknown[]) =>
    (name: string, work: (row: unknown) => unknown): void => {
      for (const row of rows) addCase(`${name} ${String(row)}`, () => work(row));
    },
});
export const test: typeof it = it;

export function beforeEach(work: Work): void {
  current?.before.push(work);
}

export function afterEach(work: Work): void {
  current?.after.push(work);
}

/** Runs what was defined; the names of all tests, with what went wrong in those that failed. */
export async function runAll(): Promise<{ name: string; failure: string | null }[]> {
  const results: { name: string; failure: string | null }[] = [];
  for (const { name, suite, work } of cases) {
    const suites: Suite[] = [];
    for (let at = suite; at !== null; at = at.outer) suites.unshift(at);
    const full = [...suites.map((it) => it.name), name].join(' > ');
    let failure: string | null = null;
    try {
      for (const { before } of suites) for (const run of before) await run();
      await work();
    } catch (error) {
      failure = error instanceof Error ? `${error.message}\n${error.stack}` : String(error);
    }
    try {
      for (const { after } of suites.reverse()) for (const run of after) await run();
    } catch (error) {
      failure ??= String(error);
    }
    results.push({ name: full, failure });
  }
  return results;
}
