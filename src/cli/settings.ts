/** `quorlite settings`: what all nodes of a cluster share. */

import { parseAmount } from '../config/units.ts';
import { SETTINGS, type SettingName } from '../state-machine/settings.ts';
import { didYouMean } from '../wire/nearest.ts';
import type { Command, Invocation } from './command.ts';
import { CONNECTION_FLAGS, targetOf, URL_DETAILS, withClient } from './connection.ts';
import { renderTable } from './table.ts';
import { UsageError } from './usage.ts';

/** `quorlite settings [NAME=VALUE…] [URL…]`, also `quorlite cluster settings`. */
export const settingsCommand: Command = {
  name: 'settings',
  summary: 'show and change the settings that all nodes share',
  words: '[NAME=VALUE…] [URL…]',
  maxWords: 100,
  flags: CONNECTION_FLAGS,
  details: `Without NAME=VALUE it shows all settings. Amounts may have a unit: 64MiB, 10s. ${URL_DETAILS}`,
  examples: ['quorlite settings', 'quorlite settings resultRows=50000 http://127.0.0.1:4001'],
  run: settings,
};

async function settings(invocation: Invocation): Promise<undefined> {
  const { words, output } = invocation;
  const patch = readPatch(words.filter(isAssignment));
  const target = targetOf(
    invocation,
    words.filter((word) => !isAssignment(word)),
  );
  const { timeoutMs } = target;
  const values = await withClient(target, (client) =>
    Object.keys(patch).length > 0
      ? client.settings.set(patch, { timeoutMs })
      : client.settings.get({ timeoutMs }),
  );
  output.result(values, () => {
    const rows = Object.entries(values).map(([name, value]) => {
      const spec = knownSetting(name);
      const changed = spec !== null && spec.default !== value;
      const text = changed ? output.paint('accent', String(value)) : String(value);
      return [name, text, spec === null ? '-' : String(spec.default), spec?.help ?? ''];
    });
    const columns = [
      { title: 'setting' },
      { title: 'value', align: 'right' as const },
      { title: 'default', align: 'right' as const },
      { title: 'bounds' },
    ];
    for (const line of renderTable(columns, rows, (text) => output.paint('strong', text))) {
      output.line(line);
    }
  });
}

function isAssignment(word: string): boolean {
  return /^\w+=/.test(word);
}

function knownSetting(name: string): (typeof SETTINGS)[SettingName] | null {
  return Object.hasOwn(SETTINGS, name) ? SETTINGS[name as SettingName] : null;
}

function readPatch(words: readonly string[]): { [name: string]: number } {
  const patch: { [name: string]: number } = {};
  for (const word of words) {
    const cut = word.indexOf('=');
    const name = word.slice(0, cut);
    const text = word.slice(cut + 1);
    const spec = knownSetting(name);
    if (spec === null) {
      throw new UsageError(`unknown setting "${name}"${didYouMean(name, Object.keys(SETTINGS))}`);
    }
    const kind = name.endsWith('Bytes') ? 'bytes' : name.endsWith('Ms') ? 'ms' : 'plain';
    const value = parseAmount(text, kind);
    if (!Number.isInteger(value) || value < spec.min || value > spec.max) {
      throw new UsageError(
        `${name} must be a whole number from ${spec.min} to ${spec.max}, not "${text}"`,
      );
    }
    patch[name] = value;
  }
  return patch;
}
