/**
 * The number that a storage's own log and checkpoint give its replica. A folder under another number would make one
 * replica two members, so a changed `id` is refused at start.
 */
import { type Entry, EntryKind, entryPayload, type ReplicaId } from '../wire/entry.ts';
import { QuorliteError } from '../wire/error.ts';
import { decodeMembershipEntry, type MemberInfo, type Membership } from '../wire/membership.ts';

/** Throws `CONFIG_INVALID` when the storage belongs to another number than `node`. */
export function checkOwnNumber(
  node: number,
  replica: ReplicaId,
  membership: Membership,
  entries: readonly Entry[],
): void {
  const known = [...membership.members, ...entries.flatMap(membersNamed)];
  const own = known.find((member) => member.replica === replica);
  if (own === undefined || own.node === node) return;
  throw new QuorliteError(
    'CONFIG_INVALID',
    `this data folder belongs to node ${own.node}, this node is configured as number ${node}`,
    {
      hint: `start with --id ${own.node}, or give node ${node} a data folder of its own (--data-dir)`,
    },
  );
}

/** Everybody that a membership entry introduces. A replica never changes its number, so any of them will do. */
function membersNamed(entry: Entry): readonly MemberInfo[] {
  if (entry.kind !== EntryKind.membership) return [];
  const change = decodeMembershipEntry(entryPayload(entry));
  if (change.type === 'found') return change.members;
  if (change.type === 'leave') return [];
  return change.changes.flatMap((step) => (step.type === 'remove' ? [] : [step.member]));
}
