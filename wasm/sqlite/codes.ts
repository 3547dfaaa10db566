/** SQLite's result codes by number. */

/** Result codes that the host itself looks at. */
export const SQLITE = {
  OK: 0,
  ERROR: 1,
  INTERNAL: 2,
  NOMEM: 7,
  READONLY: 8,
  INTERRUPT: 9,
  IOERR: 10,
  CORRUPT: 11,
  FULL: 13,
  CANTOPEN: 14,
  TOOBIG: 18,
  MISMATCH: 20,
  MISUSE: 21,
  AUTH: 23,
  RANGE: 25,
  NOTADB: 26,
  ROW: 100,
  DONE: 101,
  CORRUPT_VTAB: 267,
  CORRUPT_SEQUENCE: 523,
  IOERR_SHORT_READ: 522,
  IOERR_NOMEM: 3082,
} as const;

const PRIMARY = [
  'OK ERROR INTERNAL PERM ABORT BUSY LOCKED NOMEM READONLY INTERRUPT IOERR CORRUPT NOTFOUND FULL',
  'CANTOPEN PROTOCOL EMPTY SCHEMA TOOBIG CONSTRAINT MISMATCH MISUSE NOLFS AUTH FORMAT RANGE NOTADB',
  'NOTICE WARNING',
]
  .join(' ')
  .split(' ');

/** Names of extended codes: primary code → names for 1, 2, 3 … in the second byte. */
const EXTENDED: Readonly<Record<number, string>> = {
  1: 'MISSING_COLLSEQ RETRY SNAPSHOT RESERVESIZE KEY UNABLE',
  4: '- ROLLBACK',
  5: 'RECOVERY SNAPSHOT TIMEOUT',
  6: 'SHAREDCACHE VTAB',
  8: 'RECOVERY CANTLOCK ROLLBACK DBMOVED CANTINIT DIRECTORY',
  10:
    'READ SHORT_READ WRITE FSYNC DIR_FSYNC TRUNCATE FSTAT UNLOCK RDLOCK DELETE BLOCKED NOMEM ACCESS ' +
    'CHECKRESERVEDLOCK LOCK CLOSE DIR_CLOSE SHMOPEN SHMSIZE SHMLOCK SHMMAP SEEK DELETE_NOENT MMAP ' +
    'GETTEMPPATH CONVPATH VNODE AUTH BEGIN_ATOMIC COMMIT_ATOMIC ROLLBACK_ATOMIC DATA CORRUPTFS IN_PAGE',
  11: 'VTAB SEQUENCE INDEX',
  14: 'NOTEMPDIR ISDIR FULLPATH CONVPATH DIRTYWAL SYMLINK',
  19:
    'CHECK COMMITHOOK FOREIGNKEY FUNCTION NOTNULL PRIMARYKEY TRIGGER UNIQUE VTAB ROWID PINNED ' +
    'DATATYPE',
  23: 'USER',
};

/** The symbolic name of a result code, such as `SQLITE_CONSTRAINT_UNIQUE` for 2067. */
export function codeName(code: number): string {
  if (code === SQLITE.ROW) return 'SQLITE_ROW';
  if (code === SQLITE.DONE) return 'SQLITE_DONE';
  const primary = code & 0xff;
  const base = PRIMARY[primary];
  if (base === undefined) return `SQLITE_${code}`;
  const sub = code >> 8;
  if (sub === 0) return `SQLITE_${base}`;
  const name = EXTENDED[primary]?.split(' ')[sub - 1];
  return name === undefined ? `SQLITE_${base}` : `SQLITE_${base}_${name}`;
}
