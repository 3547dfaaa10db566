#!/usr/bin/env node
/** The `quorlite` command. */
import type { Command } from './command.ts';
import { packageVersion } from './package-info.ts';
import { runCommandLine } from './run.ts';

const ROOT: Command = {
  name: 'quorlite',
  summary: 'a distributed SQL database: SQLite in WebAssembly, replicated by Raft',
  flags: { version: { type: 'boolean', short: 'v', help: 'show the version' } },
  commands: [
    {
      name: 'serve',
      summary: 'run one node',
      load: async () => (await import('./serve.ts')).serveCommand,
    },
    {
      name: 'dev',
      summary: 'run a whole cluster on this machine',
      load: async () => (await import('./dev/dev.ts')).devCommand,
    },
    {
      name: 'sql',
      summary: 'an SQL shell, or one statement with -c',
      load: async () => (await import('./sql.ts')).sqlCommand,
    },
    {
      name: 'cluster',
      summary: 'show and change the members of a cluster',
      load: async () => (await import('./cluster.ts')).clusterCommand,
    },
    {
      name: 'settings',
      summary: 'show and change the settings that all nodes share',
      load: async () => (await import('./settings.ts')).settingsCommand,
    },
    {
      name: 'config',
      summary: 'write, check and show the configuration of a node',
      load: async () => (await import('./config.ts')).configCommand,
    },
    {
      name: 'doctor',
      summary: 'find what is wrong with this machine or configuration',
      load: async () => (await import('./doctor/doctor.ts')).doctorCommand,
    },
    {
      name: 'bench',
      summary: 'measure a running cluster',
      load: async () => (await import('./bench/bench.ts')).benchCommand,
    },
  ],
  examples: ['quorlite dev', 'quorlite sql http://127.0.0.1:4001', 'quorlite help serve'],
};

const args = process.argv.slice(2);
// A reader that went away (`quorlite … | head`) is no failure.
process.stdout.on('error', (error: NodeJS.ErrnoException) => {
  if (error.code === 'EPIPE') process.exit(0);
});
if (args.length === 1 && (args[0] === '--version' || args[0] === '-v')) {
  process.stdout.write(`${packageVersion()}\n`);
} else {
  process.exitCode = await runCommandLine(ROOT, args);
  // Deno waits for a read of standard input that was withdrawn, and for peers that do not close.
  if ('Deno' in globalThis) process.stdout.write('', () => process.exit());
}
