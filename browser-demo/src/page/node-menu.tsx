/** What can be done to the node that is selected, or to the cluster when none is. */
import type { JSX } from 'preact';
import { Icon } from '../../../ui/icons.tsx';
import type { Input, NodeView } from '../sim/protocol.ts';
import { act, exportDatabase, leader, moment, selected } from './store.ts';

/** The newest node that can be added. */
const MOST = 7;

/** The menu. */
export function NodeMenu(): JSX.Element {
  const nodes = moment.value?.nodes ?? [];
  const node = nodes.find(({ id }) => id === selected.value);
  return (
    <section class="node-menu" aria-label={node ? `Node ${node.id}` : 'Cluster'}>
      {node ? <OneNode node={node} /> : <Cluster count={nodes.length} />}
    </section>
  );
}

function Cluster({ count }: { readonly count: number }): JSX.Element {
  const cuts = moment.value?.cuts.length ?? 0;
  return (
    <>
      <p class="soft menu-hint">
        Select a node to break it. Draw a line across the ring to split the network. Pick a message
        to lose it. Below each node: its term, its commit index, the hash of its database.
      </p>
      <div class="row">
        <Action
          name="Kill the leader"
          off={leader.value === 0}
          input={{ type: 'kill', node: leader.value }}
        />
        <Action name="Heal the network" off={cuts === 0} input={{ type: 'healAll' }} />
        <Action
          name={`Add node ${count + 1}`}
          off={count >= MOST || count === 0}
          input={{ type: 'add', node: count + 1 }}
        />
      </div>
    </>
  );
}

function OneNode({ node }: { readonly node: NodeView }): JSX.Element {
  const { id, state, role, why, syncMs, term, commit, applied, hash } = node;
  const alive = state === 'running' || state === 'paused';
  const running = state === 'running';
  return (
    <>
      <div class="menu-head">
        <h2>n{id}</h2>
        <span class="soft">
          {running ? role : state}
          {alive && (
            <span class="mono">
              {` · term ${term} · committed ${commit} · applied ${applied} · disk ${syncMs} ms · ${hash}`}
            </span>
          )}
          {why !== '' && ` · ${why}`}
        </span>
        <button
          type="button"
          class="button plain push"
          onClick={() => {
            selected.value = 0;
          }}
        >
          Close
        </button>
      </div>
      <div class="row">
        {alive ? (
          <>
            <Action name="Kill" input={{ type: 'kill', node: id }} title="The process dies, its disk stays" />
            <Action name="Cut the power" input={{ type: 'crash', node: id }} title="Unsynced writes may be gone" />
            <Action name={running ? 'Pause' : 'Go on'} input={{ type: running ? 'pause' : 'resume', node: id }} />
          </>
        ) : (
          <>
            <Action name="Start" input={{ type: 'restart', node: id }} />
            <Action name="Wipe the disk" input={{ type: 'wipe', node: id }} />
            <Action name="Old disk" off={!node.copied} input={{ type: 'oldDisk', node: id }} title="Puts the copy of its disk back" />
          </>
        )}
        <Action name={syncMs > 20 ? 'Fast disk' : 'Slow disk'} input={{ type: 'slowDisk', node: id, ms: syncMs > 20 ? 14 : 250 }} />
        <Action name="Copy disk" input={{ type: 'copyDisk', node: id }} />
        <Action name="Flip a bit" input={{ type: 'flipBit', node: id }} title="In its log, on the disk; its checksum tells at the next start" />
        <Action name="Fast clock" off={!running} input={{ type: 'drift', node: id, ppm: 100_000 }} />
        <Action name="Cut off" input={cutOff(id)} title="Nothing gets to it or from it" />
        <Action name="Snapshot" off={!running} input={{ type: 'snapshot', node: id }} />
        <Action name="Hand leadership over" off={!running || role !== 'follower'} input={{ type: 'transfer', node: id }} />
        {role === 'learner' && <Action name="Promote" input={{ type: 'promote', node: id }} />}
        <Action name="Remove" off={role === 'removed' || role === 'joining'} input={{ type: 'remove', node: id }} />
        <button type="button" class="button" disabled={!alive} onClick={() => exportDatabase(id)}>
          <Icon name="export" /> Export
        </button>
      </div>
      <OneWay id={id} />
    </>
  );
}

/** One direction of one link. */
function OneWay({ id }: { readonly id: number }): JSX.Element {
  const others = (moment.value?.nodes ?? []).filter((node) => node.id !== id);
  const cuts = new Set(moment.value?.cuts ?? []);
  return (
    // biome-ignore lint/a11y/useSemanticElements: a fieldset would need a legend on screen
    <div class="row one-way" role="group" aria-label={`Ways from n${id}`}>
      <span class="soft">n{id} reaches</span>
      {others.map((other) => {
        const cut = cuts.has(id * 16 + other.id);
        return (
          <button
            key={other.id}
            type="button"
            class="button"
            aria-pressed={!cut}
            aria-label={`n${id} reaches n${other.id}`}
            onClick={() => act({ type: cut ? 'heal' : 'cut', from: id, to: other.id })}
          >
            n{other.id}
          </button>
        );
      })}
    </div>
  );
}

function cutOff(id: number): Input {
  const ids = (moment.value?.nodes ?? []).map((node) => node.id);
  return { type: 'partition', groups: [[id], ids.filter((other) => other !== id)] };
}

function Action(props: {
  readonly name: string;
  readonly input: Input;
  readonly off?: boolean;
  readonly title?: string;
}): JSX.Element {
  return (
    <button
      type="button"
      class="button"
      disabled={props.off ?? false}
      title={props.title}
      onClick={() => act(props.input)}
    >
      {props.name}
    </button>
  );
}
