/** Counts requests by route and status, for Prometheus. */
import type { Metric } from '../node/contract.ts';
import type { AnyRoute } from './route.ts';

/** Counts requests by route and status, for metrics. */
export interface RequestCounter {
  count(route: Pick<AnyRoute, 'method' | 'path'>, status: number): void;
  metrics(): Metric[];
}

/** Bounded by the number of routes times the number of statuses. */
export function createRequestCounter(): RequestCounter {
  const counts = new Map<Pick<AnyRoute, 'method' | 'path'>, Map<number, number>>();

  function count(route: Pick<AnyRoute, 'method' | 'path'>, status: number): void {
    let byStatus = counts.get(route);
    if (byStatus === undefined) counts.set(route, (byStatus = new Map()));
    byStatus.set(status, (byStatus.get(status) ?? 0) + 1);
  }

  function metrics(): Metric[] {
    const samples: Metric[] = [];
    for (const [{ method, path }, byStatus] of counts) {
      for (const [status, value] of byStatus) {
        samples.push({
          name: 'quorlite_http_requests_total',
          type: 'counter',
          help: 'HTTP requests answered, by route and status.',
          value,
          labels: { method, route: path, status: String(status) },
        });
      }
    }
    return samples;
  }
  return { count, metrics };
}
