/** The graceful end of a node: leadership handed over, what waits answered, the log flushed. Well under a second. */
import type { NodeInside } from './inside.ts';

/** Between losing leadership and closing: the last answers leave. */
const LINGER_MS = 20;

/** Stops a node; `done` is called once, with what went wrong while the log was closed. */
export function shutdownNode(node: NodeInside, done: (error: Error | null) => void): void {
  const { platform, storage, logger } = node.options;
  node.shuttingDown = true;
  node.changed();
  function finish(): void {
    let failed: Error | null = null;
    try {
      node.halt();
    } catch (error) {
      // A disk that is gone must not keep the process from ending; what it should have kept is the log's concern.
      failed = error as Error;
    }
    storage.log.close((error) => {
      node.replica.stateMachine.close();
      done(error ?? failed);
    });
  }
  const { raft, stopped } = node.replica;
  const successor = raft.role === 'leader' && !stopped ? node.membership.bestSuccessor() : null;
  if (successor === null) {
    finish();
    return;
  }
  logger.info('handing leadership over', { to: successor });
  let over = false;
  const handedOver = (waitMs: number): void => {
    if (over) return;
    over = true;
    stopWatching();
    platform.timers.after(waitMs, finish);
  };
  const stopWatching = node.watch(() => {
    if (node.replica.raft.role !== 'leader') handedOver(LINGER_MS);
  });
  // Whoever does not take over in time must not keep this node from stopping.
  platform.timers.after(node.timing.electionMs / 2, () => handedOver(0));
  node.replica.withRaft((core) => core.transferLeadership(successor));
}
