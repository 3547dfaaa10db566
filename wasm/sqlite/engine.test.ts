import { testEngine } from '../../test/conformance/engine.ts';
import { loadSqliteEngine } from '../load/node.ts';
import { createMemoryPageStore, restoreMemoryPageStore } from '../page-store/memory.ts';

const ROOM = { maxBytes: 512 * 1024 * 1024 };

testEngine('sqlite', {
  engine: loadSqliteEngine(),
  createStore: () => createMemoryPageStore(ROOM),
  restoreStore: (source) => restoreMemoryPageStore(source, ROOM),
});
