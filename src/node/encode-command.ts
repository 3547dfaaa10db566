/** Commands encoded on their own, outside a batch. */
import { ByteWriter } from '../wire/bytes.ts';
import { BatchBuilder, type CommandHeader } from '../wire/command.ts';
import type { WriteRequest } from './contract.ts';

/** Encodes one command that stands alone. */
export function encodeCommand(header: CommandHeader, body: Uint8Array): Uint8Array {
  const builder = new BatchBuilder(body.length + 512);
  builder.begin(header.session, header.sequence, header.acknowledged, header.key);
  builder.writer.raw(body);
  return builder.copy({ start: builder.end(), end: builder.bytes, textAt: 0 });
}

/** Bytes of an operation, encoded now. */
export function operationBytes(operation: WriteRequest['operation']): Uint8Array {
  if (typeof operation !== 'function') return operation;
  const out = new ByteWriter();
  operation(out);
  return out.take();
}
