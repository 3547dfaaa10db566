/** What a module of the state machine is: the owner of one kind of operation and of its section of the checkpoint. */

/** A pair of a checkpoint section. */
export type SectionPair = readonly [key: Uint8Array, value: Uint8Array];
/** A changed pair; null deletes. */
export type SectionChange = readonly [key: Uint8Array, value: Uint8Array | null];

/** A point in a module's history that changes can be counted from. */
export type ModuleMark = number;

/** A module's state as of a cut. Cutting is O(1); the pairs are encoded while they are iterated. */
export interface FrozenModule {
  /** Where the next delta starts. */
  readonly mark: ModuleMark;
  /** Pairs changed since `mark`, or all pairs for null. */
  changes(since: ModuleMark | null): Iterable<SectionChange>;
  release(): void;
}

/** A module. */
export interface StateModule {
  /** Name of its section, unique and stable. */
  readonly section: string;
  /** Takes over what a checkpoint holds; called once, on an empty module. Throws `CORRUPT` when it cannot be read. */
  restore(pairs: Iterable<SectionPair>): void;
  freeze(): FrozenModule;
  /** Changed pairs since `mark`, about. */
  dirtySince(mark: ModuleMark | null): number;
  /** Promises that changes since marks before `mark` are not asked for any more. */
  forget(mark: ModuleMark): void;
}
