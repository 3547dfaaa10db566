/** Who listens where, who is connected to whom, and the faults between them. */
import type { Dialer, Link, LinkEvents } from '../../platform/links.ts';
import { End } from './connection.ts';
import type { PathOptions, VirtualNetwork } from './contract.ts';
import type { Life } from './life.ts';
import { Paths } from './paths.ts';
import type { Random } from './random.ts';
import type { Scheduler } from './scheduler.ts';

/** TCP tries again to reach a silent host after so long, and so often. */
const SYN_MICROS = 1_000_000;
const SYN_TRIES = 10;

type Accept = (link: Link, remote: string) => LinkEvents;

/** What the network knows of a machine. */
interface Host {
  /** Whether the machine itself is up: it answers even when its process is dead. */
  up: boolean;
  /** Ends that its earlier lives left behind without telling the other side. */
  lost: End[];
}

/** The network. */
export class Network implements VirtualNetwork {
  readonly #scheduler: Scheduler;
  readonly #paths: Paths;
  readonly #listeners = new Map<string, { readonly life: Life; readonly accept: Accept }>();
  readonly #urls = new Map<string, string>();
  readonly #hosts = new Map<string, Host>();
  #ends: End[] = [];

  constructor(scheduler: Scheduler, random: Random, options: Partial<PathOptions>) {
    this.#scheduler = scheduler;
    this.#paths = new Paths(random, options);
  }

  setPath(from: string, to: string, options: Partial<PathOptions>): void {
    const path = this.#paths.get(from, to);
    path.options = { ...path.options, ...options };
  }

  setAllPaths(options: Partial<PathOptions>): void {
    this.#paths.setAll(options);
  }

  cut(from: string, to: string): void {
    this.#paths.get(from, to).set({ cut: true });
  }

  heal(from: string, to: string): void {
    this.#paths.get(from, to).set({ cut: false });
  }

  partition(...groups: readonly (readonly string[])[]): void {
    const names = [...this.#hosts.keys()];
    const groupOf = (name: string): number => {
      const group = groups.findIndex((members) => members.includes(name));
      return group < 0 ? groups.length + names.indexOf(name) : group;
    };
    for (const from of names) {
      for (const to of names) {
        if (from !== to) this.#paths.get(from, to).set({ cut: groupOf(from) !== groupOf(to) });
      }
    }
  }

  isolate(name: string): void {
    for (const other of this.#hosts.keys()) {
      if (other === name) continue;
      this.cut(name, other);
      this.cut(other, name);
    }
  }

  healAll(): void {
    this.#paths.healAll();
  }

  clog(from: string, to: string): void {
    this.#paths.get(from, to).set({ clogged: true });
  }

  unclog(from: string, to: string): void {
    this.#paths.get(from, to).set({ clogged: false });
  }

  reset(one: string, other: string): void {
    for (const end of this.#unended()) {
      const [a, b] = [end.life.name, end.other.life.name];
      if ((a === one && b === other) || (a === other && b === one)) end.reset('connection reset');
    }
  }

  /** A process starts: its machine is up and knows nothing of earlier connections. */
  hostUp(life: Life): void {
    const host = this.#host(life.name);
    host.up = true;
    for (const end of host.lost.splice(0)) {
      const peer = end.other;
      const back = this.#paths.get(life.name, peer.life.name);
      peer.forget(() => {
        const at = this.#scheduler.now + 2 * back.latency();
        this.#whenThrough(life.name, peer.life.name, at, () => peer.reset('connection reset'));
      });
    }
  }

  /** A process died; silently when its whole machine lost power. */
  hostDown(life: Life, silent: boolean): void {
    const host = this.#host(life.name);
    if (silent) host.up = false;
    for (const end of this.#unended()) {
      if (end.life !== life) continue;
      end.die(this.#scheduler.now, silent);
      if (silent) host.lost.push(end);
    }
    for (const [url, listener] of this.#listeners) {
      if (listener.life === life) this.#listeners.delete(url);
    }
  }

  listen(life: Life, url: string, accept: Accept): () => void {
    const key = normal(url);
    const listener = { life, accept };
    this.#listeners.set(key, listener);
    this.#urls.set(key, life.name);
    return () => {
      if (this.#listeners.get(key) === listener) this.#listeners.delete(key);
    };
  }

  dialer(life: Life): Dialer {
    return {
      dial: (url, events) => {
        const end = new End(life);
        const dial = new Dial(end);
        end.events = events;
        this.request(dial, end, normal(url), life.now, 0);
        return dial;
      },
    };
  }

  /** For `Dial`: a connection request leaves `end` for `url` at this moment. `tries` have been made before. */
  request(dial: Dial, end: End, url: string, at: number, tries: number): void {
    const from = end.life.name;
    const to = this.#urls.get(url);
    if (to === undefined) {
      end.life.at(at + 1, 'io', () => dial.fail('no such host'));
      return;
    }
    const there = this.#paths.get(from, to);
    this.#scheduler.schedule(at + there.latency(), 'world', null, () => {
      if (!dial.wanted) return;
      if (there.blocked || !this.#host(to).up) {
        if (tries < SYN_TRIES) {
          this.request(dial, end, url, this.#scheduler.now + SYN_MICROS, tries + 1);
        } else {
          end.life.at(this.#scheduler.now, 'io', () => dial.fail('timed out'));
        }
        return;
      }
      this.#establish(dial, end, url, to);
    });
  }

  #establish(dial: Dial, end: End, url: string, to: string): void {
    const from = end.life.name;
    const listener = this.#listeners.get(url);
    const back = this.#paths.get(to, from);
    if (listener === undefined) {
      this.#whenThrough(to, from, this.#scheduler.now + back.latency(), () => {
        end.life.at(this.#scheduler.now, 'io', () => dial.fail('connection refused'));
      });
      return;
    }
    const { life, accept } = listener;
    const accepted = new End(life);
    End.join(end, accepted, this.#paths.get(from, to), back);
    dial.established();
    this.#ends.push(end, accepted);
    life.at(this.#scheduler.now, 'io', () => {
      if (!accepted.open) return;
      accepted.confirm();
      accepted.events = accept(accepted, from);
    });
  }

  /** Runs something that arrives from `from` at `to`, at this moment or when the path lets it through. */
  #whenThrough(from: string, to: string, at: number, run: () => void): void {
    const path = this.#paths.get(from, to);
    this.#scheduler.schedule(at, 'world', null, () => {
      if (path.blocked) path.whenOpen(run);
      else run();
    });
  }

  #unended(): readonly End[] {
    this.#ends = this.#ends.filter((end) => end.unended);
    return this.#ends;
  }

  #host(name: string): Host {
    let host = this.#hosts.get(name);
    if (host === undefined) {
      host = { up: true, lost: [] };
      this.#hosts.set(name, host);
    }
    return host;
  }
}

/** The dialler's link: before the connection exists it only waits. */
class Dial implements Link {
  readonly #end: End;
  #state: 'waiting' | 'established' | 'over' = 'waiting';

  constructor(end: End) {
    this.#end = end;
  }

  /** Whether anybody still waits for the connection. */
  get wanted(): boolean {
    return this.#state === 'waiting' && this.#end.life.alive;
  }

  get bufferedBytes(): number {
    return this.#state === 'established' ? this.#end.bufferedBytes : 0;
  }

  send(bytes: Uint8Array): void {
    if (this.#state === 'established') this.#end.send(bytes);
  }

  close(reason?: string): void {
    if (this.#state === 'established') this.#end.close(reason);
    this.#state = 'over';
  }

  established(): void {
    this.#state = 'established';
  }

  fail(reason: string): void {
    if (!this.wanted) return;
    this.#state = 'over';
    this.#end.events?.closed(reason);
  }
}

/** Two ways of writing a URL are one listener. */
function normal(url: string): string {
  return url.replace(/\/+$/, '');
}
