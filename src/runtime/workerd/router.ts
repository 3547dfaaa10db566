/** The Worker in front of the objects: requests go to the node that their path names, others to the first node. */
import { problemResponse } from '../../api/problem.ts';
import { asQuorliteError, QuorliteError } from '../../wire/error.ts';
import { configOfEnvironment } from './config.ts';
import {
  BINDING,
  nodeOfPath,
  nodePath,
  type ObjectNamespace,
  objectOf,
  type WorkerEnvironment,
} from './contract.ts';

/** A Worker's handler. */
export interface WorkerHandler {
  fetch(request: Request, env: WorkerEnvironment): Promise<Response>;
}

/**
 * Makes the handler: `/nodes/2/v1/query` goes to node 2, `/v1/query` to the first node of `QUORLITE_NODES` that is an
 * object of this Worker.
 *
 * @example
 * export default createWorker();
 */
export function createWorker(): WorkerHandler {
  return {
    async fetch(request, env) {
      try {
        return await route(request, env);
      } catch (error) {
        return problemResponse(asQuorliteError(error));
      }
    },
  };
}

/** Node numbers by environment: it is the same object for all requests of an isolate. */
const known = new WeakMap<WorkerEnvironment, readonly number[]>();

async function route(request: Request, env: WorkerEnvironment): Promise<Response> {
  const namespace = env[BINDING] as ObjectNamespace | undefined;
  if (namespace === undefined) {
    throw new QuorliteError(
      'CONFIG_INVALID',
      `the binding ${BINDING} is missing: bind the class QuorliteNode to it (durable_objects in wrangler.jsonc)`,
    );
  }
  let nodes = known.get(env);
  if (nodes === undefined) known.set(env, (nodes = nodesHere(env)));
  const url = new URL(request.url);
  const named = nodeOfPath(url.pathname);
  const id = named ?? nodes[0];
  if (id === undefined || !nodes.includes(id)) {
    throw new QuorliteError('NOT_FOUND', `node ${id ?? 1} is not one of this Worker`);
  }
  if (named !== null) return objectOf(namespace, id).fetch(request);
  url.pathname = nodePath(id) + url.pathname;
  return objectOf(namespace, id).fetch(new Request(url, request));
}

/** Nodes that are objects of this Worker, ascending: those whose URL has a node's path. Anybody could name others. */
function nodesHere(env: WorkerEnvironment): number[] {
  const { nodes } = configOfEnvironment(env);
  if (nodes === undefined) return [1];
  return Object.entries(nodes)
    .filter(([id, url]) => URL.canParse(url) && new URL(url).pathname === nodePath(Number(id)))
    .map(([id]) => Number(id))
    .sort((a, b) => a - b);
}
