/**
 * What every SQL engine must do. Call `testEngine` from a test file of the engine; what it lacks is skipped by the
 * names in its `capabilities`.
 */
import { describe } from 'vitest';
import { testEngineCommands } from './engine-commands.ts';
import { testEngineFaults } from './engine-faults.ts';
import { testEngineForbidden } from './engine-forbidden.ts';
import { testEngineLimits } from './engine-limits.ts';
import { testEngineReaders } from './engine-readers.ts';
import { testEngineSql } from './engine-sql.ts';
import type { EngineFactory } from './engine-support.ts';

/** Registers all suites. */
export function testEngine(name: string, factory: EngineFactory): void {
  describe(`engine: ${name}`, () => {
    testEngineSql(factory);
    testEngineForbidden(factory);
    testEngineCommands(factory);
    testEngineLimits(factory);
    testEngineReaders(factory);
    testEngineFaults(factory);
  });
}
