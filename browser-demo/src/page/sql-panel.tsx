/** SQL against any node at any consistency. */
import type { JSX } from 'preact';
import type { AnswerView, ReadLevel } from '../sim/protocol.ts';
import { answersVersion, history, leader, moment, runSql, sqlLevel, sqlNode, sqlText } from './store.ts';

const LEVELS: readonly { readonly level: ReadLevel; readonly means: string }[] = [
  { level: 'linearizable', means: 'the newest: a quorum is asked' },
  { level: 'session', means: 'at least what you wrote' },
  { level: 'stale', means: 'what this node has, at once' },
];

const EXAMPLES: readonly { readonly name: string; readonly sql: string }[] = [
  { name: 'read the notes', sql: 'SELECT * FROM notes' },
  { name: 'write a note', sql: "INSERT INTO notes (text) VALUES ('I was here')" },
  { name: 'what chance gives', sql: 'INSERT INTO notes (text) VALUES (hex(randomblob(8))) RETURNING *' },
  { name: 'count', sql: 'SELECT count(*) AS notes, max(at) AS newest FROM notes' },
  {
    name: 'search text',
    sql: "CREATE VIRTUAL TABLE search USING fts5(text);\nINSERT INTO search SELECT text FROM notes;",
  },
  { name: 'the bank', sql: 'SELECT id, money FROM bank' },
  { name: 'the schema', sql: 'SELECT name, sql FROM sqlite_schema' },
];

/** The panel. */
export function SqlPanel(): JSX.Element {
  const nodes = moment.value?.nodes ?? [];
  return (
    <section class="panel sql" aria-labelledby="sql-title">
      <header class="panel-head">
        <h2 id="sql-title">SQL</h2>
        <label>
          <span class="soft">on</span>{' '}
          <select
            class="field"
            value={sqlNode.value}
            onChange={(event) => {
              sqlNode.value = Number(event.currentTarget.value);
            }}
          >
            {nodes.map(({ id, state }) => (
              <option key={id} value={id}>
                n{id}
                {id === leader.value ? ' (leads)' : state === 'running' ? '' : ` (${state})`}
              </option>
            ))}
          </select>
        </label>
        <label>
          <span class="soft">reads</span>{' '}
          <select
            class="field"
            value={sqlLevel.value}
            onChange={(event) => {
              sqlLevel.value = event.currentTarget.value as ReadLevel;
            }}
          >
            {LEVELS.map(({ level, means }) => (
              <option key={level} value={level} title={means}>
                {level}
              </option>
            ))}
          </select>
        </label>
        <label class="push">
          <span class="hidden">Examples</span>
          <select
            class="field"
            value=""
            onChange={(event) => {
              const chosen = EXAMPLES.find(({ name }) => name === event.currentTarget.value);
              if (chosen !== undefined) sqlText.value = chosen.sql;
              event.currentTarget.value = '';
            }}
          >
            <option value="">examples</option>
            {EXAMPLES.map(({ name }) => (
              <option key={name} value={name}>
                {name}
              </option>
            ))}
          </select>
        </label>
        <button type="button" class="button primary" onClick={runSql}>
          Run
        </button>
      </header>
      <textarea
        id="sql-text"
        class="field mono sql-text"
        rows={2}
        spellcheck={false}
        autocapitalize="off"
        aria-label="SQL; Control and Enter runs it"
        value={sqlText.value}
        onInput={(event) => {
          sqlText.value = event.currentTarget.value;
        }}
        onKeyDown={(event) => {
          if (event.key === 'Enter' && (event.ctrlKey || event.metaKey)) {
            event.preventDefault();
            runSql();
          }
          if (event.key === 'Escape') event.currentTarget.blur();
        }}
      />
      <Answer />
    </section>
  );
}

function Answer(): JSX.Element {
  // Answers are kept in a plain map; this number grows with each.
  answersVersion.value;
  const answers = [...history.answers.values()];
  const answer = answers[answers.length - 1];
  // biome-ignore lint/a11y/noNoninteractiveTabindex: a table that scrolls must be reachable by keyboard
  return (
    <div class="answer" role="region" aria-label="Result" tabIndex={0}>
      {answer === undefined ? (
        <p class="soft">Runs on the real engine: SQLite in WebAssembly, five times.</p>
      ) : (
        <AnswerText answer={answer} />
      )}
    </div>
  );
}

/** The statement, when it is not what stands above. */
function AskedText({ answer }: { readonly answer: AnswerView }): JSX.Element | null {
  if (answer.sql === sqlText.value) return null;
  return (
    <p class="mono soft asked">
      n{answer.node}: {answer.sql}
    </p>
  );
}

function changed(rows: number | null): string {
  if (rows === null) return 'done';
  return rows === 1 ? '1 row changed' : `${rows} rows changed`;
}

function AnswerText({ answer }: { readonly answer: AnswerView }): JSX.Element {
  const { answered, asked, columns, rows, error, index, why, rowsAffected, node } = answer;
  if (answered === null) {
    return (
      <p class="soft">
        <AskedText answer={answer} />n{node} works on it; time has to pass.
      </p>
    );
  }
  const took = Math.round(answered - asked);
  return (
    <>
      <AskedText answer={answer} />
      {error !== '' ? (
        <p class="answer-error">{error}</p>
      ) : (
        columns.length > 0 && (
          <table class="mono">
            <thead>
              <tr>
                {columns.map((name) => (
                  <th key={name} scope="col">
                    {name}
                  </th>
                ))}
              </tr>
            </thead>
            <tbody>
              {rows.map((row, i) => (
                <tr key={String(i)}>
                  {row.map((value, column) => (
                    <td key={String(column)}>{value}</td>
                  ))}
                </tr>
              ))}
            </tbody>
          </table>
        )
      )}
      <p class="answer-facts soft" aria-live="polite">
        {error === '' && columns.length === 0 && (
          <span>{changed(rowsAffected)} · </span>
        )}
        {error === '' && <span class="mono">index {index} · </span>}
        <span class="mono">{took} ms</span>
        {why !== '' && <span> · {why}.</span>}
      </p>
    </>
  );
}
