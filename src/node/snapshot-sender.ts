/** Streams checkpoints to followers whose next entry is compacted away: chunks with a window, resumable (rule S8). */
import type { NodeLimits } from '../config/limits.ts';
import type { SnapshotReader, SnapshotStore } from '../storage/contract.ts';
import type { LogIndex, ReplicaId } from '../wire/entry.ts';
import { snapshotBeginFrame, snapshotChunkFrame } from './frames.ts';

/** Chunks on their way to one follower. */
const WINDOW = 4;
/** Without an acknowledgement for so long, the transfer is begun again where the follower stands. */
const RETRY_MS = 2000;
/** After so many begun in vain the follower is reported unreachable and will be probed again. */
const MAX_RETRIES = 5;

interface Position {
  readonly file: number;
  readonly offset: number;
}

interface Transfer {
  readonly id: number;
  readonly to: ReplicaId;
  readonly reader: SnapshotReader;
  cursor: Position | null;
  inFlight: number;
  lastAck: number;
  retries: number;
}

/** What sending needs of the node around it. */
export interface SnapshotSenderHost {
  readonly limits: NodeLimits;
  readonly snapshots: SnapshotStore;
  cluster(): number;
  now(): number;
  send(to: ReplicaId, parts: readonly Uint8Array[]): boolean;
  /** Tells the core how it ended. */
  report(to: ReplicaId, index: LogIndex, ok: boolean): void;
  /** Takes a checkpoint when there is none yet. */
  takeCheckpoint(done: () => void): void;
}

/** Transfers under way, at most one per follower. */
export class SnapshotSender {
  readonly #host: SnapshotSenderHost;
  readonly #transfers = new Map<ReplicaId, Transfer>();
  #nextId = 1;
  /** Bytes sent, for metrics. */
  sentBytes = 0;

  constructor(host: SnapshotSenderHost) {
    this.#host = host;
  }

  /** Starts a transfer unless one to this follower is under way. */
  start(to: ReplicaId): void {
    if (this.#transfers.has(to)) return;
    const reader = this.#host.snapshots.read();
    if (!reader) {
      this.#host.takeCheckpoint(() => this.#host.report(to, 0, false));
      return;
    }
    const now = this.#host.now();
    const id = this.#nextId++;
    const transfer: Transfer = {
      id,
      to,
      reader,
      cursor: null,
      inFlight: 0,
      lastAck: now,
      retries: 0,
    };
    this.#transfers.set(to, transfer);
    this.#begin(transfer);
  }

  #begin(transfer: Transfer): void {
    transfer.cursor = null;
    transfer.inFlight = 0;
    this.#host.send(transfer.to, [
      snapshotBeginFrame(this.#host.cluster(), transfer.id, transfer.reader.manifest),
    ]);
  }

  acknowledged(from: ReplicaId, id: number, next: Position | null, failed: string): void {
    const transfer = this.#transfers.get(from);
    if (!transfer || transfer.id !== id) return;
    transfer.lastAck = this.#host.now();
    transfer.retries = 0;
    if (failed !== '') this.#end(transfer, false);
    else if (next === null) this.#end(transfer, true);
    else {
      transfer.inFlight = Math.max(0, transfer.inFlight - 1);
      transfer.cursor ??= next;
      this.#pump(transfer);
    }
  }

  #pump(transfer: Transfer): void {
    const { reader, to, id } = transfer;
    const { snapshotChunkBytes } = this.#host.limits;
    while (transfer.cursor && transfer.inFlight < WINDOW) {
      const { file, offset } = transfer.cursor;
      const { bytes: size } = reader.files[file]!;
      const bytes = reader.read(file, offset, Math.min(snapshotChunkBytes, size - offset));
      if (!this.#host.send(to, snapshotChunkFrame(id, file, offset, bytes))) return;
      transfer.inFlight++;
      this.sentBytes += bytes.length;
      const end = offset + bytes.length;
      if (end < size) transfer.cursor = { file, offset: end };
      else if (file + 1 < reader.files.length) transfer.cursor = { file: file + 1, offset: 0 };
      else return;
    }
  }

  #end(transfer: Transfer, ok: boolean): void {
    this.#transfers.delete(transfer.to);
    transfer.reader.close();
    this.#host.report(transfer.to, transfer.reader.meta.index, ok);
  }

  /** Begins again what was not acknowledged; called on ticks. */
  tick(): void {
    const now = this.#host.now();
    for (const transfer of this.#transfers.values()) {
      if (now - transfer.lastAck < RETRY_MS) continue;
      transfer.lastAck = now;
      if (++transfer.retries > MAX_RETRIES) this.#end(transfer, false);
      else this.#begin(transfer);
    }
  }

  /** Ends all transfers: leadership is gone. */
  stop(): void {
    for (const transfer of this.#transfers.values()) transfer.reader.close();
    this.#transfers.clear();
  }
}
