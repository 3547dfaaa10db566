import { testPageStore } from '../../test/conformance/page-store.ts';
import { createMemoryPageStore, restoreMemoryPageStore } from './memory.ts';

testPageStore('memory', { create: createMemoryPageStore, restore: restoreMemoryPageStore });
