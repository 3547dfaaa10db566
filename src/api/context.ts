/** What the routes of one API share. */
import type { NodeLimits } from '../config/limits.ts';
import type { NodeService, ReadClient } from '../node/contract.ts';
import type { Logger } from '../telemetry/logger.ts';
import type { Outcome } from '../wire/error.ts';
import type { Authenticator, Identity } from './auth.ts';
import type { BodyReader } from './body.ts';
import type { OriginPolicy } from './origins.ts';
import type { RequestCounter } from './request-counter.ts';
import type { AnyRoute } from './route.ts';

/** What runs here, as `GET /v1/version` shows it. */
export interface About {
  /** Of the package. */
  readonly version: string;
  /** Engine id: name/version/hash. */
  readonly engine?: string | undefined;
  /** Such as `node 20.20.2`. */
  readonly runtime?: string | undefined;
}

/** One API. */
export interface ApiContext {
  readonly service: NodeService;
  readonly auth: Authenticator;
  readonly origins: OriginPolicy;
  readonly limits: NodeLimits;
  readonly logger: Logger;
  /** Path below which the node is reached, such as `/db`; ''. */
  readonly basePath: string;
  readonly about: About;
  readonly bodies: BodyReader;
  readonly counter: RequestCounter;
  /** Every route that is mounted, this very list. */
  readonly routes: readonly AnyRoute[];
  monotonicMs(): number;
  /** Requests so far: the last one's number names it in the log. */
  requests: number;
  /** Exports being streamed. */
  openExports: number;
}

/** One request on its way through a route. */
export interface Call<B = undefined> {
  readonly api: ApiContext;
  readonly request: Request;
  readonly identity: Identity;
  readonly body: B;
  /** The parameters of the path by name. */
  readonly path: { readonly [name: string]: string };
  /** The parameters behind `?`; null without. */
  readonly query: URLSearchParams | null;
  /** The connection that the request came over, where the runtime tells. */
  readonly client: ReadClient | undefined;
  /** What is known of the write so far; goes into an error that is not an operating one. */
  outcome: Outcome;
}

/** What a runtime may hand to `app.fetch` beside a request. */
export interface RequestEnvironment {
  /** The connection that it came over: the same object for all its requests. */
  readonly client?: ReadClient | undefined;
}
