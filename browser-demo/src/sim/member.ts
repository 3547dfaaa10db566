/** One node of the demo: the product's own node on a virtual process. */
import { DEFAULT_LIMITS } from '../../../src/config/limits.ts';
import type { NodeService } from '../../../src/node/contract.ts';
import type { NodeInside } from '../../../src/node/inside.ts';
import { openInspectedNode } from '../../../src/node/service.ts';
import type { Raft, StorageWrite } from '../../../src/raft/contract.ts';
import type { VirtualProcess } from '../../../src/runtime/virtual/contract.ts';
import { createSnapshotStore } from '../../../src/storage/checkpoint/snapshot-store.ts';
import type { LogStore } from '../../../src/storage/contract.ts';
import { createFileLogStore } from '../../../src/storage/file-log/file-log.ts';
import { createIdentityStore } from '../../../src/storage/identity.ts';

import type { Logger } from '../../../src/telemetry/logger.ts';
import { createLinkTransport } from '../../../src/transport/link-transport.ts';
import type { Entry } from '../../../src/wire/entry.ts';
import type { Engine } from '../../../wasm/engine.ts';
import type { NodeRole, NodeState, NodeView } from './protocol.ts';
import type { Wires } from './wires.ts';

/** Slower than the product's defaults, as the wires are longer. */
const HEARTBEAT_MS = 300;
const ELECTION_MS = 1500;
/** So many entries of a log are shown. */
const LANE = 64;
const SEGMENT_BYTES = 64 * 1024;
const SYNC_MS: readonly [number, number] = [6, 14];

/** What a member tells of itself. */
export interface MemberEvents {
  written(member: Member, entries: readonly Entry[]): void;
  logged(member: Member, event: string, fields: { readonly [name: string]: unknown }): void;
  opened(member: Member): void;
}

/** What all members share. */
export interface MemberSurroundings {
  readonly engine: Engine;
  readonly wires: Wires;
  readonly events: MemberEvents;
}

/** A node, dead or alive. */
export class Member {
  readonly id: number;
  readonly process: VirtualProcess;
  service: NodeService | null = null;
  inside: NodeInside | null = null;
  /** Why it could not start, '' when it could. */
  refused = '';
  durable = 0;
  /** Files of its disk at some moment. */
  copy: ReadonlyMap<string, Uint8Array> | null = null;
  readonly #configured: readonly number[];
  readonly #surroundings: MemberSurroundings;
  #termsKey = '';
  #terms: readonly number[] = [];
  #hash = '';
  #hashAt = -1;

  constructor(
    id: number,
    configured: readonly number[],
    surroundings: MemberSurroundings,
    create: (name: string, main: (runtime: VirtualProcess) => void) => VirtualProcess,
  ) {
    this.id = id;
    this.#configured = configured;
    this.#surroundings = surroundings;
    this.process = create(`n${id}`, (runtime) => this.#main(runtime));
    this.process.disk.syncMs = SYNC_MS;
  }

  /** Running, with the node of this life. */
  get live(): boolean {
    return this.process.alive && this.inside !== null && this.inside.failure === null;
  }

  /** The same, and not paused. */
  get serving(): boolean {
    return this.live && !this.process.paused;
  }

  /** Forgets the node of a life that ended. */
  ended(): void {
    this.service = null;
    this.inside = null;
    this.refused = '';
    this.#termsKey = '';
    this.#hashAt = -1;
  }

  #main(runtime: VirtualProcess): void {
    this.ended();
    const { wires, events, engine } = this.#surroundings;
    const { platform } = runtime;
    const folder = runtime.folder('data');
    folder.lock();
    const logger = this.#logger();
    const transport = createLinkTransport({
      dialer: wires.dialer(this.id, runtime.dialer),
      platform,
      secret: 'the page is its own secret',
      logger,
    });
    wires.listen(this.id, runtime, urlOf(this.id), (link, from) => transport.accept(link, from));
    const sync = { mode: 'durable' } as const;
    const log = createFileLogStore({
      folder,
      sync,
      clock: platform.clock,
      timers: platform.timers,
      entropy: platform.entropy,
      segmentBytes: SEGMENT_BYTES,
    });
    const founder = this.#configured.includes(this.id) && this.id <= 5;
    const opened = openInspectedNode({
      node: this.id,
      url: urlOf(this.id),
      nodes: new Map(this.#configured.map((id) => [id, urlOf(id)])),
      role: founder ? 'voter' : 'learner',
      expectExisting: !founder,
      foundWith: null,
      heartbeatMs: HEARTBEAT_MS,
      electionMs: ELECTION_MS,
      checkpoint: { bytes: 1024 * 1024, ms: 3_600_000 },
      limits: DEFAULT_LIMITS,
      platform,
      logger,
      engine,
      transport,
      storage: {
        identity: createIdentityStore(folder),
        log: this.#watched(log),
        snapshots: createSnapshotStore({ folder }),
        sync,
      },
    });
    this.service = opened.service;
    this.inside = opened.inside;
    this.durable = opened.inside.replica.raft.lastIndex;
    events.opened(this);
  }

  /** The log, and what is written and synced in it. */
  #watched(log: LogStore): LogStore {
    return {
      open: () => log.open(),
      append: (write: StorageWrite, done) => {
        const { entries } = write;
        const last = entries[entries.length - 1]?.index ?? 0;
        const first = entries[0]?.index ?? 0;
        if (first > 0) {
          this.durable = Math.min(this.durable, first - 1);
          this.#surroundings.events.written(this, entries);
        }
        log.append(write, (error) => {
          if (!error && last > 0) this.durable = Math.max(this.durable, last);
          done(error);
        });
      },
      compact: (index, term) => log.compact(index, term),
      reset: (index, term, done) =>
        log.reset(index, term, (error) => {
          if (!error) this.durable = index;
          done(error);
        }),
      close: (done) => log.close(done),
      stalledMs: () => log.stalledMs(),
      get bytes() {
        return log.bytes;
      },
    };
  }

  #logger(): Logger {
    const log = (event: string, fields: object = {}): void => {
      this.#surroundings.events.logged(this, event, fields as { [name: string]: unknown });
    };
    return { debug: () => {}, info: log, warn: log, error: log };
  }

  get state(): NodeState {
    if (this.refused !== '') return 'failed';
    if (!this.process.alive) return 'dead';
    if (this.inside?.failure) return 'failed';
    return this.process.paused ? 'paused' : 'running';
  }

  /** How much of its patience is used up, 0 to 255; a leader has none. */
  arc(): number {
    if (!this.live) return 0;
    const { raft } = this.inside!.replica;
    if (raft.role === 'leader' || !raft.membership.voters.includes(this.inside!.self)) return 0;
    const part = raft.electionElapsed / Math.max(1, raft.electionTimeout);
    return Math.round(Math.min(1, Math.max(0, part)) * 255);
  }

  /** Terms of the newest entries; a term writes an index only once, so few numbers tell whether they are the same. */
  #termsOf(raft: Raft): readonly number[] {
    const { firstIndex, lastIndex } = raft;
    const lastTerm = raft.termAt(lastIndex) ?? 0;
    const key = `${firstIndex} ${lastIndex} ${lastTerm}`;
    if (key === this.#termsKey) return this.#terms;
    const terms: number[] = [];
    for (let i = Math.max(firstIndex, lastIndex - LANE + 1); i <= lastIndex; i++) {
      terms.push(raft.termAt(i) ?? 0);
    }
    this.#termsKey = key;
    this.#terms = terms;
    return terms;
  }

  #hashOf(service: NodeService): string {
    const applied = this.inside!.replica.stateMachine.applied.index;
    if (applied !== this.#hashAt) {
      this.#hash = service.databaseHash().hash;
      this.#hashAt = applied;
    }
    return this.#hash;
  }

  view(): NodeView {
    const state = this.state;
    const base = {
      id: this.id,
      state,
      syncMs: Math.round(this.process.disk.syncMs[1]),
      copied: this.copy !== null,
    };
    const { inside, service } = this;
    if (inside === null || service === null) {
      return { ...base, ...NOTHING, why: this.refused };
    }
    const { raft } = inside.replica;
    const { members } = raft.membership;
    return {
      ...base,
      role: roleOf(inside),
      term: raft.term,
      leader: members.find(({ replica }) => replica === raft.leader)?.node ?? 0,
      commit: raft.commit,
      applied: inside.replica.stateMachine.applied.index,
      durable: Math.min(this.durable, raft.lastIndex),
      last: raft.lastIndex,
      terms: this.#termsOf(raft),
      hash: this.#hashOf(service),
      why: inside.failure?.message ?? inside.waiting(),
    };
  }
}

const NOTHING = {
  role: 'follower',
  term: 0,
  leader: 0,
  commit: 0,
  applied: 0,
  durable: 0,
  last: 0,
  terms: [],
  hash: '',
} as const;

function roleOf(inside: NodeInside): NodeRole {
  const { raft } = inside.replica;
  if (inside.removedAt !== null) return 'removed';
  if (inside.pristine) return 'joining';
  if (raft.role === 'leader') return 'leader';
  if (raft.membership.learners.includes(inside.self)) return 'learner';
  return raft.role === 'follower' ? 'follower' : 'candidate';
}

/** Where a node of the demo listens. */
export function urlOf(id: number): string {
  return `http://n${id}:4001`;
}
