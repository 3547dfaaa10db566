/** The client alone, for every runtime: what `import … from 'quorlite/client'` gives. */

export { type ConnectOptions, connect } from './client/remote/connect.ts';
export * from './exports/client.ts';
