/** What every identity store must do, whatever it writes to. */
import { describe, expect, it } from 'vitest';
import type { Identity, IdentityStore } from '../../src/storage/contract.ts';

/** A place that holds one identity across restarts. */
export interface IdentityStoreHome {
  /** A store over what is there. */
  store(): IdentityStore;
  /** The machine loses power: what is not synced is gone. Absent where that cannot be done. */
  crash?(): void;
}

/** Of a storage that belongs to no cluster. */
export const A_PRISTINE_IDENTITY: Identity = {
  replica: 2 ** 53 - 1,
  cluster: 0,
  boot: 1,
  osBootId: 'f00',
  relaxed: false,
  promise: '',
  peers: [],
};

/** Of a storage with a history, last written in a relaxed mode. */
export const A_MEMBERS_IDENTITY: Identity = {
  ...A_PRISTINE_IDENTITY,
  cluster: 4_503_599_627_370_497,
  boot: 2,
  relaxed: true,
  promise: '{"to":1}',
  peers: [
    { replica: 5, boot: 3, index: 2 ** 40 },
    { replica: 6, boot: 1, index: 0 },
  ],
  engine: 'sqlite/3.54.1/0123abcd',
};

/** Runs the suite over homes that `create` makes, one per test. */
export function testIdentityStore(name: string, create: () => IdentityStoreHome): void {
  describe(`identity store: ${name}`, () => {
    it('is empty when new', () => {
      expect(create().store().load()).toBeNull();
    });

    it('gives back what was saved last, all of it, across restarts', () => {
      const home = create();
      for (const identity of [A_PRISTINE_IDENTITY, A_MEMBERS_IDENTITY, A_PRISTINE_IDENTITY]) {
        const store = home.store();
        store.save(identity);
        expect(store.load()).toEqual(identity);
        expect(home.store().load()).toEqual(identity);
      }
    });

    it('remembers a relaxed mode in which the log was written (architecture, section 4)', () => {
      const home = create();
      for (const relaxed of [true, false, true]) {
        home.store().save({ ...A_MEMBERS_IDENTITY, relaxed });
        home.crash?.();
        expect(home.store().load()?.relaxed).toBe(relaxed);
      }
    });
  });
}
