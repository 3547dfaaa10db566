import { createMemoryFolder } from '../../../src/storage/memory-folder.ts';
import { openFileBacking } from '../../../src/storage/page-backing/file.ts';
import { suitePageHash, testPageStore } from '../../../test/conformance/page-store.ts';
import { PAGE_SIZE } from '../../page-store.ts';
import { copyIntoCachedPageStore, createCachedPageStore } from './store.ts';

const CACHE = 6 * PAGE_SIZE;

function options(maxBytes: number): Parameters<typeof createCachedPageStore>[0] {
  const backing = openFileBacking(createMemoryFolder({ crashable: false }));
  return { maxBytes, cacheBytes: CACHE, backing, hash: suitePageHash };
}

testPageStore('cached, over a file in memory', {
  cacheBytes: CACHE,
  create: ({ maxBytes }) => createCachedPageStore(options(maxBytes)),
  restore: (source, { maxBytes }) => copyIntoCachedPageStore(source, options(maxBytes)),
});
