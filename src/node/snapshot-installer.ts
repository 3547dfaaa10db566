/**
 * Receives a checkpoint and puts it in place of log and state: everything fallible first, then one atomic switch, then
 * the state machine is opened from what was switched to (rules S2 to S5, S11).
 */
import type { Platform } from '../platform/contract.ts';
import type { StateMachine } from '../state-machine/contract.ts';
import type {
  CheckpointContent,
  LogStore,
  SnapshotReceiver,
  SnapshotStore,
} from '../storage/contract.ts';
import type { Logger } from '../telemetry/logger.ts';
import { must } from '../wire/assert.ts';
import type { ReplicaId } from '../wire/entry.ts';
import { snapshotAckFrame } from './frames.ts';
import type { Replica } from './replica.ts';

/** Pause before a replica that is busy (applying, writing a checkpoint) is asked again. */
const BUSY_MS = 5;

/** What installing needs of the node around it. */
export interface SnapshotInstallerHost {
  readonly platform: Platform;
  readonly log: LogStore;
  readonly snapshots: SnapshotStore;
  readonly logger: Logger;
  replica(): Replica;
  /** Whether a checkpoint of this node's own is being written. */
  checkpointing(): boolean;
  openStateMachine(checkpoint: CheckpointContent): StateMachine;
  send(to: ReplicaId, parts: readonly Uint8Array[]): boolean;
}

interface Receiving {
  readonly from: ReplicaId;
  readonly transfer: number;
  readonly receiver: SnapshotReceiver;
  installing: boolean;
}

/** At most one snapshot at a time that this node receives. */
export class SnapshotInstaller {
  readonly #host: SnapshotInstallerHost;
  #receiving: Receiving | null = null;
  receivedBytes = 0;

  constructor(host: SnapshotInstallerHost) {
    this.#host = host;
  }

  begin(from: ReplicaId, transfer: number, manifest: Uint8Array): void {
    if (this.#receiving?.installing) return;
    this.#receiving = null;
    try {
      const receiver = this.#host.snapshots.receive(manifest);
      const { index } = receiver.meta;
      if (index <= this.#host.replica().stateMachine.applied.index) {
        receiver.abort();
        this.#acknowledge(from, transfer, null);
        return;
      }
      this.#receiving = { from, transfer, receiver, installing: false };
      this.#host.logger.info('receiving snapshot', { index, from });
      this.#advance(this.#receiving);
    } catch (error) {
      this.#refuse(from, transfer, error);
    }
  }

  chunk(from: ReplicaId, transfer: number, file: number, offset: number, bytes: Uint8Array): void {
    const receiving = this.#receiving;
    if (!receiving || receiving.from !== from || receiving.transfer !== transfer) return;
    const next = receiving.receiver.next();
    if (receiving.installing || !next || next.file !== file || next.offset !== offset) return;
    try {
      receiving.receiver.write(file, offset, bytes);
      this.receivedBytes += bytes.length;
      this.#advance(receiving);
    } catch (error) {
      this.#receiving = null;
      receiving.receiver.abort();
      this.#refuse(from, transfer, error);
    }
  }

  #advance(receiving: Receiving): void {
    const next = receiving.receiver.next();
    if (next === null) this.#install(receiving);
    else this.#acknowledge(receiving.from, receiving.transfer, next);
  }

  #install(receiving: Receiving): void {
    receiving.installing = true;
    const { platform } = this.#host;
    const replica = this.#host.replica();
    if (replica.stopped) return;
    if (this.#host.checkpointing() || !replica.beginInstall()) {
      platform.timers.after(BUSY_MS, () => this.#install(receiving));
      return;
    }
    if (receiving.receiver.meta.index <= replica.stateMachine.applied.index) {
      // The log has overtaken it: going back is not an option (rule S2).
      replica.installFailed();
      this.#receiving = null;
      receiving.receiver.abort();
      this.#acknowledge(receiving.from, receiving.transfer, null);
      return;
    }
    receiving.receiver.finish((error) => {
      if (error) {
        replica.installFailed();
        this.#receiving = null;
        this.#refuse(receiving.from, receiving.transfer, error);
      } else {
        this.#switch(receiving);
      }
    });
  }

  /** The checkpoint is the newest one on disk: from here on every failure stops the node, and a restart finishes. */
  #switch(receiving: Receiving): void {
    const { index, term, membership } = receiving.receiver.meta;
    const replica = this.#host.replica();
    const { raft } = replica;
    const keepsSuffix = raft.lastIndex >= index && raft.termAt(index) === term;
    const reopen = (error: Error | null): void => {
      if (error) {
        replica.fail(error);
        return;
      }
      try {
        replica.reads.stateReplaced();
        replica.stateMachine.close();
        const { content } = must(this.#host.snapshots.open(), 'the installed checkpoint opens');
        const machine = this.#host.openStateMachine(content);
        content.close();
        replica.installed(machine, membership);
      } catch (failure) {
        replica.fail(failure as Error);
        return;
      }
      this.#receiving = null;
      this.#host.logger.info('snapshot installed', { index, term });
      this.#acknowledge(receiving.from, receiving.transfer, null);
    };
    if (keepsSuffix) reopen(null);
    else this.#host.log.reset(index, term, reopen);
  }

  #acknowledge(
    to: ReplicaId,
    transfer: number,
    next: { file: number; offset: number } | null,
  ): void {
    this.#host.send(to, [snapshotAckFrame(transfer, next, '')]);
  }

  #refuse(to: ReplicaId, transfer: number, error: unknown): void {
    const message = error instanceof Error ? error.message : String(error);
    this.#host.logger.warn('snapshot refused', { error: message });
    this.#host.send(to, [snapshotAckFrame(transfer, null, message)]);
  }
}
