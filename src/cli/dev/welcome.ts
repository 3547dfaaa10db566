/** What `quorlite dev` says when its cluster stands. */
import { fetchWithin } from '../fetch-within.ts';
import type { Output } from '../output.ts';
import { pad } from '../table.ts';
import type { ReadyNode } from './child.ts';
import type { DevPlan } from './dev.ts';

const CONSOLE_TIMEOUT_MS = 2000;

/** Prints the URLs and lines that work as pasted. */
export async function printWelcome(
  plan: DevPlan,
  nodes: readonly ReadyNode[],
  output: Output,
): Promise<void> {
  const url = plan.urls[0]!;
  const console = await consoleUrl(url);
  if (output.json) {
    output.line(JSON.stringify({ ready: { nodes, console, dataDir: plan.dataDir } }));
    return;
  }
  const rows = nodes.map(({ id, url: own, role }) => [`node ${id}`, own, role] as const);
  output.line();
  for (const [name, own, role] of rows) {
    const tone = role === 'leader' ? 'good' : 'dim';
    output.line(`  ${pad(name, 8)} ${output.paint('accent', own)}  ${output.paint(tone, role)}`);
  }
  if (console !== null) output.line(`  ${pad('console', 8)} ${output.paint('accent', console)}`);
  output.line(`  ${pad('data', 8)} ${plan.dataDir}`);
  output.line();
  output.line(`  ${curlLine(url)}`);
  output.line(`  npx quorlite sql ${url}`);
  output.line();
}

/** A request that any node answers. */
export function curlLine(url: string): string {
  const body = JSON.stringify({ sql: 'SELECT sqlite_version() AS version' });
  return `curl -s ${url}/v1/query -H 'content-type: application/json' -d '${body}'`;
}

/** The console's URL when this build of the node serves one. */
async function consoleUrl(url: string): Promise<string | null> {
  try {
    return await fetchWithin(
      `${url}/`,
      CONSOLE_TIMEOUT_MS,
      async (answer) => {
        await answer.body?.cancel();
        const html = answer.headers.get('content-type')?.startsWith('text/html') === true;
        return answer.ok && html ? `${url}/` : null;
      },
      { redirect: 'manual' },
    );
  } catch {
    return null;
  }
}
