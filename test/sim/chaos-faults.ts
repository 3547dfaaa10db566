/** What befalls a chaotic cluster. Everything that takes a disk away leaves a majority of whole ones. */
import type { Random } from '../../src/runtime/virtual/random.ts';
import type { VirtualCluster, VirtualMember } from '../kit/virtual-cluster.ts';

/** The node that comes and goes. */
const FOURTH = 4;

export class ChaosFaults {
  readonly #cluster: VirtualCluster;
  readonly #random: Random;
  /** Machines never lose power: in the relaxed sync modes that may lose what was acknowledged. */
  readonly #killOnly: boolean;
  /** Called when a process dies. */
  readonly #died: () => void;
  /** Whether the fourth node was removed, and its machine is gone. */
  #retired = false;
  /** Which kinds of faults this run knows: about half of them. */
  readonly #kinds: (() => void)[];

  constructor(cluster: VirtualCluster, random: Random, killOnly: boolean, died: () => void) {
    this.#cluster = cluster;
    this.#random = random;
    this.#killOnly = killOnly;
    this.#died = died;
    const all: (() => void)[] = [
      () => this.#die(this.#anyone()),
      () => this.#lose(this.#anyone()),
      () => this.#loseAll(),
      () => cluster.world.network.isolate(this.#anyone().process.name),
      () => cluster.world.network.cut('n1', `n${2 + random.below(2)}`),
      () => cluster.world.network.partition(['n1'], ['n2', 'n3', 'n4']),
      () => this.#pause(),
      () => this.#wipe(),
      () => this.#reset(),
      () => this.#transfer(),
      () => this.#lossy(),
      () => this.#jump(),
      () => this.#breakDisk(),
      () => this.#hangDisk(),
      () => this.#fourth(),
    ];
    this.#kinds = all.filter(() => random.below(2) === 0);
    if (this.#kinds.length === 0) this.#kinds.push(...all);
  }

  /** One fault, time to feel it, and perhaps an end to it. */
  next(): void {
    const { world } = this.#cluster;
    this.#kinds[this.#random.below(this.#kinds.length)]!();
    world.run(this.#random.between(10, 4000));
    if (this.#random.below(2) === 0) this.heal();
    world.run(this.#random.between(10, 3000));
  }

  heal(): void {
    const { world, members } = this.#cluster;
    world.network.healAll();
    world.network.setAllPaths({ lossy: false });
    for (const { id, process, service } of members) {
      process.disk.plan = null;
      if (id === FOURTH && this.#retired) continue;
      if (process.paused) process.resume();
      if (!process.alive) process.restart();
      else if (!service.live().ok) {
        this.#die(this.#cluster.member(id));
        process.restart();
      }
    }
  }

  #anyone(): VirtualMember {
    const { members } = this.#cluster;
    return members[this.#random.below(members.length)]!;
  }

  #die({ process }: VirtualMember): void {
    if (!process.alive) return;
    process.kill();
    this.#died();
  }

  #lose(member: VirtualMember): void {
    if (this.#killOnly) this.#die(member);
    else if (member.process.alive) {
      member.process.crash();
      this.#died();
    }
  }

  #loseAll(): void {
    for (const member of this.#cluster.members) this.#lose(member);
  }

  #pause(): void {
    const { process } = this.#anyone();
    if (process.alive) process.pause();
  }

  #reset(): void {
    const { process } = this.#anyone();
    for (const { process: one } of this.#cluster.members) {
      this.#cluster.world.network.reset(process.name, one.name);
    }
  }

  #transfer(): void {
    const { alive } = this.#cluster;
    const asked = alive[this.#random.below(Math.max(1, alive.length))];
    asked?.service.admin({ op: 'transfer', to: this.#anyone().id }, 2000, () => {});
  }

  #lossy(): void {
    this.#cluster.world.network.setAllPaths({
      lossy: true,
      loss: this.#random.between(0, 20) / 100,
      duplicate: this.#random.between(0, 20) / 100,
      reorder: this.#random.between(0, 20) / 100,
    });
  }

  #jump(): void {
    this.#anyone().process.clock.jumpWall((this.#random.below(2) * 2 - 1) * 3_600_000);
  }

  /** One disk at a time: the node stops, and starts again when the disk is well. */
  #breakDisk(): void {
    this.heal();
    const from = this.#random.below(20);
    let seen = 0;
    const kind = this.#random.below(2) === 0 ? 'io' : 'no-space';
    this.#anyone().process.disk.plan = (operation) => {
      if (operation.kind !== 'write' && operation.kind !== 'sync') return null;
      return seen++ < from ? null : { type: 'error', kind };
    };
  }

  #hangDisk(): void {
    const { process } = this.#anyone();
    if (process.alive) process.disk.hang(this.#random.between(100, 5000));
  }

  /** Only when the others are whole: a majority of disks must stay. */
  #wipe(): void {
    this.#makeWhole();
    const member = this.#anyone();
    if (!member.process.alive) return;
    this.#die(member);
    member.process.wipe();
    member.process.restart();
  }

  /** Each node's present replica votes, and nobody thinks that a change is under way that counts a disk wiped before. */
  #makeWhole(): void {
    this.heal();
    const cluster = this.#cluster;
    cluster.elect(60_000);
    const whole = (): boolean => {
      const expected = cluster.members.length - (this.#retired ? 1 : 0);
      const members = cluster.leader()?.service.status().members ?? [];
      const voters = members.filter((one) => one.voter).map((one) => one.replica);
      return (
        cluster.alive.length === expected &&
        cluster.alive
          .map(({ service }) => service.status())
          .every((one) => one.members.length === expected && voters.includes(one.replica))
      );
    };
    cluster.until(whole, 60_000, 'not whole');
  }

  /** The fourth node joins, or is removed and its machine with it. */
  #fourth(): void {
    const cluster = this.#cluster;
    if (!cluster.members.some(({ id }) => id === FOURTH)) {
      cluster.start(FOURTH);
      return;
    }
    const { process } = cluster.member(FOURTH);
    if (this.#retired) {
      this.#retired = false;
      process.restart();
      return;
    }
    this.#makeWhole();
    let removed: boolean | null = null;
    const asked = cluster.alive.find(({ id }) => id !== FOURTH)!;
    asked.service.admin({ op: 'removeMember', id: FOURTH }, 8000, (error) => {
      removed = error === null;
    });
    cluster.until(() => removed !== null, 20_000, 'no answer to a removal');
    if (!removed) return;
    this.#retired = true;
    this.#die(cluster.member(FOURTH));
    process.wipe();
  }
}

/** Configuration of the fourth node. */
export const WITH_FOURTH: { readonly [node: number]: readonly number[] } = {
  [FOURTH]: [1, 2, 3, FOURTH],
};
