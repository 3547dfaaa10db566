/** The database as a file, chunk by chunk, as fast as the client takes it and without holding the node up. */
import type { NodeService } from '../../node/contract.ts';
import { asQuorliteError } from '../../wire/error.ts';
import { StreamFrame } from '../../wire/stream.ts';
import type { Requests, RunningRequest } from './requests.ts';

/** One export. Each turn of the loop sends one chunk. */
export class ExportStream implements RunningRequest {
  readonly bytes: number = 0;
  readonly #requests: Requests;
  readonly #request: number;
  #credit: number;
  #source: ReturnType<NodeService['openExport']> | null = null;
  #scheduled = false;

  constructor(requests: Requests, request: number, credit: number) {
    this.#requests = requests;
    this.#request = request;
    this.#credit = Math.min(credit, requests.context.limits.streamCreditBytes);
  }

  start(): void {
    this.#source = this.#requests.context.service.openExport();
    this.#sendSoon();
  }

  credit(bytes: number): void {
    this.#credit = Math.min(this.#credit + bytes, this.#requests.context.limits.streamCreditBytes);
    this.#sendSoon();
  }

  cancel(): void {
    this.#source?.close();
    this.#source = null;
  }

  #sendSoon(): void {
    if (this.#scheduled || this.#credit <= 0 || !this.#source) return;
    this.#scheduled = true;
    this.#requests.context.platform.timers.soon(() => {
      this.#scheduled = false;
      this.#send();
    });
  }

  #send(): void {
    if (!this.#source) return;
    const { frames, context } = this.#requests;
    let chunk: Uint8Array | null;
    try {
      chunk = this.#source.read(context.limits.chunkBytes);
    } catch (error) {
      this.cancel();
      this.#requests.fail(this.#request, asQuorliteError(error, 'not-applied'));
      return;
    }
    frames.begin(StreamFrame.chunk, this.#request);
    if (chunk) frames.out.raw(chunk);
    this.#credit -= frames.end();
    if (chunk) {
      this.#requests.flushSoon();
      this.#sendSoon();
    } else {
      this.cancel();
      this.#requests.finish(this.#request);
    }
  }
}
