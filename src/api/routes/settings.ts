/** `GET` and `PATCH /v1/settings`: the replicated cluster settings. */
import { SETTINGS, type SettingName } from '../../state-machine/settings.ts';
import { answerAt, POSITION_SCHEMA, timeoutOf } from '../answer.ts';
import type { Call } from '../context.ts';
import { type AnyRoute, route } from '../route.ts';
import { described, integer, type JsonSchema, object, refuse, type Shape } from '../shape.ts';
import { write } from '../write.ts';

type Patch = { readonly [N in SettingName]?: number };

const fields = Object.fromEntries(
  Object.entries(SETTINGS).map(([name, { min, max, help }]) => [name, integer(help, min, max)]),
) as { readonly [N in SettingName]: Shape<number> };

const patchFields: Shape<Patch> = object<Patch>(fields, []);
const patchBody: Shape<Patch> = {
  schema: { ...patchFields.schema, minProperties: 1 },
  read(value, path) {
    const patch = patchFields.read(value, path);
    if (Object.keys(patch).length === 0) throw refuse(path, 'names no setting');
    return patch;
  },
};

const properties: JsonSchema = Object.fromEntries(
  Object.entries(SETTINGS).map(([name, spec]) => [
    name,
    { type: 'integer', default: spec.default, description: spec.help },
  ]),
);

const settingsAnswer = described('SettingsAnswer', {
  type: 'object',
  required: ['settings', 'index', 'history'],
  properties: { settings: { type: 'object', properties }, ...POSITION_SCHEMA },
});

async function patchSettings(call: Call<Patch>): Promise<Response> {
  const operation = { op: 'settings', patch: call.body as { [name: string]: number } } as const;
  const { index, result } = await write(call, operation, timeoutOf(call, undefined), 'settings');
  return answerAt(call, `"settings":${JSON.stringify(result.settings)}`, index);
}

function getSettings(call: Call): Response {
  const { service } = call.api;
  const settings = JSON.stringify(service.settings());
  return answerAt(call, `"settings":${settings}`, service.status().index);
}

/** The routes of the cluster settings. */
export const settingsRoutes: readonly AnyRoute[] = [
  route({
    method: 'GET',
    path: '/v1/settings',
    summary: 'The cluster settings as this node has applied them',
    access: 'token',
    answer: settingsAnswer,
    handle: getSettings,
  }),
  route<Patch>({
    method: 'PATCH',
    path: '/v1/settings',
    summary: 'Change cluster settings: the body names those to change',
    access: 'token',
    body: patchBody,
    keyed: true,
    answer: settingsAnswer,
    handle: patchSettings,
  }),
];
