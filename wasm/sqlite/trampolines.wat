;; The functions that SQLite calls by pointer, and a few that JavaScript calls to save crossings.
;;
;; A JavaScript function cannot stand in a WebAssembly function table, and some runtimes forbid generating code at run
;; time. So every callback is an export of this one precompiled module; what is frequent never leaves WebAssembly.
;;
;; The control block (import host.control, 128 bytes) is shared with JavaScript (budget.ts names the same words):
;;    0 i32 armed         1 while progress ticks and large allocations count, 2: only ticks (while compiling)
;;    4 i32 remaining     units of the budget that are left; below zero: interrupt
;;    8 i32 interrupted   1 once the handler has interrupted
;;   12 i32 ask           1: ask host.expired on each tick (readers) instead of counting (the writer)
;;   16 i32 heap used     bytes that SQLite has allocated
;;   20 i32 heap limit    an allocation that would exceed it is refused
;;   24 i32 heap peak     largest `used` since JavaScript last set it
;;   28 i32 heap refused  1 once an allocation was refused by the limit
;;   32 i32 heap failed   1 once malloc itself failed
;;   40 f64 epoch         the newest commit, as published for readers
;;   48 i64 bytes         its size
;;   56 16 bytes          bytes 24..39 of its page 1; the first four are the epoch, SQLite's change counter
;;   72 i64 auth mask     bit set: ask JavaScript about this authorizer action
;;   80 i32 stack limit   the authorizer refuses what is asked with SQLite's stack below this address
;;   84 i32 too deep      1 once it did
;;   88 i32 stack floor   an allocation with the stack below this address fails: SQLite's stack has no end of its own
;;   92 7 x i32 wrapped   where SQLite's own functions behind like and wrapped0 to wrapped5 stand in its table
;;  120 i32 rest          bytes that these looked at and that do not make a unit yet
;;
;; An open file (64 bytes): 0 methods | 4 id | 8 reader | 12 locked | 16 f64 epoch | 24 i64 bytes | 32 16 header bytes
(module
  (import "sqlite" "memory" (memory 128 65536))
  (import "sqlite" "malloc" (func $malloc (param i32) (result i32)))
  (import "sqlite" "free" (func $free (param i32)))
  (import "sqlite" "realloc" (func $realloc (param i32 i32) (result i32)))
  (import "sqlite" "emscripten_stack_get_current" (func $stack (result i32)))
  (import "sqlite" "sqlite3_user_data" (func $user_data (param i32) (result i32)))
  (import "sqlite" "__indirect_function_table" (table $functions 1 funcref))
  (import "sqlite" "sqlite3_value_type" (func $value_type (param i32) (result i32)))
  (import "sqlite" "sqlite3_value_bytes" (func $value_bytes (param i32) (result i32)))
  (import "sqlite" "sqlite3_result_error_code" (func $result_error_code (param i32 i32)))
  (import "sqlite" "sqlite3_bind_int64" (func $bind_int64 (param i32 i32 i64) (result i32)))
  (import "sqlite" "sqlite3_column_type" (func $column_type (param i32 i32) (result i32)))
  (import "sqlite" "sqlite3_column_int64" (func $column_int64 (param i32 i32) (result i64)))
  (import "sqlite" "sqlite3_column_double" (func $column_double (param i32 i32) (result f64)))
  (import "sqlite" "sqlite3_column_text" (func $column_text (param i32 i32) (result i32)))
  (import "sqlite" "sqlite3_column_blob" (func $column_blob (param i32 i32) (result i32)))
  (import "sqlite" "sqlite3_column_bytes" (func $column_bytes (param i32 i32) (result i32)))
  (import "host" "control" (global $C i32))
  (import "host" "read" (func $read (param i32 i32 f64 f64) (result i32)))
  (import "host" "write" (func $write (param i32 i32 f64 i32 i32) (result i32)))
  (import "host" "truncate" (func $truncate (param f64) (result i32)))
  (import "host" "size" (func $pages (result f64)))
  (import "host" "commit" (func $commit (result i32)))
  (import "host" "open" (func $open (param i32 i32 i32 i32) (result i32)))
  (import "host" "close" (func $close (param i32)))
  (import "host" "random" (func $random (param i32 i32) (result i32)))
  (import "host" "now" (func $now (result f64)))
  (import "host" "expired" (func $expired (result i32)))
  (import "host" "authorize" (func $authorize (param i32 i32 i32 i32 i32 i32) (result i32)))
  (import "host" "call" (func $call (param i32 i32 i32 i32)))

  ;; ---- page hash: four lanes of 64-bit multiply, keyed by position; an all-zero page hashes to 0

  (func $mix (param $a i64) (result i64)
    (local.set $a (i64.mul (i64.xor (local.get $a) (i64.shr_u (local.get $a) (i64.const 33)))
      (i64.const 0xc2b2ae3d27d4eb4f)))
    (local.set $a (i64.mul (i64.xor (local.get $a) (i64.shr_u (local.get $a) (i64.const 29)))
      (i64.const 0x165667b19e3779f9)))
    (i64.or (i64.xor (local.get $a) (i64.shr_u (local.get $a) (i64.const 32))) (i64.const 1)))

  (func $hash (param $p i32) (param $n i32) (param $offset i64) (result i64)
    (local $end i32) (local $any i64) (local $w i64)
    (local $a i64) (local $b i64) (local $c i64) (local $d i64)
    (local.set $end (i32.add (local.get $p) (local.get $n)))
    (local.set $a (i64.const 0x60ea27eeadc0b5d6))
    (local.set $b (i64.const 0xc2b2ae3d27d4eb4f))
    (local.set $d (i64.const 0x61c8864e7a143579))
    (loop $words
      (local.set $w (i64.load (local.get $p)))
      (local.set $any (i64.or (local.get $any) (local.get $w)))
      (local.set $a (i64.mul (i64.xor (i64.rotl (local.get $a) (i64.const 27)) (local.get $w))
        (i64.const 0x9e3779b185ebca87)))
      (local.set $w (i64.load offset=8 (local.get $p)))
      (local.set $any (i64.or (local.get $any) (local.get $w)))
      (local.set $b (i64.mul (i64.xor (i64.rotl (local.get $b) (i64.const 27)) (local.get $w))
        (i64.const 0x9e3779b185ebca87)))
      (local.set $w (i64.load offset=16 (local.get $p)))
      (local.set $any (i64.or (local.get $any) (local.get $w)))
      (local.set $c (i64.mul (i64.xor (i64.rotl (local.get $c) (i64.const 27)) (local.get $w))
        (i64.const 0x9e3779b185ebca87)))
      (local.set $w (i64.load offset=24 (local.get $p)))
      (local.set $any (i64.or (local.get $any) (local.get $w)))
      (local.set $d (i64.mul (i64.xor (i64.rotl (local.get $d) (i64.const 27)) (local.get $w))
        (i64.const 0x9e3779b185ebca87)))
      (br_if $words (i32.lt_u (local.tee $p (i32.add (local.get $p) (i32.const 32))) (local.get $end))))
    (if (i64.eqz (local.get $any)) (then (return (i64.const 0))))
    (local.set $a (i64.add
      (i64.add (i64.rotl (local.get $a) (i64.const 1)) (i64.rotl (local.get $b) (i64.const 7)))
      (i64.add (i64.rotl (local.get $c) (i64.const 12)) (i64.rotl (local.get $d) (i64.const 18)))))
    (call $mix (i64.add (call $mix (local.get $a))
      (i64.mul (local.get $offset) (i64.const 0x9e3779b97f4a7c15)))))

  ;; Hash of the n bytes at p that lie at `offset` of the file; the two halves go to `out`.
  (func (export "pageHash") (param $p i32) (param $n i32) (param $offset f64) (param $out i32)
    (i64.store (local.get $out)
      (call $hash (local.get $p) (local.get $n) (i64.trunc_f64_u (local.get $offset)))))

  ;; ---- sqlite3_mem_methods: malloc with an exact count and a limit; the size stands in the 8 bytes before a block

  (func $refused (param $n i32) (result i32)
    (if (i32.lt_u (call $stack) (i32.load offset=88 (global.get $C)))
      (then (i32.store offset=32 (global.get $C) (i32.const 1)) (return (i32.const 1))))
    (if (i32.gt_u (i32.add (i32.load offset=16 (global.get $C)) (local.get $n))
                  (i32.load offset=20 (global.get $C)))
      (then (i32.store offset=28 (global.get $C) (i32.const 1)) (return (i32.const 1))))
    (i32.const 0))

  ;; A large block is a large value that some instruction makes or reads: its bytes are charged, one unit for 16 KiB, and
  ;; at the end of the budget or the deadline it is refused, since the next tick may be a thousand of them away.
  (func $charged (param $n i32) (result i32)
    (call $spent (i32.shr_u (local.get $n) (i32.const 14))))

  ;; Takes units from the budget, or asks for the time; 1 when it is over.
  (func $spent (param $units i32) (result i32) (local $left i32)
    (if (i32.ne (i32.load (global.get $C)) (i32.const 1)) (then (return (i32.const 0))))
    (if (i32.load offset=12 (global.get $C))
      (then (if (i32.eqz (call $expired)) (then (return (i32.const 0)))))
      (else
        (local.set $left
          (i32.sub (i32.load offset=4 (global.get $C)) (local.get $units)))
        (i32.store offset=4 (global.get $C) (local.get $left))
        (if (i32.ge_s (local.get $left) (i32.const 0)) (then (return (i32.const 0))))))
    (i32.store offset=8 (global.get $C) (i32.const 1))
    (i32.const 1))

  (func $count (param $n i32) (local $used i32)
    (local.set $used (i32.add (i32.load offset=16 (global.get $C)) (local.get $n)))
    (i32.store offset=16 (global.get $C) (local.get $used))
    (if (i32.gt_u (local.get $used) (i32.load offset=24 (global.get $C)))
      (then (i32.store offset=24 (global.get $C) (local.get $used)))))

  (func (export "memMalloc") (param $n i32) (result i32) (local $p i32)
    (local.set $n (i32.and (i32.add (local.get $n) (i32.const 7)) (i32.const -8)))
    (if (call $refused (local.get $n)) (then (return (i32.const 0))))
    (if (i32.ge_u (local.get $n) (i32.const 65536))
      (then (if (call $charged (local.get $n)) (then (return (i32.const 0))))))
    (local.set $p (call $malloc (i32.add (local.get $n) (i32.const 8))))
    (if (i32.eqz (local.get $p))
      (then (i32.store offset=32 (global.get $C) (i32.const 1)) (return (i32.const 0))))
    (i32.store (local.get $p) (local.get $n))
    (call $count (local.get $n))
    (i32.add (local.get $p) (i32.const 8)))

  (func (export "memFree") (param $p i32)
    (local.set $p (i32.sub (local.get $p) (i32.const 8)))
    (i32.store offset=16 (global.get $C)
      (i32.sub (i32.load offset=16 (global.get $C)) (i32.load (local.get $p))))
    (call $free (local.get $p)))

  (func (export "memRealloc") (param $p i32) (param $n i32) (result i32) (local $more i32)
    (local.set $n (i32.and (i32.add (local.get $n) (i32.const 7)) (i32.const -8)))
    (local.set $p (i32.sub (local.get $p) (i32.const 8)))
    (local.set $more (i32.sub (local.get $n) (i32.load (local.get $p))))
    (if (i32.gt_s (local.get $more) (i32.const 0))
      (then
        (if (call $refused (local.get $more)) (then (return (i32.const 0))))
        (if (i32.ge_u (local.get $n) (i32.const 65536))
          (then (if (call $charged (local.get $n)) (then (return (i32.const 0))))))))
    (local.set $p (call $realloc (local.get $p) (i32.add (local.get $n) (i32.const 8))))
    (if (i32.eqz (local.get $p))
      (then (i32.store offset=32 (global.get $C) (i32.const 1)) (return (i32.const 0))))
    (i32.store (local.get $p) (local.get $n))
    (call $count (local.get $more))
    (i32.add (local.get $p) (i32.const 8)))

  (func (export "memSize") (param $p i32) (result i32)
    (i32.load (i32.sub (local.get $p) (i32.const 8))))
  (func (export "memRoundup") (param $n i32) (result i32)
    (i32.and (i32.add (local.get $n) (i32.const 7)) (i32.const -8)))
  (func (export "memInit") (param i32) (result i32) (i32.const 0))
  (func (export "memShutdown") (param i32))

  ;; ---- sqlite3_io_methods

  ;; A reader without a lock always looks at the newest commit.
  (func $bind (param $f i32)
    (if (i32.and (i32.load offset=8 (local.get $f)) (i32.eqz (i32.load offset=12 (local.get $f))))
      (then
        (i64.store offset=16 (local.get $f) (i64.load offset=40 (global.get $C)))
        (i64.store offset=24 (local.get $f) (i64.load offset=48 (global.get $C)))
        (i64.store offset=32 (local.get $f) (i64.load offset=56 (global.get $C)))
        (i64.store offset=40 (local.get $f) (i64.load offset=64 (global.get $C))))))

  (func (export "xClose") (param $f i32) (result i32)
    (call $close (i32.load offset=4 (local.get $f)))
    (i32.const 0))

  ;; A reader's look at bytes 24..39 of page 1 (is my cache still good?) is answered from its file; whenever it reads
  ;; page 1 the change counter is its epoch, so its cache is dropped exactly when the epoch has moved.
  (func (export "xRead") (param $f i32) (param $to i32) (param $n i32) (param $offset i64) (result i32)
    (local $rc i32)
    (call $bind (local.get $f))
    (if (i32.load offset=8 (local.get $f))
      (then
        (if (i32.and (i32.eq (local.get $n) (i32.const 16)) (i64.eq (local.get $offset) (i64.const 24)))
          (then
            (i64.store (local.get $to) (i64.load offset=32 (local.get $f)))
            (i64.store offset=8 (local.get $to) (i64.load offset=40 (local.get $f)))
            (return (i32.const 0))))
        (local.set $rc (call $read (local.get $to) (local.get $n)
          (f64.convert_i64_s (local.get $offset)) (f64.load offset=16 (local.get $f))))
        (if (i32.and (i64.eqz (local.get $offset)) (i32.ge_u (local.get $n) (i32.const 28)))
          (then (i32.store offset=24 (local.get $to) (i32.load offset=32 (local.get $f)))))
        (return (local.get $rc))))
    (call $read (local.get $to) (local.get $n) (f64.convert_i64_s (local.get $offset)) (f64.const inf)))

  ;; Change counter, version-valid-for and library version tell when a replica restarted: they become constants, in
  ;; SQLite's own buffer, before the page is hashed.
  (func (export "xWrite") (param $f i32) (param $from i32) (param $n i32) (param $offset i64) (result i32)
    (local $h i64)
    (if (i32.load offset=8 (local.get $f)) (then (return (i32.const 8)))) ;; SQLITE_READONLY
    (if (i64.eqz (local.get $offset))
      (then
        (i32.store offset=24 (local.get $from) (i32.const 0x01000000))
        (i32.store offset=92 (local.get $from) (i32.const 0x01000000))
        (i32.store offset=96 (local.get $from) (i32.const 0x01000000))))
    (local.set $h (call $hash (local.get $from) (local.get $n) (local.get $offset)))
    (call $write (local.get $from) (local.get $n) (f64.convert_i64_s (local.get $offset))
      (i32.wrap_i64 (local.get $h)) (i32.wrap_i64 (i64.shr_u (local.get $h) (i64.const 32)))))

  (func (export "xTruncate") (param $f i32) (param $bytes i64) (result i32)
    (call $truncate (f64.convert_i64_s (local.get $bytes))))
  (func (export "xSync") (param i32 i32) (result i32) (i32.const 0))
  (func (export "xFileSize") (param $f i32) (param $out i32) (result i32)
    (call $bind (local.get $f))
    (i64.store (local.get $out)
      (if (result i64) (i32.load offset=8 (local.get $f))
        (then (i64.load offset=24 (local.get $f)))
        (else (i64.trunc_f64_s (call $pages)))))
    (i32.const 0))
  (func (export "xLock") (param $f i32) (param i32) (result i32)
    (call $bind (local.get $f))
    (i32.store offset=12 (local.get $f) (i32.const 1))
    (i32.const 0))
  (func (export "xUnlock") (param $f i32) (param $level i32) (result i32)
    (if (i32.eqz (local.get $level)) (then (i32.store offset=12 (local.get $f) (i32.const 0))))
    (i32.const 0))
  (func (export "xCheckReservedLock") (param i32) (param $out i32) (result i32)
    (i32.store (local.get $out) (i32.const 0))
    (i32.const 0))
  ;; SQLITE_FCNTL_COMMIT_PHASETWO is the commit point: sent in every locking mode, and never for a rollback.
  (func (export "xFileControl") (param $f i32) (param $op i32) (param i32) (result i32)
    (if (i32.eq (local.get $op) (i32.const 22)) (then (return (call $commit))))
    (i32.const 12)) ;; SQLITE_NOTFOUND
  (func (export "xSectorSize") (param i32) (result i32) (i32.const 4096))
  ;; SUBPAGE_READ | POWERSAFE_OVERWRITE | UNDELETABLE_WHEN_OPEN
  (func (export "xDeviceCharacteristics") (param i32) (result i32) (i32.const 0x9800))

  ;; ---- sqlite3_vfs

  (func (export "xOpen") (param i32) (param $name i32) (param $f i32) (param $flags i32) (param $out i32)
    (result i32)
    (call $open (local.get $name) (local.get $f) (local.get $flags) (local.get $out)))
  (func (export "xDelete") (param i32 i32 i32) (result i32) (i32.const 0))
  (func (export "xAccess") (param i32 i32 i32) (param $out i32) (result i32)
    (i32.store (local.get $out) (i32.const 0))
    (i32.const 0))
  (func (export "xFullPathname") (param i32) (param $in i32) (param $n i32) (param $out i32) (result i32)
    (local $c i32)
    (loop $bytes
      (if (i32.eqz (local.get $n)) (then (return (i32.const 14)))) ;; SQLITE_CANTOPEN: too long
      (i32.store8 (local.get $out) (local.tee $c (i32.load8_u (local.get $in))))
      (local.set $in (i32.add (local.get $in) (i32.const 1)))
      (local.set $out (i32.add (local.get $out) (i32.const 1)))
      (local.set $n (i32.sub (local.get $n) (i32.const 1)))
      (br_if $bytes (local.get $c)))
    (i32.const 0))
  (func (export "xRandomness") (param i32) (param $n i32) (param $out i32) (result i32)
    (call $random (local.get $n) (local.get $out)))
  (func (export "xSleep") (param i32 i32) (result i32) (i32.const 0))
  (func (export "xCurrentTime") (param i32) (param $out i32) (result i32)
    (f64.store (local.get $out)
      (f64.add (f64.div (call $now) (f64.const 86400000)) (f64.const 2440587.5)))
    (i32.const 0))
  (func (export "xGetLastError") (param i32 i32 i32) (result i32) (i32.const 0))
  (func (export "xCurrentTimeInt64") (param i32) (param $out i32) (result i32)
    (i64.store (local.get $out)
      (i64.add (i64.trunc_f64_s (call $now)) (i64.const 210866760000000)))
    (i32.const 0))

  ;; ---- callbacks

  (func (export "progress") (param i32) (result i32) (local $left i32)
    (if (i32.eqz (i32.load (global.get $C))) (then (return (i32.const 0))))
    (if (i32.load offset=12 (global.get $C))
      (then (if (i32.eqz (call $expired)) (then (return (i32.const 0)))))
      (else
        (local.set $left (i32.sub (i32.load offset=4 (global.get $C)) (i32.const 1)))
        (i32.store offset=4 (global.get $C) (local.get $left))
        (if (i32.ge_s (local.get $left) (i32.const 0)) (then (return (i32.const 0))))))
    (i32.store offset=8 (global.get $C) (i32.const 1))
    (i32.const 1))

  ;; How deep SQLite is in its own stack is the same on every machine, unlike the room that a runtime's stack has.
  (func (export "authorizer") (param $id i32) (param $op i32) (param i32 i32 i32 i32) (result i32)
    (if (i32.lt_u (call $stack) (i32.load offset=80 (global.get $C)))
      (then (i32.store offset=84 (global.get $C) (i32.const 1)) (return (i32.const 1))))
    (if (i64.eqz (i64.and (i64.load offset=72 (global.get $C))
          (i64.shl (i64.const 1) (i64.extend_i32_u (local.get $op)))))
      (then (return (i32.const 0))))
    (call $authorize (local.get $id) (local.get $op)
      (local.get 2) (local.get 3) (local.get 4) (local.get 5)))

  ;; One callback for all SQL functions of ours; the user data is the number of the function.
  (func (export "function") (param $context i32) (param $argc i32) (param $argv i32)
    (call $call (call $user_data (local.get $context))
      (local.get $context) (local.get $argc) (local.get $argv)))

  ;; ---- SQLite's own functions that look at a large value again and again without allocating: charged, then called

  (type $call (func (param i32 i32 i32)))

  ;; Charges `bytes` at one unit for 64 KiB, then calls the function whose place stands at word `slot` of the control block.
  (func $wrapped (param $slot i32) (param $bytes i64) (param $c i32) (param $argc i32) (param $argv i32)
    (local $units i64)
    (local.set $bytes (i64.add (local.get $bytes) (i64.load32_u offset=120 (global.get $C))))
    (i64.store32 offset=120 (global.get $C) (i64.and (local.get $bytes) (i64.const 0xffff)))
    (local.set $units (i64.shr_u (local.get $bytes) (i64.const 16)))
    (if (i64.ne (local.get $units) (i64.const 0))
      (then (if (call $spent (i32.wrap_i64 (local.get $units)))
        (then (call $result_error_code (local.get $c) (i32.const 9)) (return))))) ;; SQLITE_INTERRUPT
    (call_indirect $functions (type $call) (local.get $c) (local.get $argc) (local.get $argv)
      (i32.load (i32.add (global.get $C) (local.get $slot)))))

  ;; Bytes of a text (3) or blob (4); other values are not looked at, which would change them.
  (func $size (param $value i32) (result i32)
    (if (result i32)
      (i32.lt_u (i32.sub (call $value_type (local.get $value)) (i32.const 3)) (i32.const 2))
      (then (call $value_bytes (local.get $value)))
      (else (i32.const 0))))

  ;; like(pattern, text) and glob(pattern, text): the work is their product at worst.
  (func (export "like") (param $c i32) (param $argc i32) (param $argv i32)
    (call $wrapped (i32.const 92)
      (i64.mul
        (i64.extend_i32_u (call $size (i32.load (local.get $argv))))
        (i64.extend_i32_u (call $size (i32.load offset=4 (local.get $argv)))))
      (local.get $c) (local.get $argc) (local.get $argv)))

  (func $first (param $slot i32) (param $c i32) (param $argc i32) (param $argv i32)
    (call $wrapped (local.get $slot)
      (if (result i64) (local.get $argc)
        (then (i64.extend_i32_u (call $size (i32.load (local.get $argv)))))
        (else (i64.const 0)))
      (local.get $c) (local.get $argc) (local.get $argv)))
  (func (export "wrapped0") (param i32 i32 i32)
    (call $first (i32.const 96) (local.get 0) (local.get 1) (local.get 2)))
  (func (export "wrapped1") (param i32 i32 i32)
    (call $first (i32.const 100) (local.get 0) (local.get 1) (local.get 2)))
  (func (export "wrapped2") (param i32 i32 i32)
    (call $first (i32.const 104) (local.get 0) (local.get 1) (local.get 2)))
  (func (export "wrapped3") (param i32 i32 i32)
    (call $first (i32.const 108) (local.get 0) (local.get 1) (local.get 2)))
  (func (export "wrapped4") (param i32 i32 i32)
    (call $first (i32.const 112) (local.get 0) (local.get 1) (local.get 2)))
  (func (export "wrapped5") (param i32 i32 i32)
    (call $first (i32.const 116) (local.get 0) (local.get 1) (local.get 2)))

  ;; ---- for JavaScript: no BigInt for integers that are safe, one crossing per row

  (func (export "bindInteger") (param $s i32) (param $i i32) (param $v f64) (result i32)
    (call $bind_int64 (local.get $s) (local.get $i) (i64.trunc_f64_s (local.get $v))))

  ;; One cell is 16 bytes: i32 type (SQLite's; 6: an integer beyond 2^53 - 1), i32 bytes, then f64, i64 or i32 pointer.
  (func $cell (export "cell") (param $s i32) (param $i i32) (param $out i32) (local $t i32) (local $v i64)
    (i32.store (local.get $out) (local.tee $t (call $column_type (local.get $s) (local.get $i))))
    (if (i32.eq (local.get $t) (i32.const 1))
      (then
        (local.set $v (call $column_int64 (local.get $s) (local.get $i)))
        (if (i64.gt_u (i64.add (local.get $v) (i64.const 9007199254740991)) (i64.const 18014398509481982))
          (then
            (i32.store (local.get $out) (i32.const 6))
            (i64.store offset=8 (local.get $out) (local.get $v)))
          (else (f64.store offset=8 (local.get $out) (f64.convert_i64_s (local.get $v)))))
        (return)))
    (if (i32.eq (local.get $t) (i32.const 3))
      (then
        (i32.store offset=8 (local.get $out) (call $column_text (local.get $s) (local.get $i)))
        (i32.store offset=4 (local.get $out) (call $column_bytes (local.get $s) (local.get $i)))
        (return)))
    (if (i32.eq (local.get $t) (i32.const 2))
      (then
        (f64.store offset=8 (local.get $out) (call $column_double (local.get $s) (local.get $i)))
        (return)))
    (if (i32.eq (local.get $t) (i32.const 4))
      (then
        (i32.store offset=8 (local.get $out) (call $column_blob (local.get $s) (local.get $i)))
        (i32.store offset=4 (local.get $out) (call $column_bytes (local.get $s) (local.get $i))))))

  (func (export "row") (param $s i32) (param $n i32) (param $out i32) (local $i i32)
    (if (i32.eqz (local.get $n)) (then (return)))
    (loop $cells
      (call $cell (local.get $s) (local.get $i) (local.get $out))
      (local.set $out (i32.add (local.get $out) (i32.const 16)))
      (br_if $cells (i32.lt_u (local.tee $i (i32.add (local.get $i) (i32.const 1))) (local.get $n)))))

  ;; Text and blobs by their length, numbers as 8 bytes, one byte more for each column.
  (func (export "rowBytes") (param $s i32) (param $n i32) (result f64)
    (local $i i32) (local $t i32) (local $sum f64)
    (if (i32.eqz (local.get $n)) (then (return (f64.const 0))))
    (loop $cells
      (local.set $t (call $column_type (local.get $s) (local.get $i)))
      (local.set $sum (f64.add (local.get $sum) (f64.const 1)))
      (if (i32.lt_u (local.get $t) (i32.const 3))
        (then (local.set $sum (f64.add (local.get $sum) (f64.const 8))))
        (else (if (i32.lt_u (local.get $t) (i32.const 5))
          (then (local.set $sum (f64.add (local.get $sum)
            (f64.convert_i32_u (call $column_bytes (local.get $s) (local.get $i)))))))))
      (br_if $cells (i32.lt_u (local.tee $i (i32.add (local.get $i) (i32.const 1))) (local.get $n))))
    (local.get $sum)))
