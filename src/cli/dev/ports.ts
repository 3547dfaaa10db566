/** Whether ports are free. */
import { type AddressInfo, createServer } from 'node:net';
import { UsageError } from '../usage.ts';

/** The first of `count` ports from `port` on that something listens at on 127.0.0.1, or null. */
export async function busyPort(port: number, count: number): Promise<number | null> {
  for (let candidate = port; candidate < port + count; candidate++) {
    if (!(await isFree(candidate))) return candidate;
  }
  return null;
}

/** Whether `port` can be bound at `host`. Throws `UsageError` when it may never be. */
export function isFree(port: number, host = '127.0.0.1'): Promise<boolean> {
  return new Promise((resolve, reject) => {
    const server = createServer();
    server.once('error', (error: NodeJS.ErrnoException) => {
      if (error.code === 'EADDRINUSE') resolve(false);
      else reject(new UsageError(`port ${port} at ${host} cannot be bound: ${error.message}`));
    });
    server.listen({ port, host, exclusive: true }, () => server.close(() => resolve(true)));
  });
}

/** Ports of this machine that were free a moment ago. */
export async function freePorts(count: number): Promise<number[]> {
  const servers = Array.from({ length: count }, () => createServer());
  await Promise.all(
    servers.map((server) => new Promise<void>((done) => server.listen(0, '127.0.0.1', done))),
  );
  const ports = servers.map((server) => (server.address() as AddressInfo).port);
  await Promise.all(servers.map((server) => new Promise((done) => server.close(done))));
  return ports;
}
