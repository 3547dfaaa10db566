/** The graceful end of a node: leadership handed over, what waits answered, the log flushed. Well under a second. */
import type { NodeInside } from './inside.ts';

/** Between losing leadership and closing, at least: the last answers leave. */
const LINGER_MS = 20;
/** What is under way may take so long to be answered. */
const DRAIN_MS = 300;
/** How often it is looked whether anything still waits. */
const LOOK_MS = 5;

/** Stops a node; `done` is called once, with what went wrong while the log was closed. */
export function shutdownNode(node: NodeInside, done: (error: Error | null) => void): void {
  node.shuttingDown = true;
  node.changed();
  handOver(node, () => drain(node, () => end(node, done)));
}

/** Lets another voter lead, when this node does and somebody can. */
function handOver(node: NodeInside, next: () => void): void {
  const { platform, logger } = node.options;
  const until = platform.clock.monotonicMs() + node.timing.electionMs / 2;
  let told = false;
  const look = (): void => {
    const { raft, stopped } = node.replica;
    // Whoever does not take over in time must not keep this node from stopping.
    if (stopped || raft.role !== 'leader' || platform.clock.monotonicMs() >= until) {
      next();
      return;
    }
    const { voters } = raft.membership;
    if (!voters.some((id) => id !== node.self && node.peers.connected(id))) {
      next();
      return;
    }
    const to = node.membership.bestSuccessor();
    // Nobody may be heard of yet since the leader last counted who answers; that takes a heartbeat.
    const asked = to !== null && node.replica.withRaft((core) => core.transferLeadership(to));
    if (asked === null && !told) {
      told = true;
      logger.info('handing leadership over', { to });
    }
    platform.timers.after(LOOK_MS, look);
  };
  look();
}

/** Lets what is under way be answered. */
function drain(node: NodeInside, next: () => void): void {
  const { clock, timers } = node.options.platform;
  const from = clock.monotonicMs();
  const look = (): void => {
    const { proposals, reads, stopped } = node.replica;
    const passed = clock.monotonicMs() - from;
    const idle = proposals.pending === 0 && reads.pending === 0 && passed >= LINGER_MS;
    if (idle || stopped || passed >= DRAIN_MS) next();
    else timers.after(LOOK_MS, look);
  };
  look();
}

function end(node: NodeInside, done: (error: Error | null) => void): void {
  node.halt();
  node.options.storage.log.close((error) => {
    node.replica.stateMachine.close();
    done(error);
  });
}
