/** Whole clusters on the second engine, under the virtual runtime: the suites of the default one. */
import { loadSqljsEngine } from '../../wasm/load/sqljs-node.ts';
import { suitesOn } from '../kit/engine.ts';

await suitesOn('sqljs', loadSqljsEngine, [
  'test/sim/node.test.ts',
  'test/sim/node-writes.test.ts',
  'test/sim/node-reads.test.ts',
]);
