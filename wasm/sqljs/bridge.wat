;; The calls of SQLite that sql.js's build does not export, over SQLite's own structures in its memory.
;;
;; The build is one exact file (its hash is checked where it is loaded), so that every offset here is a constant; they are
;; those of SQLite 3.54.1 for 32-bit WebAssembly. `verify.ts` tries each call when an engine is made and compares it with
;; what SQL says. Each function does what SQLite's function of that name does, as far as the host uses it.
;;
;; sqlite3 (a connection):
;;     4 first statement |  32 flags (64 bits) |  40 last rowid |  64 error code |  68 error offset |  72 error mask
;;    85 autocommit |  87 out of memory | 112 total changes | 120 limits
;;   372 authorizer, its argument | 380 progress handler, its argument, instructions between calls
;;   520 deferred foreign keys | 528 immediate ones that are open (64 bits each)
;; Vdbe (a statement):
;;     8 next statement |  16 parameters (16 bits) | 100 parameter values | 116 column names | 120 row | 128 parameter names
;;   144 columns (16 bits) | 146 columns allocated (16 bits) | 164 counters
;;   152 bits: 0-1 expired, 2-3 explain, 6 read-only
;; Mem (a value, 40 bytes): 0 number | 8 text | 16 flags (16 bits: 2 text, 4 integer, 8 real) | 20 connection
;; sqlite3_context: 0 result | 4 function.   FuncDef: 8 user data.
(module
  (import "sqljs" "memory" (memory 1))
  (import "sqljs" "__indirect_function_table" (table $functions 1 funcref))
  (import "sqljs" "sqlite3_bind_double" (func $bind_double (param i32 i32 f64) (result i32)))
  (import "sqljs" "sqlite3_bind_text" (func $bind_text (param i32 i32 i32 i32 i32) (result i32)))
  (import "sqljs" "sqlite3_bind_blob" (func $bind_blob (param i32 i32 i32 i32 i32) (result i32)))
  (import "sqljs" "sqlite3_column_double" (func $column_double (param i32 i32) (result f64)))
  (import "sqljs" "sqlite3_prepare_v2" (func $prepare_v2 (param i32 i32 i32 i32 i32) (result i32)))
  ;; Place in the function table of SQLite's own xRealloc; address of its random generator's state.
  (import "sqljs" "reallocIndex" (global $realloc_index i32))
  (import "sqljs" "generator" (global $generator i32))

  (type $realloc (func (param i32 i32) (result i32)))
  (type $open (func (param i32 i32 i32 i32 i32) (result i32)))

  ;; ---- memory: SQLite's own xRealloc keeps the size in 8 bytes before a block

  (func (export "realloc") (param $p i32) (param $n i32) (result i32)
    (local.set $p (call_indirect $functions (type $realloc)
      (i32.add (local.get $p) (i32.const 8)) (i32.sub (local.get $n) (i32.const 8))
      (global.get $realloc_index)))
    (if (result i32) (local.get $p)
      (then (i32.sub (local.get $p) (i32.const 8)))
      (else (i32.const 0))))

  ;; ---- opening: sqlite3_open always asks for a file to write; these flags take the place of that

  (global $open_flags (export "openFlags") (mut i32) (i32.const 6))
  (global $open_index (export "openIndex") (mut i32) (i32.const 0))
  (func (export "xOpen") (param $vfs i32) (param $name i32) (param $file i32) (param $flags i32) (param $out i32)
    (result i32)
    (call_indirect $functions (type $open) (local.get $vfs) (local.get $name) (local.get $file)
      (i32.or (i32.and (local.get $flags) (i32.const -8)) (global.get $open_flags)) (local.get $out)
      (global.get $open_index)))

  ;; ---- connections

  (func (export "sqlite3_extended_result_codes") (param $db i32) (param $on i32) (result i32)
    (i32.store offset=72 (local.get $db)
      (select (i32.const -1) (i32.const 255) (local.get $on)))
    (i32.const 0))
  (func (export "sqlite3_extended_errcode") (param $db i32) (result i32)
    (if (result i32) (i32.load8_u offset=87 (local.get $db))
      (then (i32.const 7)) ;; SQLITE_NOMEM
      (else (i32.load offset=64 (local.get $db)))))
  (func (export "sqlite3_error_offset") (param $db i32) (result i32)
    (if (result i32) (i32.load offset=64 (local.get $db))
      (then (i32.load offset=68 (local.get $db)))
      (else (i32.const -1))))
  (func (export "sqlite3_get_autocommit") (param $db i32) (result i32)
    (i32.load8_u offset=85 (local.get $db)))
  (func (export "sqlite3_total_changes") (param $db i32) (result i32)
    (i32.load offset=112 (local.get $db)))
  (func (export "sqlite3_last_insert_rowid") (param $db i32) (result i64)
    (i64.load offset=40 (local.get $db)))
  (func (export "sqlite3_set_last_insert_rowid") (param $db i32) (param $rowid i64)
    (i64.store offset=40 (local.get $db) (local.get $rowid)))
  (func (export "sqlite3_progress_handler") (param $db i32) (param $every i32) (param $handler i32) (param $arg i32)
    (i32.store offset=380 (local.get $db) (local.get $handler))
    (i32.store offset=384 (local.get $db) (local.get $arg))
    (i32.store offset=388 (local.get $db) (local.get $every)))
  (func (export "sqlite3_set_authorizer") (param $db i32) (param $authorizer i32) (param $arg i32) (result i32)
    (i32.store offset=372 (local.get $db) (local.get $authorizer))
    (i32.store offset=376 (local.get $db) (local.get $arg))
    (call $expire (local.get $db))
    (i32.const 0))
  ;; SQLITE_DBSTATUS_DEFERRED_FKS alone.
  (func (export "sqlite3_db_status") (param $db i32) (param i32) (param $current i32) (param $highest i32) (param i32)
    (result i32)
    (i32.store (local.get $highest) (i32.const 0))
    (i32.store (local.get $current)
      (i32.or
        (i64.gt_s (i64.load offset=520 (local.get $db)) (i64.const 0))
        (i64.gt_s (i64.load offset=528 (local.get $db)) (i64.const 0))))
    (i32.const 0))
  ;; Without a buffer: the next call draws from the VFS again.
  (func (export "sqlite3_randomness") (param i32 i32)
    (i32.store (global.get $generator) (i32.const 0)))
  ;; A limit; what SQLite clamps is clamped by the caller.
  (func (export "limit") (param $db i32) (param $id i32) (result i32)
    (i32.load offset=120 (i32.add (local.get $db) (i32.shl (local.get $id) (i32.const 2)))))
  (func (export "setLimit") (param $db i32) (param $id i32) (param $value i32)
    (i32.store offset=120 (i32.add (local.get $db) (i32.shl (local.get $id) (i32.const 2))) (local.get $value)))
  ;; Switches a bit of the low half of the flags; statements compiled before are compiled again.
  (func (export "setFlag") (param $db i32) (param $bit i32) (param $on i32) (local $flags i32)
    (local.set $flags (i32.load offset=32 (local.get $db)))
    (i32.store offset=32 (local.get $db)
      (if (result i32) (local.get $on)
        (then (i32.or (local.get $flags) (local.get $bit)))
        (else (i32.and (local.get $flags) (i32.xor (local.get $bit) (i32.const -1))))))
    (if (i32.ne (local.get $flags) (i32.load offset=32 (local.get $db)))
      (then (call $expire (local.get $db)))))
  (func $expire (param $db i32) (local $s i32)
    (local.set $s (i32.load offset=4 (local.get $db)))
    (block $done
      (loop $next
        (br_if $done (i32.eqz (local.get $s)))
        (i32.store offset=152 (local.get $s)
          (i32.or (i32.and (i32.load offset=152 (local.get $s)) (i32.const -4)) (i32.const 1)))
        (local.set $s (i32.load offset=8 (local.get $s)))
        (br $next))))

  ;; ---- statements

  (func (export "sqlite3_prepare_v3") (param $db i32) (param $sql i32) (param $bytes i32) (param i32) (param $out i32)
    (param $tail i32) (result i32)
    (call $prepare_v2 (local.get $db) (local.get $sql) (local.get $bytes) (local.get $out) (local.get $tail)))
  (func (export "sqlite3_stmt_readonly") (param $s i32) (result i32)
    (i32.and (i32.shr_u (i32.load offset=152 (local.get $s)) (i32.const 6)) (i32.const 1)))
  (func (export "sqlite3_stmt_isexplain") (param $s i32) (result i32)
    (i32.and (i32.shr_u (i32.load offset=152 (local.get $s)) (i32.const 2)) (i32.const 3)))
  (func (export "sqlite3_stmt_status") (param $s i32) (param $counter i32) (param $reset i32) (result i32)
    (local $value i32)
    (local.set $s (i32.add (local.get $s) (i32.shl (local.get $counter) (i32.const 2))))
    (local.set $value (i32.load offset=164 (local.get $s)))
    (if (local.get $reset) (then (i32.store offset=164 (local.get $s) (i32.const 0))))
    (local.get $value))
  (func (export "sqlite3_bind_parameter_count") (param $s i32) (result i32)
    (i32.load16_u offset=16 (local.get $s)))
  ;; A list of words: allocated, used, then number, length of the entry, name for each.
  (func (export "sqlite3_bind_parameter_name") (param $s i32) (param $index i32) (result i32)
    (local $at i32) (local $end i32)
    (local.set $at (i32.load offset=128 (local.get $s)))
    (if (i32.eqz (local.get $at)) (then (return (i32.const 0))))
    (local.set $end (i32.add (local.get $at) (i32.shl (i32.load offset=4 (local.get $at)) (i32.const 2))))
    (local.set $at (i32.add (local.get $at) (i32.const 8)))
    (block $none
      (loop $next
        (br_if $none (i32.ge_u (local.get $at) (local.get $end)))
        (if (i32.eq (i32.load (local.get $at)) (local.get $index))
          (then (return (i32.add (local.get $at) (i32.const 8)))))
        (local.set $at (i32.add (local.get $at) (i32.shl (i32.load offset=4 (local.get $at)) (i32.const 2))))
        (br $next)))
    (i32.const 0))
  (func (export "sqlite3_bind_null") (param $s i32) (param $i i32) (result i32)
    (call $bind_text (local.get $s) (local.get $i) (i32.const 0) (i32.const 0) (i32.const 0)))
  ;; An empty blob; longer ones are not in use.
  (func (export "sqlite3_bind_zeroblob") (param $s i32) (param $i i32) (param i32) (result i32)
    (call $bind_blob (local.get $s) (local.get $i) (local.get $s) (i32.const 0) (i32.const -1)))
  ;; Bound as a REAL, then made an INTEGER where it stands.
  (func (export "sqlite3_bind_int64") (param $s i32) (param $i i32) (param $value i64) (result i32)
    (local $rc i32) (local $mem i32)
    (if (local.tee $rc (call $bind_double (local.get $s) (local.get $i) (f64.const 1)))
      (then (return (local.get $rc))))
    (local.set $mem (i32.add (i32.load offset=100 (local.get $s))
      (i32.mul (i32.sub (local.get $i) (i32.const 1)) (i32.const 40))))
    (i64.store (local.get $mem) (local.get $value))
    (i32.store16 offset=16 (local.get $mem) (i32.const 4))
    (i32.const 0))
  (func (export "sqlite3_column_int64") (param $s i32) (param $i i32) (result i64) (local $row i32)
    (local.set $row (i32.load offset=120 (local.get $s)))
    (if (i32.or (i32.eqz (local.get $row))
          (i32.ge_u (local.get $i) (i32.load16_u offset=144 (local.get $s))))
      (then (return (i64.const 0))))
    (local.set $row (i32.add (local.get $row) (i32.mul (local.get $i) (i32.const 40))))
    (if (result i64) (i32.and (i32.load16_u offset=16 (local.get $row)) (i32.const 4))
      (then (i64.load (local.get $row)))
      (else (i64.trunc_sat_f64_s (call $column_double (local.get $s) (local.get $i))))))
  (func (export "sqlite3_column_decltype") (param $s i32) (param $i i32) (result i32) (local $mem i32)
    (if (i32.or
          (i32.ge_u (local.get $i) (i32.load16_u offset=144 (local.get $s)))
          (i32.and (i32.load offset=152 (local.get $s)) (i32.const 12)))
      (then (return (i32.const 0))))
    (local.set $mem (i32.add (i32.load offset=116 (local.get $s))
      (i32.mul (i32.const 40) (i32.add (local.get $i) (i32.load16_u offset=146 (local.get $s))))))
    (if (result i32) (i32.and (i32.load16_u offset=16 (local.get $mem)) (i32.const 2))
      (then (i32.load offset=8 (local.get $mem)))
      (else (i32.const 0))))

  ;; ---- functions

  (func (export "sqlite3_user_data") (param $context i32) (result i32)
    (i32.load offset=8 (i32.load offset=4 (local.get $context))))
  (func (export "sqlite3_context_db_handle") (param $context i32) (result i32)
    (i32.load offset=20 (i32.load (local.get $context)))))
