/** `/v1/cluster`: status, members, leadership. Each change answers when it is in force. */
import { parseNodeUrl } from '../../config/address.ts';
import type { AdminRequest, ClusterStatus } from '../../node/contract.ts';
import {
  digits,
  jsonResponse,
  timeoutOf,
  timeoutQuery,
  timeoutShape,
  untilDone,
} from '../answer.ts';
import type { Call } from '../context.ts';
import { type AnyRoute, route } from '../route.ts';
import { described, flag, integer, object, refuse, type Shape, text } from '../shape.ts';

/** A new member has to catch up first: changes wait longer than other requests. */
const TIMEOUT_FACTOR = 6;
const MAX_URL_LENGTH = 2048;

const nodeId = integer('number of the node', 1);

const urlText = text('URL of its single port', 1, MAX_URL_LENGTH);
const urlShape: Shape<string> = {
  schema: { ...urlText.schema, format: 'uri' },
  read(value, path) {
    const parsed = parseNodeUrl(urlText.read(value, path));
    if ('problem' in parsed) throw refuse(path, `is no URL of a node: ${parsed.problem}`);
    return parsed.url;
  },
};

interface WaitBody {
  readonly timeoutMs?: number;
}
const waitBody: Shape<WaitBody> = object<WaitBody>({ timeoutMs: timeoutShape }, []);

interface AddBody extends WaitBody {
  readonly id: number;
  readonly url: string;
  readonly voter?: boolean;
}
const addBody: Shape<AddBody> = object<AddBody>(
  {
    id: nodeId,
    url: urlShape,
    voter: flag('takes part in votes (default), else a learner'),
    timeoutMs: timeoutShape,
  },
  ['id', 'url'],
);

interface TransferBody extends WaitBody {
  readonly to?: number;
}
const transferBody: Shape<TransferBody> = object<TransferBody>(
  { to: nodeId, timeoutMs: timeoutShape },
  [],
);

const role = { type: 'string', enum: ['leader', 'follower', 'learner', 'candidate', 'unknown'] };

const clusterAnswer = described('ClusterStatus', {
  type: 'object',
  properties: {
    clusterId: { type: 'string', description: 'empty before founding' },
    leader: { type: ['integer', 'null'] },
    leaderUrl: { type: ['string', 'null'] },
    term: { type: 'integer' },
    index: { type: 'integer' },
    node: { type: 'integer', description: 'the node that answers' },
    replica: { type: 'string' },
    role,
    waiting: { type: 'string', description: 'what the node waits for; empty when it serves' },
    members: {
      type: 'array',
      items: {
        type: 'object',
        properties: {
          id: { type: 'integer' },
          replica: { type: 'string' },
          url: { type: 'string' },
          role,
          voter: { type: 'boolean' },
          matchIndex: { type: ['integer', 'null'], description: 'known to the leader only' },
          lagMs: { type: ['number', 'null'] },
          reachable: { type: 'boolean' },
        },
      },
    },
  },
});

async function change(
  call: Call<unknown>,
  request: AdminRequest,
  named: number | undefined,
): Promise<Response> {
  const timeoutMs = timeoutOf(call, named, TIMEOUT_FACTOR);
  const status = await untilDone<ClusterStatus>(call, (resolve, reject) => {
    call.outcome = 'unknown';
    call.api.service.admin(request, timeoutMs, (error, value) => {
      call.outcome = error === null ? 'applied' : error.outcome;
      if (error === null) resolve(value!);
      else reject(error);
    });
    return () => {};
  });
  return jsonResponse(call.api, JSON.stringify(status));
}

function memberOf(call: Call<unknown>): number {
  return nodeId.read(digits(call.path['id']), ['id']);
}

/** The routes of the cluster. */
export const clusterRoutes: readonly AnyRoute[] = [
  route({
    method: 'GET',
    path: '/v1/cluster',
    summary: 'The cluster as this node sees it',
    access: 'token',
    answer: clusterAnswer,
    handle: (call) => jsonResponse(call.api, JSON.stringify(call.api.service.status())),
  }),
  route<AddBody>({
    method: 'POST',
    path: '/v1/cluster/members',
    summary: 'Add a node: as learner first, then promoted unless voter is false',
    access: 'token',
    body: addBody,
    answer: clusterAnswer,
    handle(call) {
      const { id, url, voter = true, timeoutMs } = call.body;
      return change(call, { op: 'addMember', id, url, voter }, timeoutMs);
    },
  }),
  route({
    method: 'DELETE',
    path: '/v1/cluster/members/:id',
    summary: 'Remove a node',
    access: 'token',
    query: { timeoutMs: 'how long to wait, milliseconds' },
    answer: clusterAnswer,
    handle: (call) => change(call, { op: 'removeMember', id: memberOf(call) }, timeoutQuery(call)),
  }),
  route<WaitBody>({
    method: 'POST',
    path: '/v1/cluster/members/:id/promote',
    summary: 'Make a learner a voter',
    access: 'token',
    body: waitBody,
    bodyOptional: true,
    answer: clusterAnswer,
    handle: (call) => change(call, { op: 'promote', id: memberOf(call) }, call.body.timeoutMs),
  }),
  route<TransferBody>({
    method: 'POST',
    path: '/v1/cluster/transfer',
    summary: 'Hand leadership over, to a node or to the most advanced one',
    access: 'token',
    body: transferBody,
    bodyOptional: true,
    answer: clusterAnswer,
    handle: (call) => change(call, { op: 'transfer', to: call.body.to }, call.body.timeoutMs),
  }),
];
