/** The SQL engine that a configuration names. */
import type { Engine } from '../../../wasm/engine.ts';
import { loadSqliteEngine } from '../../../wasm/load/node.ts';
import { QuorliteError } from '../../wire/error.ts';

/**
 * Gives the engine itself, or loads the one with that name. The second engine is loaded by an address that bundlers do
 * not follow, so that nobody ships two; in a bundle it is given as an object.
 *
 * @example
 * const engine = await loadEngine('sqljs'); // engine.id.name === 'sqljs'
 */
export async function loadEngine(engine: 'sqlite' | 'sqljs' | Engine): Promise<Engine> {
  if (typeof engine === 'object') return engine;
  if (engine === 'sqlite') return loadSqliteEngine();
  const extension = import.meta.url.endsWith('.ts') ? 'ts' : 'js';
  const address = new URL(`../../../wasm/load/sqljs-node.${extension}`, import.meta.url).href;
  try {
    const { loadSqljsEngine } = (await import(/* @vite-ignore */ address)) as {
      loadSqljsEngine(): Engine;
    };
    return loadSqljsEngine();
  } catch (error) {
    throw new QuorliteError(
      'NOT_SUPPORTED',
      `the engine "${engine}" cannot be loaded by its name`,
      {
        cause: error,
        hint: "in a bundle give the engine itself: import { sqljs } from 'quorlite/sqljs'",
      },
    );
  }
}
