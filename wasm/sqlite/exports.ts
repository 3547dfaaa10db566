/** The exports of SQLite's module and of the trampolines, as far as the host uses them. Pointers are byte addresses. */

/** A byte address in the instance's memory. */
export type Pointer = number;

/** SQLite's C interface. */
export interface SqliteExports {
  readonly __indirect_function_table: WebAssembly.Table;
  __wasm_call_ctors(): void;
  malloc(bytes: number): Pointer;
  emscripten_stack_get_current(): Pointer;
  free(pointer: Pointer): void;
  sqlite3__wasm_config_i(option: number, value: number): number;
  sqlite3__wasm_db_config_ip(db: Pointer, option: number, value: number, out: Pointer): number;
  sqlite3__wasm_db_config_pii(
    db: Pointer,
    option: number,
    buffer: Pointer,
    size: number,
    count: number,
  ): number;
  sqlite3_initialize(): number;
  sqlite3_libversion(): Pointer;
  sqlite3_compileoption_get(index: number): Pointer;
  sqlite3_vfs_find(name: Pointer): Pointer;
  sqlite3_vfs_register(vfs: Pointer, makeDefault: number): number;
  sqlite3_vfs_unregister(vfs: Pointer): number;
  sqlite3_drop_modules(db: Pointer, keep: Pointer): number;
  sqlite3_open_v2(name: Pointer, out: Pointer, flags: number, vfs: Pointer): number;
  sqlite3_close_v2(db: Pointer): number;
  sqlite3_extended_result_codes(db: Pointer, on: number): number;
  sqlite3_limit(db: Pointer, limit: number, value: number): number;
  sqlite3_exec(db: Pointer, sql: Pointer, callback: number, arg: number, error: Pointer): number;
  sqlite3_prepare_v3(
    db: Pointer,
    sql: Pointer,
    bytes: number,
    flags: number,
    out: Pointer,
    tail: Pointer,
  ): number;
  sqlite3_step(statement: Pointer): number;
  sqlite3_reset(statement: Pointer): number;
  sqlite3_finalize(statement: Pointer): number;
  sqlite3_clear_bindings(statement: Pointer): number;
  sqlite3_stmt_readonly(statement: Pointer): number;
  sqlite3_stmt_isexplain(statement: Pointer): number;
  sqlite3_stmt_status(statement: Pointer, counter: number, reset: number): number;
  sqlite3_bind_parameter_count(statement: Pointer): number;
  sqlite3_bind_parameter_name(statement: Pointer, index: number): Pointer;
  sqlite3_bind_null(statement: Pointer, index: number): number;
  sqlite3_bind_int(statement: Pointer, index: number, value: number): number;
  sqlite3_bind_int64(statement: Pointer, index: number, value: bigint): number;
  sqlite3_bind_double(statement: Pointer, index: number, value: number): number;
  sqlite3_bind_text(
    statement: Pointer,
    index: number,
    text: Pointer,
    bytes: number,
    destructor: number,
  ): number;
  sqlite3_bind_blob(
    statement: Pointer,
    index: number,
    data: Pointer,
    bytes: number,
    destructor: number,
  ): number;
  sqlite3_bind_zeroblob(statement: Pointer, index: number, bytes: number): number;
  sqlite3_column_count(statement: Pointer): number;
  sqlite3_data_count(statement: Pointer): number;
  sqlite3_column_name(statement: Pointer, column: number): Pointer;
  sqlite3_column_decltype(statement: Pointer, column: number): Pointer;
  sqlite3_errmsg(db: Pointer): Pointer;
  sqlite3_extended_errcode(db: Pointer): number;
  sqlite3_error_offset(db: Pointer): number;
  sqlite3_get_autocommit(db: Pointer): number;
  sqlite3_changes64(db: Pointer): bigint;
  sqlite3_changes(db: Pointer): number;
  sqlite3_total_changes(db: Pointer): number;
  sqlite3_total_changes64(db: Pointer): bigint;
  sqlite3_last_insert_rowid(db: Pointer): bigint;
  sqlite3_set_last_insert_rowid(db: Pointer, rowid: bigint): void;
  sqlite3_db_status(
    db: Pointer,
    what: number,
    current: Pointer,
    highest: Pointer,
    reset: number,
  ): number;
  sqlite3_randomness(bytes: number, out: Pointer): void;
  sqlite3_progress_handler(db: Pointer, every: number, handler: number, arg: number): void;
  sqlite3_set_authorizer(db: Pointer, authorizer: number, arg: number): number;
  sqlite3_create_function_v2(
    db: Pointer,
    name: Pointer,
    args: number,
    flags: number,
    data: number,
    call: number,
    step: number,
    final: number,
    destroy: number,
  ): number;
  sqlite3_context_db_handle(context: Pointer): Pointer;
  sqlite3_value_type(value: Pointer): number;
  sqlite3_value_text(value: Pointer): Pointer;
  sqlite3_value_blob(value: Pointer): Pointer;
  sqlite3_value_bytes(value: Pointer): number;
  sqlite3_result_null(context: Pointer): void;
  sqlite3_result_int(context: Pointer, value: number): void;
  sqlite3_result_int64(context: Pointer, value: bigint): void;
  sqlite3_result_text(context: Pointer, text: Pointer, bytes: number, destructor: number): void;
  sqlite3_result_blob(context: Pointer, data: Pointer, bytes: number, destructor: number): void;
  sqlite3_result_error_toobig(context: Pointer): void;
  sqlite3_result_error_nomem(context: Pointer): void;
  sqlite3_result_error_code(context: Pointer, code: number): void;
}

/** What the trampolines offer to JavaScript beside the functions that go into SQLite's table. */
export interface TrampolineExports {
  pageHash(from: Pointer, bytes: number, offset: number, out: Pointer): void;
  bindInteger(statement: Pointer, index: number, value: number): number;
  cell(statement: Pointer, column: number, out: Pointer): void;
  row(statement: Pointer, columns: number, out: Pointer): void;
  rowBytes(statement: Pointer, columns: number): number;
}

/** Order of the pointers in `sqlite3_mem_methods`; the last two words are the argument of init and shutdown. */
export const MEMORY_METHODS: readonly string[] = [
  'memMalloc',
  'memFree',
  'memRealloc',
  'memSize',
  'memRoundup',
  'memInit',
  'memShutdown',
];

/** Order of the pointers in `sqlite3_vfs` from its byte 24; empty: none (no loadable extensions). */
export const VFS_METHODS: readonly string[] = [
  'xOpen',
  'xDelete',
  'xAccess',
  'xFullPathname',
  '',
  '',
  '',
  '',
  'xRandomness',
  'xSleep',
  'xCurrentTime',
  'xGetLastError',
  'xCurrentTimeInt64',
];

/** Order of the pointers in `sqlite3_io_methods` (version 1) from its byte 4. */
export const IO_METHODS: readonly string[] = [
  'xClose',
  'xRead',
  'xWrite',
  'xTruncate',
  'xSync',
  'xFileSize',
  'xLock',
  'xUnlock',
  'xCheckReservedLock',
  'xFileControl',
  'xSectorSize',
  'xDeviceCharacteristics',
];
