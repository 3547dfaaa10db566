/** Administrative requests: done by the leader, forwarded by everybody else, tried again while leadership moves. */
import type { Raft } from '../raft/contract.ts';
import type { ReplicaId } from '../wire/entry.ts';
import { asQuorliteError, QuorliteError } from '../wire/error.ts';
import type { AdminRequest, Callback, ClusterStatus } from './contract.ts';
import type { MembershipManager } from './membership-manager.ts';
import type { PeerRequests } from './requests.ts';

/** Pause before a request goes to the next leader. */
const RETRY_MS = 50;

type Done = (error: QuorliteError | null) => void;

/** What administration needs of the node around it. */
export interface AdminHost {
  raft(): Raft;
  readonly membership: MembershipManager;
  readonly requests: PeerRequests;
  now(): number;
  /** Runs something later; the returned function prevents it. */
  after(ms: number, run: () => void): () => void;
  wake(): void;
  status(): ClusterStatus;
  /** Dials a node that is not a member yet and calls back with its replica id. */
  invite(node: number, url: string, timeoutMs: number, done: Callback<ReplicaId>): void;
}

/** Carries out administrative requests, wherever the leader is. */
export class Admin {
  readonly #host: AdminHost;
  /** Called when the leader changes: transfers wait for it. */
  #onLeaderChange: ((leader: ReplicaId) => void)[] = [];
  /** Requests of this node that are not answered. */
  readonly #open = new Set<Done>();
  /** Transfers under way: each ends with an error. */
  readonly #transfers = new Set<Done>();
  #stopped: QuorliteError | null = null;

  constructor(host: AdminHost) {
    this.#host = host;
  }

  /** Runs a request wherever the leader is. Answers once, and by then: what it started may go on at the leader. */
  run(request: AdminRequest, timeoutMs: number, done: Callback<ClusterStatus>): void {
    let open = true;
    const finish: Done = (error) => {
      if (!open) return;
      open = false;
      this.#open.delete(finish);
      cancel();
      if (error) done(error, null);
      else done(null, this.#host.status());
    };
    const cancel = this.#host.after(timeoutMs, () => {
      const what = 'the change did not finish in time';
      finish(new QuorliteError('TIMEOUT', what, { outcome: 'unknown' }));
    });
    if (this.#stopped) {
      finish(this.#stopped);
      return;
    }
    this.#open.add(finish);
    this.#attempt(request, this.#host.now() + timeoutMs, finish);
  }

  #attempt(request: AdminRequest, deadline: number, done: Done): void {
    // Whoever asked was answered when the node stopped.
    if (this.#stopped) return;
    const left = deadline - this.#host.now();
    const retry: Done = (error) => {
      if (!isPassing(error) || deadline - this.#host.now() <= RETRY_MS) done(error);
      else {
        const next = error?.outcome === 'unknown' ? inDoubt(request, done) : done;
        this.#host.after(RETRY_MS, () => this.#attempt(request, deadline, next));
      }
    };
    if (left <= 0) {
      done(new QuorliteError('NO_QUORUM', 'no leader could be found in time'));
      return;
    }
    const { role, leader } = this.#host.raft();
    if (role === 'leader') this.lead(request, left, retry);
    else if (leader === 0) retry(new QuorliteError('NOT_LEADER', 'no leader is known'));
    else {
      const forwarded = { op: 'admin', request, timeoutMs: left } as const;
      this.#host.requests.ask(leader, forwarded, left, (error) => retry(error));
    }
  }

  /** Runs a request as the leader. */
  lead(request: AdminRequest, timeoutMs: number, done: Done): void {
    try {
      this.#lead(request, timeoutMs, done);
    } catch (error) {
      done(asQuorliteError(error));
    }
  }

  #lead(request: AdminRequest, timeoutMs: number, done: Done): void {
    const { membership } = this.#host;
    switch (request.op) {
      case 'addMember':
        this.#add(request, timeoutMs, done);
        return;
      case 'removeMember':
        membership.remove(request.id, timeoutMs, done);
        return;
      case 'promote':
        this.#promote(request.id, timeoutMs, done);
        return;
      case 'transfer':
        this.#transfer(request.to, timeoutMs, done);
    }
  }

  #add(request: AdminRequest & { op: 'addMember' }, timeoutMs: number, done: Done): void {
    const { id, url, voter } = request;
    const deadline = this.#host.now() + timeoutMs;
    this.#host.invite(id, url, timeoutMs, (error, replica) => {
      const left = deadline - this.#host.now();
      if (error || replica === null) done(error);
      else this.#host.membership.join({ replica, node: id, url }, voter, left, done);
    });
  }

  #promote(node: number, timeoutMs: number, done: Done): void {
    const member = this.#member(node);
    this.#host.membership.join(member, true, timeoutMs, done);
  }

  #member(node: number): { replica: ReplicaId; node: number; url: string } {
    const member = this.#host.raft().membership.members.find((one) => one.node === node);
    if (!member) throw new QuorliteError('NOT_FOUND', `there is no member with number ${node}`);
    return member;
  }

  #transfer(to: number | undefined, timeoutMs: number, done: Done): void {
    const raft = this.#host.raft();
    const target =
      to === undefined ? this.#host.membership.bestSuccessor() : this.#member(to).replica;
    if (target === raft.id) {
      done(null);
      return;
    }
    const refused = target === null ? 'not-caught-up' : raft.transferLeadership(target);
    this.#host.wake();
    if (refused === 'not-caught-up' && timeoutMs > 2 * RETRY_MS) {
      // It may only not have been heard of since a moment ago.
      this.#host.after(RETRY_MS, () => {
        const left = timeoutMs - RETRY_MS;
        if (this.#stopped) done(this.#stopped);
        else if (this.#host.raft().role === 'leader') this.lead({ op: 'transfer', to }, left, done);
        else done(new QuorliteError('NOT_LEADER', 'this node does not lead (any more)'));
      });
      return;
    }
    if (refused !== null) {
      done(
        new QuorliteError('MEMBERSHIP_BUSY', `leadership cannot be handed over now: ${refused}`),
      );
      return;
    }
    const finish: Done = (error) => {
      if (!this.#transfers.delete(finish)) return;
      cancel();
      done(error);
    };
    this.#transfers.add(finish);
    this.#onLeaderChange.push((leader) => {
      finish(
        leader === target ? null : new QuorliteError('LEADER_CHANGED', 'another node leads now'),
      );
    });
    const cancel = this.#host.after(timeoutMs, () => {
      finish(
        new QuorliteError('TIMEOUT', 'the transfer did not finish in time', { outcome: 'unknown' }),
      );
    });
  }

  /** Answers everything: the node stops. */
  stop(error: QuorliteError): void {
    this.#stopped = error;
    this.#onLeaderChange = [];
    for (const finish of [...this.#transfers]) finish(error);
    for (const finish of [...this.#open]) finish(error);
  }

  /** A leader is known (again). */
  leaderKnown(leader: ReplicaId): void {
    const waiting = this.#onLeaderChange;
    this.#onLeaderChange = [];
    for (const run of waiting) run(leader);
  }
}

/** Whether the next leader may do it. */
function isPassing(error: QuorliteError | null): boolean {
  return error?.code === 'NOT_LEADER' || error?.code === 'LEADER_CHANGED';
}

/**
 * Answers for the attempts after one in doubt: it may have removed the member that the next one does not find, and
 * whatever comes of the next one, nobody knows that nothing was done.
 */
function inDoubt(request: AdminRequest, done: Done): Done {
  return (error) => {
    if (request.op === 'removeMember' && error?.code === 'NOT_FOUND') done(null);
    else if (error?.outcome !== 'not-applied') done(error);
    else {
      const { code, message, cause } = error;
      done(new QuorliteError(code, message, { outcome: 'unknown', cause }));
    }
  };
}
