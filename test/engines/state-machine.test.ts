/** The state machine on the second engine: the suites of the default one, less the limits that are measured on that alone. */
import { loadSqljsEngine } from '../../wasm/load/sqljs-node.ts';
import { suitesOn } from '../kit/engine.ts';

await suitesOn('sqljs', loadSqljsEngine, [
  'src/state-machine/state-machine.test.ts',
  'src/state-machine/operations.test.ts',
  'src/state-machine/poison.test.ts',
  'src/state-machine/workload.test.ts',
  'src/state-machine/checkpoint.test.ts',
  'src/state-machine/reads/reads.test.ts',
  'src/state-machine/sessions/sessions.test.ts',
]);
