/** The numbers of a node, by their Prometheus names. */
import { assert } from '../wire/assert.ts';
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
    ...machineMetrics(node),
  ].map(([name, type, help, value]) => ({ name: `quorlite_${name}`, type, help, value }));
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
    ['reads_running', 'gauge', 'Reads beyond their first slice', reads.places.running],
    ['reads_queued', 'gauge', 'Reads waiting to run beyond it', reads.places.waiting],
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

/** How the numbers of the state machine are exposed: what only grows is a counter. */
const MACHINE_METRICS: {
  readonly [stat: string]: readonly [name: string, type: Metric['type'], help: string];
} = {
  redos: ['redos_total', 'counter', 'Entries rolled back and run again around a failed command'],
  canonicalRuns: [
    'canonical_runs_total',
    'counter',
    'Commands run again on a fresh engine because they met a soft limit',
  ],
  crashes: ['engine_crashes_total', 'counter', 'Engine instances replaced after a trap'],
  readerCrashes: ['reader_crashes_total', 'counter', 'Reader instances replaced after a trap'],
  engineBytes: ['engine_bytes', 'gauge', 'Memory of the engine that applies entries'],
  readerBytes: ['reader_bytes', 'gauge', 'Memory of the engines that read'],
  pageBytes: ['page_bytes', 'gauge', 'Database pages held, old versions included'],
  pages: ['pages', 'gauge', 'Pages of the database'],
  pageCacheBytes: ['page_cache_bytes', 'gauge', 'Memory of the page cache (pageCacheBytes)'],
  pageCacheMisses: ['page_cache_misses_total', 'counter', 'Pages read from disk'],
  pageSpills: ['page_spills_total', 'counter', 'Pages written to scratch'],
  pageScratchBytes: ['page_scratch_bytes', 'gauge', 'Pages that are in scratch'],
  pageScratchFileBytes: ['page_scratch_file_bytes', 'gauge', 'Size of the scratch'],
  pageImageBytes: ['page_image_bytes', 'gauge', 'Pages read in place from checkpoints'],
  pageImageFiles: ['page_image_files', 'gauge', 'Checkpoint files that pages are read from'],
  sessions: ['sessions', 'gauge', 'Open client sessions'],
  keys: ['idempotency_keys', 'gauge', 'Idempotency keys kept'],
};

function machineMetrics(node: NodeInside): Sample[] {
  return Object.entries(node.replica.stateMachine.stats()).map(([stat, value]) => {
    const metric = MACHINE_METRICS[stat];
    assert(metric !== undefined, () => `the state machine counts ${stat}, which has no metric`);
    return [...metric, value];
  });
}
