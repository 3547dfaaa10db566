/**
 * What the short names in sql.js's module stand for: its linker has shortened the names of imports and exports. They
 * hold for the one build that `SQLJS_HASH` names; a test compares them with sql.js's own JavaScript.
 */

/** SHA-256 of the `sql-wasm.wasm` that these names and the offsets in `layout.ts` belong to: sql.js 1.16.0. */
export const SQLJS_HASH = '43bbcdd44287e5a2db3b6b5af34b1a3485a7a441285d247976c1ebe3c61f8dbf';

/** Imports that the host answers; all others are files, of which there are none. */
export const SQLJS_IMPORTS: Readonly<Record<string, string>> = {
  a: '__assert_fail',
  w: '_abort_js',
  u: 'proc_exit',
  d: 'emscripten_date_now',
  c: 'emscripten_get_now',
  p: 'emscripten_get_heap_max',
  l: 'emscripten_resize_heap',
  A: '_localtime_js',
  B: '_tzset_js',
  x: '__syscall_openat',
  e: 'fd_close',
};

/** Exports in use, under the names of SQLite's C interface. */
export const SQLJS_EXPORTS: Readonly<Record<string, string>> = {
  O: 'memory',
  P: '__wasm_call_ctors',
  Q: '__indirect_function_table',
  S: 'sqlite3_value_text',
  T: 'sqlite3_prepare_v2',
  U: 'sqlite3_step',
  V: 'sqlite3_reset',
  W: 'sqlite3_exec',
  X: 'sqlite3_finalize',
  Y: 'sqlite3_column_name',
  Z: 'sqlite3_column_text',
  _: 'sqlite3_column_type',
  $: 'sqlite3_errmsg',
  da: 'sqlite3_clear_bindings',
  ea: 'sqlite3_value_blob',
  fa: 'sqlite3_value_bytes',
  ia: 'sqlite3_value_type',
  ja: 'sqlite3_result_blob',
  la: 'sqlite3_result_error',
  ma: 'sqlite3_result_int',
  na: 'sqlite3_result_int64',
  oa: 'sqlite3_result_null',
  pa: 'sqlite3_result_text',
  ra: 'sqlite3_column_count',
  sa: 'sqlite3_data_count',
  ta: 'sqlite3_column_blob',
  ua: 'sqlite3_column_bytes',
  va: 'sqlite3_column_double',
  wa: 'sqlite3_bind_blob',
  xa: 'sqlite3_bind_double',
  ya: 'sqlite3_bind_int',
  za: 'sqlite3_bind_text',
  Da: 'sqlite3_changes',
  Ea: 'sqlite3_close_v2',
  Fa: 'sqlite3_create_function_v2',
  Ha: 'sqlite3_open',
  Ia: 'malloc',
  Ja: 'free',
  Pa: 'emscripten_stack_get_current',
};
