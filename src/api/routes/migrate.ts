/** `POST /v1/migrate`. */
import type { Migration } from '../../wire/operation.ts';
import { answerAt, POSITION_SCHEMA, timeoutOf, timeoutShape } from '../answer.ts';
import type { Call } from '../context.ts';
import { type AnyRoute, route } from '../route.ts';
import { described, integer, list, object, type Shape, text } from '../shape.ts';
import { write } from '../write.ts';

interface MigrateBody {
  readonly migrations: Migration[];
  readonly timeoutMs?: number;
}

const migrationShape: Shape<Migration> = object<Migration>(
  {
    id: integer('orders and identifies it', 1),
    name: text('for people', 1, 256),
    sql: text('its statements; hashed, so never edit an applied one'),
  },
  ['id', 'name', 'sql'],
);

const migrateBody: Shape<MigrateBody> = object<MigrateBody>(
  {
    migrations: list(migrationShape, 'in ascending order of id; known ones are checked only'),
    timeoutMs: timeoutShape,
  },
  ['migrations'],
);

const migrateAnswer = described('MigrateAnswer', {
  type: 'object',
  required: ['applied', 'current', 'index', 'history'],
  properties: {
    applied: {
      type: 'array',
      items: {
        type: 'object',
        properties: { id: { type: 'integer' }, name: { type: 'string' } },
      },
    },
    current: { type: 'integer', description: 'id of the newest migration, 0 before the first' },
    ...POSITION_SCHEMA,
  },
});

/** Migrations may rebuild tables: they wait longer than other writes. */
const TIMEOUT_FACTOR = 6;

async function migrate(call: Call<MigrateBody>): Promise<Response> {
  const { migrations } = call.body;
  const timeoutMs = timeoutOf(call, call.body.timeoutMs, TIMEOUT_FACTOR);
  const { index, result } = await write(call, { op: 'migrate', migrations }, timeoutMs, 'migrated');
  const { applied, current } = result;
  return answerAt(call, `"applied":${JSON.stringify(applied)},"current":${current}`, index);
}

/** The route of migrations. */
export const migrateRoutes: readonly AnyRoute[] = [
  route<MigrateBody>({
    method: 'POST',
    path: '/v1/migrate',
    summary: 'Apply migrations: one log entry, hash-checked; a failing one undoes itself and stops',
    access: 'token',
    body: migrateBody,
    keyed: true,
    answer: migrateAnswer,
    handle: migrate,
  }),
];
