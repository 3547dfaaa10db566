/** What a node says of itself to its peers, and whom it refuses to talk to. */
import type { Engine } from '../../wasm/engine.ts';
import type { Hello } from '../transport/contract.ts';
import type { NodeInside } from './inside.ts';

/** Protocol versions that this release speaks. */
export const PROTOCOL: readonly [number, number] = [1, 1];

/** This node's hello, as of now. */
export function ownHello(node: NodeInside): Hello {
  const { storage, node: number, url, role, nodes } = node.options;
  return {
    cluster: node.pristine ? 0 : node.identity.cluster,
    replica: node.self,
    node: number,
    url,
    boot: node.identity.boot,
    recovering: node.recovering,
    sync: storage.sync.mode,
    index: node.replica.raft.lastIndex,
    pristine: node.pristine,
    engine: engineOf(node.options.engine),
    protocol: PROTOCOL,
    nodes: [...nodes.keys()].sort((a, b) => a - b),
    role,
  };
}

/** Why a peer that proved the secret is refused nevertheless, or null. */
export function refusalOf(node: NodeInside, hello: Hello): string | null {
  const engine = engineOf(node.options.engine);
  if (hello.engine !== engine) {
    const same = hello.engine.split('/')[0] === engine.split('/')[0];
    const fix = same ? 'run the same release on all nodes' : 'give all nodes the same engine';
    return `ENGINE_MISMATCH: node ${hello.node} runs ${hello.engine}, this node ${engine}: ${fix}`;
  }
  if (hello.node === node.options.node) {
    return `CONFIG_INVALID: both nodes have the number ${hello.node}: give one of them another id`;
  }
  const twin = node.peers.byNode(hello.node);
  if (twin && twin.hello.replica !== hello.replica) {
    return `CONFIG_INVALID: number ${hello.node} belongs to a live replica at ${twin.hello.url}: give the new node another id`;
  }
  return node.peers.contradiction(hello);
}

/** How an engine stands in hellos, identities and checkpoints. */
export function engineOf({ id }: Engine): string {
  return `${id.name}/${id.version}/${id.hash}`;
}
