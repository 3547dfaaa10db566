/** SHA-256 of the `sqlite3.wasm` of this release, for who has it compiled: a module no longer has its bytes. */
export const SQLITE_HASH = 'b8a92a19f441a90ff2339fe988fbe317c4adf3ed844096f12aee04aa72d58257';
