/** Which engine the suites of state machine and cluster run on. */
import { afterAll, describe, expect, test } from 'vitest';
import type { Engine } from '../../wasm/engine.ts';
import { loadSqliteEngine } from '../../wasm/load/node.ts';

let load: () => Engine = loadSqliteEngine;

/** The engine for state machines and nodes of tests: the default one, unless `suitesOn` says otherwise. */
export function engineUnderTest(): Engine {
  return load();
}

/** Registers the tests of other test files again, on the engine that `other` loads. Paths count from the root. */
export async function suitesOn(
  name: string,
  other: () => Engine,
  paths: readonly string[],
): Promise<void> {
  load = other;
  afterAll(() => {
    load = loadSqliteEngine;
  });
  test(`the engine under test is ${name}`, () => {
    expect(engineUnderTest().id.name).toBe(name);
  });
  for (const path of paths) {
    // A module of its own for each engine: the file's tests are registered anew.
    const url = `${new URL(`../../${path}`, import.meta.url).pathname}?on=${name}`;
    await describe(`${path} on ${name}`, async () => {
      await import(/* @vite-ignore */ url);
    });
  }
}
