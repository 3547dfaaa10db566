/** Statements that the visitor runs, through the node's own service. */
import { splitStatements } from '../../../src/cli/shell/split.ts';
import type { NodeService, QueryResult } from '../../../src/node/contract.ts';
import type { QuorliteError } from '../../../src/wire/error.ts';
import { type Operation, writeOperation } from '../../../src/wire/operation.ts';
import type { CommandOutcome, StatementResult } from '../../../src/wire/result.ts';
import type { SqlValue } from '../../../src/wire/value.ts';
import type { Checker } from './checker.ts';
import type { Member } from './member.ts';
import type { AnswerView, ReadLevel } from './protocol.ts';

const TIMEOUT_MS = 4000;
const ROWS = 200;
const READS = /^(?:\s|--[^\n]*\n|\/\*[\s\S]*?\*\/|\()*(?:select|values|explain|pragma|with)\b/i;

/** Where a run's statements report to. */
export interface StatementsHost {
  now(): number;
  readonly checker: Checker;
  answered(answer: AnswerView): void;
}

/** The statements of one run. */
export class Statements {
  readonly #host: StatementsHost;
  #last = 0;
  /** Index of the visitor's newest write: what `session` reads must show. */
  #session = 0;

  constructor(host: StatementsHost) {
    this.#host = host;
  }

  /** Runs a text on a node. */
  run(member: Member, sql: string, level: ReadLevel): void {
    const answer: AnswerView = {
      id: ++this.#last,
      node: member.id,
      sql,
      level,
      asked: this.#host.now(),
      answered: null,
      index: 0,
      columns: [],
      rows: [],
      rowsAffected: null,
      error: '',
      why: '',
    };
    this.#host.answered(answer);
    const { service } = member;
    if (service === null || !member.live) {
      this.#end(answer, { error: `n${member.id} is down: run it on another node` });
      return;
    }
    const split = splitStatements(sql);
    const texts = split.rest === '' ? split.statements : [...split.statements, split.rest];
    if (texts.length === 1 && READS.test(texts[0]!)) this.#read(service, member, answer);
    else this.#write(service, member, answer, texts);
  }

  #read(service: NodeService, member: Member, answer: AnswerView): void {
    const { floor } = this.#host.checker;
    const { level, sql } = answer;
    const minIndex = level === 'session' ? this.#session : undefined;
    const request = { sql, consistency: level, timeoutMs: TIMEOUT_MS, maxRows: ROWS, minIndex };
    service.query(request, (error, result) => {
      // A statement that begins like a read and writes, such as `WITH … INSERT`.
      if (error?.code === 'SQL_READ_ONLY') this.#write(service, member, answer, [sql]);
      else if (error) this.#end(answer, { error: errorText(error), why: lostWhy(answer) });
      else this.#shown(member, answer, result!, floor);
    });
  }

  #shown(member: Member, answer: AnswerView, result: QueryResult, floor: number): void {
    const { id } = member;
    if (answer.level === 'linearizable') this.#host.checker.read(result.index, floor, id);
    const leads = member.inside?.replica.raft.role === 'leader';
    const lag = result.lagMs === null ? 'an unknown time' : `at most ${Math.ceil(result.lagMs)} ms`;
    const why = {
      linearizable: leads
        ? `n${id} leads; a quorum confirmed that it still does, then it read at ${result.index}`
        : `n${id} asked its leader, which asked a quorum; then it read at ${result.index}`,
      session: `n${id} waited until your last write, ${this.#session}, was applied there`,
      stale: `n${id} read at once what it has; it may be ${lag} behind`,
    }[answer.level];
    this.#end(answer, {
      index: result.index,
      columns: result.columns.map(({ name }) => name),
      rows: result.rows.slice(0, ROWS).map((row) => row.map(valueText)),
      why,
    });
  }

  #write(service: NodeService, member: Member, answer: AnswerView, texts: readonly string[]): void {
    const operation: Operation =
      texts.length === 1
        ? { op: 'execute', sql: texts[0]! }
        : { op: 'batch', sql: answer.sql, atomic: true };
    const request = {
      operation: (out: Parameters<typeof writeOperation>[0]) => writeOperation(out, operation),
      timeoutMs: TIMEOUT_MS,
    };
    service.write(request, (outcome) => this.#written(member, answer, outcome));
  }

  #written(member: Member, answer: AnswerView, outcome: CommandOutcome): void {
    if (!outcome.ok) {
      const { error, index } = outcome;
      this.#end(answer, { index, error: errorText(error), why: lostWhy(answer) });
      return;
    }
    const { index, result } = outcome;
    this.#host.checker.acknowledged(index);
    this.#session = Math.max(this.#session, index);
    const leads = member.inside?.replica.raft.role === 'leader';
    const way = leads ? `n${member.id} leads` : `n${member.id} sent it to its leader`;
    const voters = member.inside?.replica.raft.membership.voters.length ?? 5;
    const quorum = Math.floor(voters / 2) + 1;
    const why = `${way}; entry ${index} was synced on ${quorum} of ${voters} disks, then applied`;
    const statement = lastStatement(outcome);
    this.#end(answer, {
      index,
      columns: statement?.columns?.map(({ name }) => name) ?? [],
      rows: statement?.rows?.slice(0, ROWS).map((row) => row.map(valueText)) ?? [],
      rowsAffected: statement?.rowsAffected ?? (result.type === 'done' ? 0 : null),
      why,
    });
  }

  #end(answer: AnswerView, end: Partial<AnswerView>): void {
    this.#host.answered({ ...answer, ...end, answered: this.#host.now() });
  }
}

function lastStatement(outcome: CommandOutcome): StatementResult | null {
  if (!outcome.ok) return null;
  const { result } = outcome;
  if (result.type === 'statement') return result.result;
  if (result.type !== 'statements') return null;
  const last = result.results[result.results.length - 1];
  return last !== undefined && !('error' in last) ? last : null;
}

function lostWhy(answer: AnswerView): string {
  return answer.level === 'stale' ? '' : 'without a quorum nobody may promise anything';
}

function errorText(error: QuorliteError): string {
  const fate = { 'not-applied': '', applied: '', unknown: ' It may still happen.' }[error.outcome];
  return `${error.code}: ${error.message}${fate}`;
}

/** A value as it is shown. */
export function valueText(value: SqlValue): string {
  if (value === null) return 'NULL';
  if (value instanceof Uint8Array) {
    return `x'${Array.from(value.subarray(0, 32), (byte) => byte.toString(16).padStart(2, '0')).join('')}'`;
  }
  return String(value);
}
