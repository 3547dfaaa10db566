/** A running hash of what happens, and those who watch it. */
import { crc32c } from '../../wire/crc32c.ts';
import type { VirtualEvent } from './contract.ts';

const KINDS: readonly VirtualEvent['kind'][] = [
  'timer',
  'soon',
  'io',
  'message',
  'world',
  'process',
];

/** Takes in events. */
export class Trace {
  #a = 0x811c9dc5;
  #b = 0x9747b28c;
  #observers: ((event: VirtualEvent) => void)[] = [];

  observe(observer: (event: VirtualEvent) => void): () => void {
    this.#observers.push(observer);
    return () => {
      this.#observers = this.#observers.filter((other) => other !== observer);
    };
  }

  /** `number` and `name` are the process's, 0 and '' for the world itself. */
  add(
    micros: number,
    kind: VirtualEvent['kind'],
    number: number,
    name: string,
    detail: string,
    bytes: Uint8Array | null,
  ): void {
    this.#mix(micros % 4294967296);
    this.#mix(KINDS.indexOf(kind) * 65536 + number);
    for (let i = 0; i < detail.length; i++) this.#mix(detail.charCodeAt(i));
    if (bytes !== null) this.#mix(crc32c(bytes));
    if (this.#observers.length === 0) return;
    const event: VirtualEvent = { timeMs: micros / 1000, kind, process: name, detail, bytes };
    for (const observer of this.#observers) observer(event);
  }

  /** 16 hexadecimal digits. */
  hash(): string {
    const hex = (half: number): string => (half >>> 0).toString(16).padStart(8, '0');
    return hex(this.#a) + hex(this.#b);
  }

  #mix(value: number): void {
    this.#a = Math.imul(this.#a ^ value, 0x01000193);
    this.#b = Math.imul(this.#b ^ (value + (this.#a >>> 7)), 0x5bd1e995);
    this.#b ^= this.#b >>> 15;
  }
}
