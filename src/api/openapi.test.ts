import { expect, test } from 'vitest';
import { createRecorder, post } from '../../test/support/recorder-service.ts';
import { createApi, ROUTES } from './app.ts';

interface Document {
  openapi: string;
  paths: { [path: string]: { [method: string]: Operation } };
  components: { schemas: { [name: string]: unknown }; responses: { [name: string]: unknown } };
}
interface Operation {
  operationId: string;
  security?: unknown;
  parameters?: { name: string; in: string }[];
  requestBody?: { content: { 'application/json': { schema: { properties?: object } } } };
  responses: { [status: string]: unknown };
}

async function load(): Promise<Document> {
  const app = createApi({ service: createRecorder(), about: { version: '9.9.9' } });
  return (await app.request('/openapi.json')).json();
}

test('describes the mounted routes and nothing else', async () => {
  const { openapi, paths } = await load();
  expect(openapi).toBe('3.1.0');
  const described = Object.entries(paths).flatMap(([path, operations]) =>
    Object.keys(operations).map((method) => `${method.toUpperCase()} ${path}`),
  );
  const mounted = ROUTES.map(({ method, path }) => `${method} ${path.replace(/:(\w+)/g, '{$1}')}`);
  expect(described.sort()).toEqual(mounted.sort());
});

test('operations have distinct ids, tokens, parameters and failures', async () => {
  const { paths } = await load();
  const operations = Object.values(paths).flatMap((operations) => Object.values(operations));
  const ids = operations.map(({ operationId }) => operationId);
  expect(new Set(ids).size).toBe(ids.length);
  const execute = paths['/v1/execute']!['post']!;
  expect(execute.security).toEqual([{ token: [] }]);
  expect(execute.parameters?.map(({ name }) => name)).toEqual(['Idempotency-Key']);
  expect(Object.keys(execute.responses)).toEqual(
    expect.arrayContaining(['200', '400', '401', '409', '413', '422', '503', '504']),
  );
  expect(paths['/livez']!['get']!.security).toBeUndefined();
});

test('every reference leads somewhere', async () => {
  const document = await load();
  const text = JSON.stringify(document);
  const references = [...text.matchAll(/"\$ref":"(#[^"]+)"/g)].map(([, reference]) => reference!);
  expect(references.length).toBeGreaterThan(20);
  for (const reference of references) {
    const steps = reference.slice(2).split('/');
    const target = steps.reduce<unknown>(
      (value, step) => (value as { [name: string]: unknown })?.[step],
      document,
    );
    expect(target, reference).toBeTypeOf('object');
  }
});

test('a body with every described field is accepted by name', async () => {
  const { paths } = await load();
  const app = createApi({ service: createRecorder(), about: { version: '1' } });
  let tried = 0;
  for (const [path, operations] of Object.entries(paths)) {
    for (const [method, { requestBody }] of Object.entries(operations)) {
      const fields = Object.keys(requestBody?.content['application/json'].schema.properties ?? {});
      for (const field of fields) {
        tried++;
        const init = { ...post({ [field]: null }), method: method.toUpperCase() };
        const response = await app.request(path.replace('{id}', '1'), init);
        expect((await response.json()).detail, `${path} ${field}`).not.toContain('unknown field');
      }
    }
  }
  expect(tried).toBeGreaterThan(30);
});
