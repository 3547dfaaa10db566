/**
 * What every client must do, whatever it reaches the cluster by. Black box: the `Client` interface alone. Each block of
 * tests is in a file of its own.
 */
import { afterAll, beforeAll, describe } from 'vitest';
import type { Client } from '../../src/client/contract.ts';
import { testClientCluster } from './client-cluster.ts';
import { testClientFailures } from './client-failures.ts';
import { testClientReads } from './client-reads.ts';
import { testClientTransactions } from './client-transactions.ts';
import { testClientValues } from './client-values.ts';
import { testClientWrites } from './client-writes.ts';

/** A client of a running cluster that holds nothing yet, and how to end both. */
export interface ClientUnderTest {
  readonly client: Client;
  /** Another client of the same cluster. */
  readonly secondClient?: Client;
  close(): Promise<void>;
}

/** What the tests use; valid inside a test. */
export interface ClientFixture {
  readonly client: Client;
  /** A second client; the first one where there is no other. */
  readonly second: Client;
  /** Makes a table of its own for a test and returns its name. */
  table(columns: string): Promise<string>;
}

/** Runs the suite. One cluster serves all tests: each has tables of its own. */
export function testClient(name: string, factory: () => Promise<ClientUnderTest>): void {
  describe(`client: ${name}`, () => {
    let under: ClientUnderTest;
    let tables = 0;

    beforeAll(async () => {
      under = await factory();
      await under.client.ready();
    });
    afterAll(async () => {
      await under?.close();
    });

    const fixture: ClientFixture = {
      get client() {
        return under.client;
      },
      get second() {
        return under.secondClient ?? under.client;
      },
      async table(columns) {
        const table = `t${++tables}`;
        await under.client.execute(`CREATE TABLE ${table} (${columns})`);
        return table;
      },
    };

    testClientValues(fixture);
    testClientWrites(fixture);
    testClientReads(fixture);
    testClientTransactions(fixture);
    testClientCluster(fixture);
    testClientFailures(fixture);
  });
}
