/** What the limits of the default engine rest on holds on the second one, too. */
import { loadSqljsEngine } from '../../wasm/load/sqljs-node.ts';
import { suitesOn } from '../kit/engine.ts';

await suitesOn('sqljs', loadSqljsEngine, ['wasm/sqlite/margin.test.ts']);
