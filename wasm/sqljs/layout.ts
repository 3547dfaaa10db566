/**
 * Where things stand in the memory of sql.js's build: addresses of SQLite's static data, and offsets in its structures
 * that JavaScript looks at (those that the bridge uses are in `bridge.wat`). `verify.ts` tries them all.
 */

/** Addresses of static data. */
export const ADDRESS = {
  /** `sqlite3Config`. */
  config: 70_872,
  /** The list of VFSs. */
  vfsList: 79_024,
  /** The random generator; its first word is 0 while it has not been seeded. */
  generator: 79_028,
  /** End of the static data: the stack lies above it and grows towards it. */
  staticEnd: 80_192,
} as const;

/** Byte offsets in `sqlite3Config`. */
export const CONFIG = { memoryStatistics: 0, memoryMethods: 32 } as const;

/** First words of `sqlite3Config` before SQLite is initialized. */
export const CONFIG_WORDS: readonly number[] = [
  1, 0x01_00_00_01, 0x1_00, 0x7ffffffe, 0, 1200, 40, 65_536, 0,
];

/** Place of SQLite's own `xRealloc` in the function table. */
export const REALLOC_INDEX = 386;

/** Byte offsets in `sqlite3_vfs`. */
export const VFS = { next: 12, open: 24 } as const;

/** Byte offsets in `sqlite3`: where temporary data goes (2: memory), the list of modules. */
export const CONNECTION = { temporaryStore: 86, modules: 404 } as const;

/** Byte offsets in an element of a hash table. */
export const ELEMENT = { next: 0, key: 12, hash: 16 } as const;

/** Byte offset of the error code in `sqlite3_context`. */
export const CONTEXT_ERROR = 20;

/** Bits in the flags of `sqlite3` behind the options of `sqlite3_db_config`. */
export const FLAG_OF_OPTION: Readonly<Record<number, number>> = {
  1002: 0x4000, // ENABLE_FKEY
  1007: 0x80_0000, // ENABLE_QPSG
  1010: 0x1000_0000, // DEFENSIVE
  1013: 0x4000_0000, // DQS_DML
  1014: 0x2000_0000, // DQS_DDL
  1017: 0x80, // TRUSTED_SCHEMA
};

/** Functions of FTS3, which is built in; one of them takes pointers. They are removed from every connection. */
export const REMOVED_FUNCTIONS: readonly (readonly [name: string, args: number])[] = [
  ['fts3_tokenizer', 1],
  ['fts3_tokenizer', 2],
  ['snippet', -1],
  ['offsets', 1],
  ['matchinfo', 1],
  ['matchinfo', 2],
  ['optimize', 1],
];
