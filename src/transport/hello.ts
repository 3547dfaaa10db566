/** The bytes of a hello. Later releases append fields; what a reader does not know it skips. */
import { ByteReader, ByteWriter } from '../wire/bytes.ts';
import { QuorliteError } from '../wire/error.ts';
import type { Hello } from './contract.ts';

const FLAG_RECOVERING = 1;
const FLAG_PRISTINE = 2;
const FLAG_LEARNER = 4;
const SYNC_MODES = ['durable', 'interval', 'os'] as const;

/** Encodes a hello. */
export function encodeHello(hello: Hello): Uint8Array {
  const out = new ByteWriter(160 + hello.url.length);
  out.uint(hello.cluster);
  out.uint(hello.replica);
  out.uint(hello.node);
  out.text(hello.url);
  out.uint(hello.boot);
  out.u8(
    (hello.recovering ? FLAG_RECOVERING : 0) |
      (hello.pristine ? FLAG_PRISTINE : 0) |
      (hello.role === 'learner' ? FLAG_LEARNER : 0),
  );
  out.u8(SYNC_MODES.indexOf(hello.sync));
  out.uint(hello.index);
  out.text(hello.engine);
  out.uint(hello.protocol[0]);
  out.uint(hello.protocol[1]);
  out.uint(hello.nodes.length);
  for (const node of hello.nodes) out.uint(node);
  return out.take();
}

/** Decodes a hello; throws `BAD_REQUEST` when the bytes are not one. */
export function decodeHello(bytes: Uint8Array): Hello {
  const input = new ByteReader(bytes);
  const cluster = input.uint();
  const replica = input.uint();
  const node = input.uint();
  const url = input.text();
  const boot = input.uint();
  const flags = input.u8();
  const sync = SYNC_MODES[input.u8()];
  if (sync === undefined) throw new QuorliteError('BAD_REQUEST', 'a hello has no known sync mode');
  if (replica === 0) throw new QuorliteError('BAD_REQUEST', 'a hello has no replica id');
  const index = input.uint();
  const engine = input.text();
  const protocol = [input.uint(), input.uint()] as const;
  const count = input.uint();
  if (count > input.remaining) throw new QuorliteError('BAD_REQUEST', 'a hello is cut off');
  const nodes: number[] = [];
  for (let i = 0; i < count; i++) nodes.push(input.uint());
  return {
    cluster,
    replica,
    node,
    url,
    boot,
    recovering: (flags & FLAG_RECOVERING) !== 0,
    sync,
    index,
    pristine: (flags & FLAG_PRISTINE) !== 0,
    engine,
    protocol,
    nodes,
    role: (flags & FLAG_LEARNER) !== 0 ? 'learner' : 'voter',
  };
}
