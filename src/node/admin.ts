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
  after(ms: number, run: () => void): void;
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

  constructor(host: AdminHost) {
    this.#host = host;
  }

  /** Runs a request wherever the leader is. */
  run(request: AdminRequest, timeoutMs: number, done: Callback<ClusterStatus>): void {
    this.#attempt(request, this.#host.now() + timeoutMs, (error) => {
      if (error) done(error, null);
      else done(null, this.#host.status());
    });
  }

  #attempt(request: AdminRequest, deadline: number, done: Done): void {
    const left = deadline - this.#host.now();
    const retry: Done = (error) => {
      const moved = error?.code === 'NOT_LEADER' || error?.code === 'LEADER_CHANGED';
      if (!moved || deadline - this.#host.now() <= RETRY_MS) done(error);
      else this.#host.after(RETRY_MS, () => this.#attempt(request, deadline, done));
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
    this.#host.invite(id, url, timeoutMs, (error, replica) => {
      if (error || replica === null) done(error);
      else this.#host.membership.join({ replica, node: id, url }, voter, timeoutMs, done);
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
    if (refused !== null) {
      done(
        new QuorliteError('MEMBERSHIP_BUSY', `leadership cannot be handed over now: ${refused}`),
      );
      return;
    }
    let open = true;
    const finish: Done = (error) => {
      if (!open) return;
      open = false;
      done(error);
    };
    this.#onLeaderChange.push((leader) => {
      finish(
        leader === target ? null : new QuorliteError('LEADER_CHANGED', 'another node leads now'),
      );
    });
    this.#host.after(timeoutMs, () => {
      finish(
        new QuorliteError('TIMEOUT', 'the transfer did not finish in time', { outcome: 'unknown' }),
      );
    });
  }

  /** A leader is known (again). */
  leaderKnown(leader: ReplicaId): void {
    const waiting = this.#onLeaderChange;
    this.#onLeaderChange = [];
    for (const run of waiting) run(leader);
  }
}
