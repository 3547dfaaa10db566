/**
 * Transcripts of the consensus core, one per rule or regression. `UPDATE_SCENARIOS=1` writes them afresh: read the
 * difference before you keep it.
 */
import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { RaftWorld } from './raft-world.ts';
import { replay } from './transcript.ts';

const folder = new URL('./raft/', import.meta.url);
const update = process.env['UPDATE_SCENARIOS'] === '1';

for (const file of readdirSync(folder)
  .filter((name) => name.endsWith('.txt'))
  .sort()) {
  const url = new URL(file, folder);
  const text = readFileSync(url, 'utf8');
  test(text.slice(2, text.indexOf('\n')), () => {
    const world = new RaftWorld();
    const fresh = replay(text, (command) => world.run(command));
    if (update) writeFileSync(url, fresh);
    else expect(fresh).toBe(text);
  });
}
