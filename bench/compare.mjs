/**
 * Quorlite beside the floor (`floor/floor.mjs`), in alternating rounds of whole processes: medians and their ratio.
 *
 *     npm run build && node bench/compare.mjs [rounds]
 */
import { execFileSync } from 'node:child_process';
import { join } from 'node:path';

const rounds = Number(process.argv[2] ?? 5);
const runs = { floor: new Map(), quorlite: new Map() };

function run(name, script) {
  const output = execFileSync(process.execPath, [join(import.meta.dirname, script), '--json'], {
    encoding: 'utf8',
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  for (const { name: what, concurrency, rate } of JSON.parse(output)) {
    const key = concurrency === undefined ? what : `${what}, ${concurrency} outstanding`;
    runs[name].set(key, [...(runs[name].get(key) ?? []), rate]);
  }
}

function median(values) {
  return values?.toSorted((a, b) => a - b)[values.length >> 1];
}

for (let round = 0; round < rounds; round++) {
  run('floor', 'floor/floor.mjs');
  run('quorlite', 'embedded.mjs');
}
const table = [...runs.quorlite].map(([what, values]) => {
  const floor = median(runs.floor.get(what));
  const quorlite = median(values);
  return { what, floor, quorlite, ratio: floor && Math.round((quorlite / floor) * 100) / 100 };
});
console.table(table);
