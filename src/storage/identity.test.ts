import { describe, expect, it } from 'vitest';
import {
  A_PRISTINE_IDENTITY as FIRST,
  A_MEMBERS_IDENTITY as SECOND,
  testIdentityStore,
} from '../../test/conformance/identity-store.ts';
import { createFaultyFolder, SimulatedCrash } from './faulty-folder.ts';
import { createIdentityStore, createMemoryIdentityStore } from './identity.ts';
import { createMemoryFolder } from './memory-folder.ts';

testIdentityStore('in memory', () => {
  const store = createMemoryIdentityStore();
  return { store: () => store };
});
testIdentityStore('in a file', () => {
  const folder = createMemoryFolder();
  return { store: () => createIdentityStore(folder), crash: () => folder.crash(() => false) };
});

describe('identity', () => {
  it('is the old one or the new one after a crash at any point, and the new one once saved', () => {
    let finished = 0;
    for (let at = 0; at < 20; at++) {
      for (const keep of [false, true]) {
        const folder = createMemoryFolder();
        createIdentityStore(folder).save(FIRST);
        const dying = createFaultyFolder(folder, ({ number }) => {
          return number === at ? { type: 'crash' } : null;
        });
        let saved = false;
        try {
          createIdentityStore(dying).save(SECOND);
          saved = true;
          finished++;
        } catch (error) {
          if (!(error instanceof SimulatedCrash)) throw error;
        }
        folder.crash(() => keep);
        const found = createIdentityStore(folder).load();
        expect(saved ? [SECOND] : [FIRST, SECOND]).toContainEqual(found);
      }
    }
    expect(finished).toBeGreaterThan(0);
    expect(finished).toBeLessThan(40);
  });

  it('is CORRUPT after any flipped bit, cut or garbage (rule M6)', () => {
    const folder = createMemoryFolder();
    createIdentityStore(folder).save(SECOND);
    const good = folder.contentOf('identity');
    const corrupt = expect.objectContaining({ code: 'CORRUPT' });
    for (let bit = 0; bit < good.length * 8; bit++) {
      folder.damage('identity', (content) => {
        content[bit >> 3]! ^= 1 << (bit & 7);
      });
      expect(() => createIdentityStore(folder).load()).toThrow(corrupt);
      folder.damage('identity', (content) => content.set(good));
    }
    for (let size = 0; size < good.length; size++) {
      const handle = folder.open('identity', { create: false });
      handle.truncate(size);
      expect(() => createIdentityStore(folder).load()).toThrow(corrupt);
      handle.write(good, 0);
    }
  });

  it('says STORAGE_FAILED when the disk does', () => {
    const folder = createMemoryFolder();
    const full = createFaultyFolder(folder, ({ kind }) => {
      return kind === 'write' ? { type: 'error', kind: 'no-space' } : null;
    });
    expect(() => createIdentityStore(full).save(FIRST)).toThrow(
      expect.objectContaining({ code: 'STORAGE_FAILED' }),
    );
    expect(createIdentityStore(folder).load()).toBeNull();
  });
});
