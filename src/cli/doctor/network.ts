/** Checks of the network: own ports, peers, their clocks. */
import { formatHostPort, type HostPort } from '../../config/address.ts';
import type { ConfiguredNode, ResolvedConfig } from '../../config/resolve.ts';
import { isFree } from '../dev/ports.ts';
import { fetchWithin } from '../fetch-within.ts';
import { type Finding, finding, reasonOf } from './check.ts';

const PEER_TIMEOUT_MS = 2000;
/** `Date` headers count seconds: less than this says nothing. */
const SKEW_MS = 2500;

/** Whether the node's own ports can be bound. */
export async function checkPorts(config: ResolvedConfig): Promise<Finding[]> {
  const addresses = [config.listen, config.listenRaft].filter(
    (address): address is HostPort => address !== null && address.port !== 0,
  );
  return Promise.all(addresses.map((address) => checkPort(address)));
}

/** Whether the other nodes answer, and what time they think it is. */
export async function checkPeers(config: ResolvedConfig): Promise<Finding[]> {
  const peers = config.nodes.filter((node) => node.id !== config.id);
  return Promise.all(peers.map((peer) => checkPeer(peer)));
}

async function checkPort(address: HostPort): Promise<Finding> {
  const text = formatHostPort(address);
  try {
    if (await isFree(address.port, address.host)) return finding('port', 'ok', `${text} is free`);
  } catch (error) {
    return finding('port', 'fail', reasonOf(error), 'listen on an address of this machine');
  }
  const ours = await fetchWithin(`http://${text}/livez`, PEER_TIMEOUT_MS, async (answer) =>
    answer.headers.get('content-type')?.includes('json'),
  ).catch(() => false);
  return ours
    ? finding('port', 'warn', `${text} is in use, it seems by a running node`)
    : finding('port', 'fail', `${text} is in use by something else`, 'stop it, or set listen');
}

async function checkPeer(peer: ConfiguredNode): Promise<Finding> {
  const name = `node ${peer.id}`;
  try {
    return await fetchWithin(`${peer.url}/livez`, PEER_TIMEOUT_MS, (answer) =>
      judgeAnswer(peer, answer),
    );
  } catch (error) {
    const cause = error instanceof Error && error.cause !== undefined ? error.cause : error;
    return finding(name, 'warn', `${peer.url}: ${reasonOf(cause)}`, 'start it, or open the port');
  }
}

async function judgeAnswer(peer: ConfiguredNode, answer: Response): Promise<Finding> {
  const name = `node ${peer.id}`;
  const health = (await answer.text()).slice(0, 200);
  const date = Date.parse(answer.headers.get('date') ?? '');
  const skew = Number.isNaN(date) ? 0 : Date.now() - date;
  if (!answer.ok) return finding(name, 'warn', `${peer.url} answers ${answer.status}: ${health}`);
  if (Math.abs(skew) > SKEW_MS) {
    const detail = `${peer.url}: its clock differs by about ${Math.round(skew / 1000)} s`;
    return finding(name, 'warn', detail, 'run NTP on both');
  }
  return finding(name, 'ok', `${peer.url} answers`);
}
