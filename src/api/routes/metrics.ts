/** `GET /metrics` in the text format of Prometheus, version 0.0.4. */
import type { Metric } from '../../node/contract.ts';
import { type AnyRoute, route } from '../route.ts';

/** Samples as text: grouped by name, in the order in which the names came. */
export function metricsText(samples: readonly Metric[]): string {
  const groups = new Map<string, Metric[]>();
  for (const sample of samples) {
    const group = groups.get(sample.name);
    if (group === undefined) groups.set(sample.name, [sample]);
    else group.push(sample);
  }
  let text = '';
  for (const [name, group] of groups) {
    const { help, type } = group[0]!;
    text += `# HELP ${name} ${escapeHelp(help)}\n# TYPE ${name} ${type}\n`;
    for (const { labels, value } of group) text += `${name}${labelText(labels)} ${number(value)}\n`;
  }
  return text;
}

function labelText(labels: Metric['labels']): string {
  if (labels === undefined) return '';
  const pairs = Object.entries(labels).map(([name, value]) => `${name}="${escapeLabel(value)}"`);
  return pairs.length === 0 ? '' : `{${pairs.join(',')}}`;
}

function escapeHelp(help: string): string {
  return help.replaceAll('\\', '\\\\').replaceAll('\n', '\\n');
}

function escapeLabel(value: string): string {
  return escapeHelp(value).replaceAll('"', '\\"');
}

function number(value: number): string {
  if (value === Infinity) return '+Inf';
  return value === -Infinity ? '-Inf' : String(value);
}

const CONTENT_TYPE = 'text/plain; version=0.0.4; charset=utf-8';

/** The route of metrics. */
export const metricsRoutes: readonly AnyRoute[] = [
  route({
    method: 'GET',
    path: '/metrics',
    summary: 'Metrics for Prometheus',
    access: 'token',
    answer: CONTENT_TYPE,
    handle({ api }) {
      const text = metricsText([...api.service.metrics(), ...api.counter.metrics()]);
      return new Response(text, {
        headers: { 'content-type': CONTENT_TYPE, 'cache-control': 'no-store' },
      });
    },
  }),
];
