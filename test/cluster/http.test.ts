/** The HTTP suite over three real processes with secrets, at a follower: what it cannot do itself goes to the leader. */
import { testHttpApi } from '../conformance/http.ts';
import { HttpCaller, type HttpTarget } from '../conformance/http-support.ts';
import { ProcessCluster } from '../kit/process-cluster.ts';

const TOKEN = 'the API secret of this suite';
const SECRETS = ['--secret-api', TOKEN, '--secret-raft', 'the Raft secret of this suite'];

async function follower(): Promise<HttpTarget> {
  const cluster = await ProcessCluster.create(3, SECRETS);
  await cluster.start();
  const target = (url: string): HttpTarget => {
    return { url, token: TOKEN, close: () => cluster.dispose() };
  };
  const first = new HttpCaller(target(cluster.urls[0]!));
  const { leader } = (await first.get('/v1/cluster')).body;
  return target(cluster.nodes.find(({ id }) => id !== leader)!.url);
}

testHttpApi('at a follower, with a token', follower);
