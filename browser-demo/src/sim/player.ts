/** Plays a run: keeps its inputs, lets its time pass, and forks it when somebody acts in its past. */
import type { Engine } from '../../../wasm/engine.ts';
import type { Input, News, Run, TimedInput } from './protocol.ts';
import { Recorder } from './recorder.ts';
import { Simulation } from './simulation.ts';

/** The first leader must be there by then, virtual milliseconds. */
const BOOT_MS = 30_000;
/** A step runs until something happens, at most so long. */
const STEP_MS = 1000;

/** A player. */
export class Player {
  playing = false;
  readonly #engine: Engine;
  #seed: string;
  #inputs: TimedInput[];
  #simulation: Simulation;
  #recorder = new Recorder();
  /** Inputs already done. */
  #done = 0;
  #inputsChanged = true;
  #lookAtChecks = true;

  constructor(engine: Engine, run: Run) {
    this.#engine = engine;
    this.#seed = run.seed;
    this.#inputs = [...run.inputs];
    this.#simulation = new Simulation(run.seed, engine, this.#recorder);
  }

  get now(): number {
    return this.#simulation.now;
  }

  get run(): Run {
    return { seed: this.#seed, inputs: this.#inputs };
  }

  get simulation(): Simulation {
    return this.#simulation;
  }

  /** Runs until somebody leads, or to a moment. */
  boot(until: number | null): void {
    if (until === null) {
      while (!this.#simulation.led && this.now < BOOT_MS) this.#millisecond();
    } else {
      this.forward(until - this.now);
      this.#doDue();
    }
    this.#simulation.picture();
  }

  /** Lets so many milliseconds pass, or as many as `goOn` grants. */
  forward(ms: number, goOn: () => boolean = () => true): void {
    for (let i = 0; i < ms; i++) {
      this.#millisecond();
      if (i % 4 === 3 && !goOn()) return;
    }
  }

  /** Until the next thing happens. */
  step(): void {
    let passed = 0;
    do {
      this.#millisecond();
      passed++;
    } while (!this.#recorded() && passed < STEP_MS);
    this.#simulation.picture();
  }

  #recorded(): boolean {
    const { messages, arrivals, events } = this.#recorder;
    return messages.length + arrivals.length + events.length > 0;
  }

  #millisecond(): void {
    this.#doDue();
    if (this.#simulation.advance()) this.#lookAtChecks = true;
  }

  /** Does what was done at this moment, or before. */
  #doDue(): void {
    for (;;) {
      const next = this.#inputs[this.#done];
      if (next === undefined || next.at > this.now) return;
      this.#done++;
      this.#simulation.act(next.input);
    }
  }

  /** Does something at a moment; what was recorded behind it is forgotten. Returns whether it was in the past. */
  act(at: number, input: Input): boolean {
    const moment = Math.max(0, Math.min(Math.floor(at), this.now));
    const past = moment < this.now;
    if (past) this.#rewind(moment);
    this.#inputs = [...this.#inputs.slice(0, this.#done), { at: moment, input }];
    this.#done = this.#inputs.length;
    this.#inputsChanged = true;
    this.#simulation.act(input);
    return past;
  }

  /** Executes the same run again up to a moment. */
  #rewind(moment: number): void {
    this.#recorder = new Recorder();
    this.#recorder.off = true;
    this.#inputs = this.#inputs.filter((input) => input.at <= moment);
    this.#done = 0;
    this.#lookAtChecks = true;
    this.#simulation = new Simulation(this.#seed, this.#engine, this.#recorder);
    this.forward(moment);
    // What came at this very moment is done before what comes now.
    this.#doDue();
    this.#recorder.off = false;
    this.#simulation.picture();
  }

  /** What the page does not know yet. */
  news(): News {
    const checks = this.#lookAtChecks ? this.#simulation.checks() : null;
    const inputs = this.#inputsChanged ? this.#inputs : null;
    this.#lookAtChecks = false;
    this.#inputsChanged = false;
    return {
      type: 'news',
      now: this.now,
      playing: this.playing,
      ...this.#recorder.take(),
      checks,
      inputs,
      load: this.#simulation.workload.perSecond,
      chaos: this.#simulation.workload.chaos,
    };
  }
}
