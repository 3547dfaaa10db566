import { testEngine } from '../../test/conformance/engine.ts';
import { loadSqljsEngine } from '../load/sqljs-node.ts';
import { createMemoryPageStore, restoreMemoryPageStore } from '../page-store/memory.ts';

const ROOM = { maxBytes: 512 * 1024 * 1024 };

testEngine('sqljs', {
  engine: loadSqljsEngine(),
  createStore: () => createMemoryPageStore(ROOM),
  restoreStore: (source) => restoreMemoryPageStore(source, ROOM),
});
