/** What the suites of the HTTP API share: a running API as anybody on the network sees it. */
import { expect } from 'vitest';

/** A running node, or any node of a running cluster. */
export interface HttpTarget {
  /** Without a trailing slash. */
  readonly url: string;
  /** The API token, when one is needed. */
  readonly token?: string | undefined;
  close(): Promise<void>;
}

// biome-ignore lint/suspicious/noExplicitAny: answers of a black box
export type Json = any;

/** An answer with its body as JSON. */
export interface Answer {
  readonly status: number;
  readonly headers: Headers;
  readonly body: Json;
}

/** Talks to a target. */
export class HttpCaller {
  readonly target: HttpTarget;
  #tables = 0;

  constructor(target: HttpTarget) {
    this.target = target;
  }

  fetch(path: string, init: RequestInit = {}): Promise<Response> {
    const headers = new Headers(init.headers);
    if (this.target.token !== undefined && !headers.has('authorization')) {
      headers.set('authorization', `Bearer ${this.target.token}`);
    }
    return fetch(this.target.url + path, { ...init, headers });
  }

  async get(path: string, init?: RequestInit): Promise<Answer> {
    const response = await this.fetch(path, init);
    return { status: response.status, headers: response.headers, body: await response.json() };
  }

  /** Sends JSON; a string is sent as it is. */
  send(method: string, path: string, body: unknown, headers: HeadersInit = {}): Promise<Answer> {
    return this.get(path, {
      method,
      headers: { 'content-type': 'application/json', ...headers },
      body: typeof body === 'string' ? body : JSON.stringify(body),
    });
  }

  post(path: string, body: unknown, headers: HeadersInit = {}): Promise<Answer> {
    return this.send('POST', path, body, headers);
  }

  /** Runs a statement that must succeed. */
  async execute(sql: string, params: unknown = []): Promise<Json> {
    const { status, body } = await this.post('/v1/execute', { sql, params });
    expect(body.code, `${sql}: ${body.detail}`).toBe(undefined);
    expect(status).toBe(200);
    return body;
  }

  /** Runs a query that must succeed. */
  async query(sql: string, params: unknown = [], more: object = {}): Promise<Json> {
    const { status, body } = await this.post('/v1/query', { sql, params, ...more });
    expect(body.code, `${sql}: ${body.detail}`).toBe(undefined);
    expect(status).toBe(200);
    return body;
  }

  async rows(sql: string, params: unknown = []): Promise<Json[][]> {
    return (await this.query(sql, params)).rows;
  }

  /** A new table `(id INTEGER PRIMARY KEY, name TEXT UNIQUE)`; suites on one target do not meet. */
  async table(): Promise<string> {
    const name = `http_${Date.now().toString(36)}_${this.#tables++}`;
    await this.execute(`CREATE TABLE ${name} (id INTEGER PRIMARY KEY, name TEXT UNIQUE)`);
    return name;
  }
}

/** Checks that an answer is a problem with this status and code, of a write that left nothing behind. */
export function expectProblem(answer: Answer, status: number, code: string): Json {
  expect(answer.body).toMatchObject({
    type: expect.any(String),
    title: expect.any(String),
    detail: expect.any(String),
    code,
    status,
    outcome: 'not-applied',
    retryable: expect.any(Boolean),
  });
  expect(answer.status).toBe(status);
  expect(answer.headers.get('content-type')).toBe('application/problem+json');
  return answer.body;
}
