/** The numbers of a node, by their Prometheus names. */
import type { Metric } from './contract.ts';
import type { NodeInside } from './inside.ts';

type Sample = readonly [name: string, type: Metric['type'], help: string, value: number];

/** All metrics as of now. */
export function nodeMetrics(node: NodeInside): Metric[] {
  return [
    ...raftSamples(node),
    ...queueSamples(node),
    ...storageSamples(node),
    ...linkSamples(node),
  ]
    .map(([name, type, help, value]) => ({ name: `quorlite_${name}`, type, help, value }))
    .concat(machineMetrics(node));
}

function raftSamples(node: NodeInside): Sample[] {
  const { raft, stateMachine, applyBacklog } = node.replica;
  const { voters, learners } = raft.membership;
  const lag = node.lagMs();
  return [
    ['raft_term', 'gauge', 'Current term', raft.term],
    ['raft_is_leader', 'gauge', '1 on the leader', raft.role === 'leader' ? 1 : 0],
    ['raft_has_leader', 'gauge', '1 while a leader is known', raft.leader === 0 ? 0 : 1],
    ['raft_commit_index', 'gauge', 'Highest committed index known', raft.commit],
    ['raft_applied_index', 'gauge', 'Last applied index', stateMachine.applied.index],
    ['raft_last_index', 'gauge', 'Last index in the log', raft.lastIndex],
    ['raft_first_index', 'gauge', 'First index still in the log', raft.firstIndex],
    ['raft_voters', 'gauge', 'Voters', voters.length],
    ['raft_learners', 'gauge', 'Learners', learners.length],
    ['raft_candidacies_total', 'counter', 'Elections this node stood in', node.elections],
    ['raft_uncommitted_bytes', 'gauge', 'Proposed, not committed', raft.uncommittedBytes],
    ['apply_backlog_entries', 'gauge', 'Committed, not applied', applyBacklog],
    ['replica_lag_ms', 'gauge', 'Staleness bound of this node; -1 when unknown', lag ?? -1],
  ];
}

function queueSamples(node: NodeInside): Sample[] {
  const { proposals, reads, inboxDropped } = node.replica;
  return [
    ['writes_pending', 'gauge', 'Writes accepted and not answered', proposals.pending],
    ['reads_pending', 'gauge', 'Reads behind their gate', reads.pending],
    ['inbox_dropped_total', 'counter', 'Messages of peers dropped for lack of room', inboxDropped],
    ['streams_open', 'gauge', 'Open row streams', reads.streams.size],
  ];
}

function storageSamples(node: NodeInside): Sample[] {
  const { log, snapshots } = node.options.storage;
  return [
    ['log_bytes', 'gauge', 'Bytes of log kept', log.bytes],
    ['log_stalled_ms', 'gauge', 'Age of the oldest unfinished log write', log.stalledMs()],
    ['checkpoint_bytes', 'gauge', 'Bytes of checkpoints kept', snapshots.bytes],
    ['checkpoint_index', 'gauge', 'Index of the newest checkpoint', snapshots.newest?.index ?? 0],
    ['snapshot_sent_bytes_total', 'counter', 'Snapshot bytes sent', node.snapshotSender.sentBytes],
    [
      'snapshot_received_bytes_total',
      'counter',
      'Snapshot bytes received',
      node.snapshotInstaller.receivedBytes,
    ],
  ];
}

function linkSamples(node: NodeInside): Sample[] {
  const { stats } = node.options.transport;
  return [
    ['peers_connected', 'gauge', 'Connected peers', node.peers.all().length],
    ['peer_frames_sent_total', 'counter', 'Frames sent to peers', stats.framesSent],
    ['peer_frames_received_total', 'counter', 'Frames received from peers', stats.framesReceived],
    ['peer_bytes_sent_total', 'counter', 'Bytes sent to peers', stats.bytesSent],
    ['peer_bytes_received_total', 'counter', 'Bytes received from peers', stats.bytesReceived],
    [
      'peer_frames_dropped_total',
      'counter',
      'Frames dropped for lack of room',
      stats.framesDropped,
    ],
  ];
}

function machineMetrics(node: NodeInside): Metric[] {
  return Object.entries(node.replica.stateMachine.stats()).map(([name, value]) => ({
    name: `quorlite_${snakeCase(name)}`,
    type: name.endsWith('_total') ? 'counter' : 'gauge',
    help: `State machine: ${snakeCase(name).replaceAll('_', ' ')}`,
    value,
  }));
}

function snakeCase(name: string): string {
  return name.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`);
}
