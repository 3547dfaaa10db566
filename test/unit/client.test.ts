/** The client suite over real nodes in virtual time: embedded, remote through the leader, remote through a follower. */
import type { Client } from '../../src/client/contract.ts';
import { type ClientUnderTest, testClient } from '../conformance/client.ts';
import { testClosedClient } from '../conformance/client-failures.ts';
import { keepDriving, ServedCluster } from '../kit/virtual-clients.ts';

async function under(
  size: number,
  open: (cluster: ServedCluster) => readonly [Client, Client],
): Promise<ClientUnderTest> {
  const cluster = new ServedCluster(`client suite, ${size}`, { size, token: 'a token of clients' });
  cluster.elect();
  const [client, secondClient] = open(cluster);
  const stop = keepDriving(cluster.world);
  return {
    client,
    secondClient,
    async close() {
      await client.close();
      await secondClient.close();
      await stop();
    },
  };
}

function embedded(): Promise<ClientUnderTest> {
  return under(1, (cluster) => [cluster.embedded(1), cluster.embedded(1)]);
}

function remote(): Promise<ClientUnderTest> {
  return under(3, (cluster) => [
    cluster.connect([1, 2, 3], { token: 'a token of clients' }),
    cluster.connect([3, 2, 1], { token: 'a token of clients' }),
  ]);
}

/** Neither client talks to the leader. */
function forwarded(): Promise<ClientUnderTest> {
  return under(3, (cluster) => {
    const leader = cluster.leader()!.id;
    const followers = [1, 2, 3].filter((id) => id !== leader);
    const options = { token: 'a token of clients', followLeader: false };
    return [cluster.connect([followers[0]!], options), cluster.connect([followers[1]!], options)];
  });
}

testClient('embedded, virtual time', embedded);
testClient('remote, virtual time', remote);
testClient('remote through followers, virtual time', forwarded);
testClosedClient(embedded);
testClosedClient(remote);
