/** What the SQL routes answer, for OpenAPI. */
import { POSITION_SCHEMA } from './answer.ts';
import { valueShape } from './json.ts';
import { problemShape } from './problem.ts';
import { described, type JsonSchema, type Shape } from './shape.ts';

const columns: JsonSchema = {
  type: 'array',
  items: {
    type: 'object',
    required: ['name', 'decltype'],
    properties: {
      name: { type: 'string' },
      decltype: { type: ['string', 'null'], description: 'as declared; null for expressions' },
    },
  },
};

const rowArrays: JsonSchema = { type: 'array', items: { type: 'array', items: valueShape } };

const statementFields: JsonSchema = {
  rowsAffected: { type: 'integer' },
  lastInsertRowid: valueShape,
  columns,
  rows: rowArrays,
};

const STATEMENT_REQUIRED = ['rowsAffected', 'lastInsertRowid'];
const POSITION_REQUIRED = ['index', 'history'];

/** One statement of a transaction or batch. */
export const statementAnswer: Shape<unknown> = described('StatementResult', {
  type: 'object',
  required: STATEMENT_REQUIRED,
  properties: statementFields,
});

/** `POST /v1/execute`. */
export const executeAnswer: Shape<unknown> = described('ExecuteAnswer', {
  type: 'object',
  required: [...STATEMENT_REQUIRED, ...POSITION_REQUIRED],
  properties: { ...statementFields, ...POSITION_SCHEMA },
});

/** `POST /v1/query`. */
export const queryAnswer: Shape<unknown> = described('QueryAnswer', {
  type: 'object',
  required: ['columns', 'rows', 'lagMs', ...POSITION_REQUIRED],
  properties: {
    columns,
    rows: {
      type: 'array',
      items: {
        oneOf: [
          { type: 'array', items: valueShape },
          { type: 'object', additionalProperties: valueShape },
        ],
      },
    },
    lagMs: {
      type: ['number', 'null'],
      description: 'how far behind the leader the rows may be; null when unknown',
    },
    ...POSITION_SCHEMA,
  },
});

/** `POST /v1/txn`. */
export const txnAnswer: Shape<unknown> = described('TxnAnswer', {
  type: 'object',
  required: ['results', ...POSITION_REQUIRED],
  properties: { results: { type: 'array', items: statementAnswer }, ...POSITION_SCHEMA },
});

/** `POST /v1/batch`. */
export const batchAnswer: Shape<unknown> = described('BatchAnswer', {
  type: 'object',
  required: ['results', ...POSITION_REQUIRED],
  properties: {
    results: {
      type: 'array',
      items: {
        oneOf: [
          statementAnswer,
          { type: 'object', required: ['error'], properties: { error: problemShape } },
        ],
      },
    },
    ...POSITION_SCHEMA,
  },
});
