/** Calls: everything that is neither a write nor a read, as JSON. */
import type { AdminRequest } from '../../node/contract.ts';
import { asQuorliteError, QuorliteError } from '../../wire/error.ts';
import { StreamFrame } from '../../wire/stream.ts';
import type { DecodedCall } from '../../wire/stream-requests.ts';
import type { Requests } from './requests.ts';

type JsonObject = { readonly [name: string]: unknown };

/** Runs a call and answers it. Throws `BAD_REQUEST` for an unknown method or a wrong argument. */
export function startCall(requests: Requests, request: number, call: DecodedCall): void {
  const { service } = requests.context;
  const argument = parseArgument(call.argument);
  function answer(error: QuorliteError | null, value: unknown): void {
    if (!requests.isRunning(request)) return;
    if (error) requests.fail(request, error);
    else reply(requests, request, value);
  }
  switch (call.method) {
    case 'ready':
      service.ready(call.timeoutMs, (error) => answer(error, {}));
      return;
    case 'status':
      answer(null, service.status());
      return;
    case 'settings':
      answer(null, service.settings());
      return;
    case 'metrics':
      answer(null, service.metrics());
      return;
    case 'snapshot':
      service.checkpoint((error, done) => answer(error, { index: done?.index }), call.timeoutMs);
      return;
    case 'admin':
      service.admin(readAdmin(argument), call.timeoutMs, answer);
      return;
    default:
      throw new QuorliteError('NOT_SUPPORTED', `there is no method '${call.method}' here`);
  }
}

function reply(requests: Requests, request: number, value: unknown): void {
  const { frames } = requests;
  frames.begin(StreamFrame.reply, request);
  try {
    frames.out.text(JSON.stringify(value));
  } catch (error) {
    frames.cancel();
    requests.fail(request, asQuorliteError(error));
    return;
  }
  frames.end();
  requests.finish(request);
}

function parseArgument(text: string): JsonObject {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    throw new QuorliteError('BAD_REQUEST', 'the argument of a call is not JSON');
  }
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    throw new QuorliteError('BAD_REQUEST', 'the argument of a call must be an object');
  }
  return value as JsonObject;
}

const ADMIN_FIELDS = {
  addMember: ['op', 'id', 'url', 'voter'],
  removeMember: ['op', 'id'],
  promote: ['op', 'id'],
  transfer: ['op', 'to'],
} as const;

/** Checks what a client asks to do to the cluster. */
function readAdmin(argument: JsonObject): AdminRequest {
  const { op } = argument;
  const fields = Object.entries(ADMIN_FIELDS).find(([name]) => name === op)?.[1] as
    | readonly string[]
    | undefined;
  if (!fields) throw new QuorliteError('BAD_REQUEST', `there is no operation '${String(op)}'`);
  const unknown = Object.keys(argument).find((name) => !fields.includes(name));
  if (unknown) throw new QuorliteError('BAD_REQUEST', `'${unknown}' is not known here`);
  if (op === 'transfer') {
    return { op, to: argument['to'] === undefined ? undefined : nodeId(argument['to']) };
  }
  const id = nodeId(argument['id']);
  if (op === 'removeMember' || op === 'promote') return { op, id };
  const { url, voter } = argument;
  if (typeof url !== 'string' || url === '') {
    throw new QuorliteError('BAD_REQUEST', 'a member needs a url');
  }
  if (typeof voter !== 'boolean') throw new QuorliteError('BAD_REQUEST', 'voter is true or false');
  return { op: 'addMember', id, url, voter };
}

function nodeId(value: unknown): number {
  if (Number.isSafeInteger(value) && (value as number) > 0) return value as number;
  throw new QuorliteError('BAD_REQUEST', 'the number of a node is a positive integer');
}
