/** A cluster for `quorlite bench --embedded`: the leader in this process, two followers in processes of their own. */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { NodeConfig } from '../../config/node-config.ts';
import type { RunningNode } from '../../runtime/node/running-node.ts';
import { QuorliteError } from '../../wire/error.ts';
import { type ChildNode, startChild } from '../dev/child.ts';
import { freePorts } from '../dev/ports.ts';
import type { Output } from '../output.ts';
import { loadStartNode } from '../runtime.ts';

/** The node whose client is measured. */
const OWN = 1;
const NODES = 3;

/** A cluster that ends with this process. */
export interface EmbeddedCluster {
  readonly node: RunningNode;
  /** Stops everything and removes the data. */
  close(): Promise<void>;
}

/** How it is started. */
export interface EmbeddedOptions {
  readonly sync: NodeConfig['sync'];
  /** Where a folder for the data is made; default: that of temporary files. */
  readonly parent: string | undefined;
  readonly output: Output;
}

/** Starts the cluster; resolves when the node of this process leads. */
export async function startEmbedded(options: EmbeddedOptions): Promise<EmbeddedCluster> {
  const { sync = 'durable', parent = tmpdir(), output } = options;
  const folder = await mkdtemp(join(parent, 'quorlite-bench-'));
  const urls = (await freePorts(NODES)).map((port) => `http://127.0.0.1:${port}`);
  const nodes = Object.fromEntries(urls.map((url, i) => [i + 1, url]));
  const list = urls.map((url, i) => `${i + 1}=${url}`).join(',');
  const children = urls.slice(1).map((_, i) => {
    const id = String(i + 2);
    const own = ['--id', id, '--nodes', list, '--data-dir', join(folder, `node-${id}`)];
    const args = ['serve', ...own, '--sync', sync, '--log', 'warn,pretty'];
    return startChild(args, Number(id), output);
  });
  const startNode = await loadStartNode();
  let node: RunningNode | null = null;
  async function close(): Promise<void> {
    await node?.shutdown();
    for (const child of children) child.stop('SIGTERM');
    await Promise.all(children.map((child) => child.ended));
    await rm(folder, { recursive: true, force: true });
  }
  try {
    node = await startNode({ id: OWN, nodes, sync, dataDir: join(folder, 'node-1'), log: 'warn' });
    await Promise.race([lead(node), ...children.map(died)]);
    return { node, close };
  } catch (error) {
    await close();
    throw error;
  }
}

async function lead({ client }: RunningNode): Promise<void> {
  await client.ready();
  if ((await client.cluster.status()).leader !== OWN) await client.cluster.transfer(OWN);
}

async function died(child: ChildNode): Promise<never> {
  const end = await child.ended;
  throw new QuorliteError('NOT_READY', `node ${child.id} ended (${end})`);
}
