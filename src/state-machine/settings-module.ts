/** Replicated cluster settings: changed by a command, in force from the next entry on. */

import type { EngineLimits } from '../../wasm/engine.ts';
import { hardStepLimit, memoryMargin } from '../../wasm/limits.ts';
import { ByteReader, ByteWriter } from '../wire/bytes.ts';
import { QuorliteError } from '../wire/error.ts';
import type { FrozenModule, ModuleMark, SectionPair, StateModule } from './module.ts';
import { type ClusterSettings, DEFAULT_SETTINGS, SETTINGS, type SettingName } from './settings.ts';

/** Version of the encoding. */
const SETTING_VERSION = 1;

/** The module of settings. Only values that differ from the defaults are kept, so a new default reaches old clusters. */
export class Settings implements StateModule {
  readonly section = 'settings';
  /** In force while an entry is applied. */
  current: ClusterSettings = DEFAULT_SETTINGS;
  #next: ClusterSettings = DEFAULT_SETTINGS;
  /** Counts changes: the mark of a cut. */
  #version = 0;

  /** Checks and records a change. Throws `BAD_REQUEST`, naming the setting and its range. */
  patch(patch: { readonly [name: string]: number }): ClusterSettings {
    const changed: { [name: string]: number } = { ...this.#next };
    for (const [name, value] of Object.entries(patch)) {
      checkSetting(name, value);
      changed[name] = value;
    }
    const next = changed as ClusterSettings;
    checkTogether(next);
    this.#next = next;
    return next;
  }

  /** Puts what the applied entry changed in force; true when something did. */
  commit(): boolean {
    if (this.current === this.#next) return false;
    this.current = this.#next;
    this.#version++;
    return true;
  }

  restore(pairs: Iterable<SectionPair>): void {
    const restored: { [name: string]: number } = { ...DEFAULT_SETTINGS };
    for (const [key, value] of pairs) {
      const input = new ByteReader(value);
      const version = input.u8();
      const name = new ByteReader(key).text();
      if (version !== SETTING_VERSION || !Object.hasOwn(SETTINGS, name)) {
        throw new QuorliteError('CORRUPT', `the setting ${name} (version ${version}) is unknown`);
      }
      restored[name] = input.f64();
    }
    this.current = restored as ClusterSettings;
    this.#next = this.current;
  }

  freeze(): FrozenModule {
    const { current } = this;
    const version = this.#version;
    return {
      mark: version,
      *changes(since: ModuleMark | null) {
        if (since === version) return;
        for (const name of Object.keys(SETTINGS) as SettingName[]) {
          const key = new ByteWriter(32);
          key.text(name);
          if (current[name] === DEFAULT_SETTINGS[name]) {
            if (since !== null) yield [key.take(), null];
            continue;
          }
          const value = new ByteWriter(16);
          value.u8(SETTING_VERSION);
          value.f64(current[name]);
          yield [key.take(), value.take()];
        }
      },
      release() {},
    };
  }

  dirtySince(mark: ModuleMark | null): number {
    return mark === this.#version ? 0 : Object.keys(SETTINGS).length;
  }

  forget(): void {}
}

function checkSetting(name: string, value: number): void {
  const spec = Object.hasOwn(SETTINGS, name) ? SETTINGS[name as SettingName] : undefined;
  if (spec === undefined) {
    const known = Object.keys(SETTINGS).join(', ');
    throw new QuorliteError('BAD_REQUEST', `there is no setting ${name}; there are ${known}`);
  }
  if (!Number.isInteger(value) || value < spec.min || value > spec.max) {
    throw new QuorliteError(
      'BAD_REQUEST',
      `${name} must be an integer from ${spec.min} to ${spec.max} (${spec.help})`,
    );
  }
}

/** The hard limits must lie so far above the soft ones that every replica agrees on them (two-limit rule). */
function checkTogether(settings: ClusterSettings): void {
  const steps = hardStepLimit(settings.softSteps);
  if (settings.hardSteps < steps) {
    throw new QuorliteError('BAD_REQUEST', `hardSteps must be at least ${steps} (see softSteps)`);
  }
  const memory = settings.softMemoryBytes + memoryMargin(engineLimits(settings));
  if (settings.hardMemoryBytes < memory) {
    throw new QuorliteError(
      'BAD_REQUEST',
      `hardMemoryBytes must be at least ${memory} (see softMemoryBytes and cachePages)`,
    );
  }
  if (settings.slowSteps < settings.softSteps) {
    throw new QuorliteError('BAD_REQUEST', 'slowSteps must not be below softSteps');
  }
}

/** The settings that the SQL engine takes. */
export function engineLimits(settings: ClusterSettings): EngineLimits {
  const { valueBytes, patternBytes, maxPageCount, cachePages, sqlBytes } = settings;
  return { valueBytes, patternBytes, maxPageCount, cachePages, sqlBytes };
}
