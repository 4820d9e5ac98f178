import type { ComponentChildren } from "preact";
import { useId, useState } from "preact/hooks";
import { Heads, Table } from "./table";

interface Props {
  title: string;
  /** What the picture shows, in words. */
  summary: ComponentChildren;
  /** The same as rows. */
  table: () => { head: string[]; rows: (string | number)[][] };
  children: ComponentChildren;
  level?: 2 | 3;
}

/** A picture with its words, and with its numbers in place of it for whoever wants them. */
export function Figure({ title, summary, table, children, level = 2 }: Props) {
  const [asTable, set] = useState(false);
  const id = useId();
  const Heading = level === 2 ? "h2" : "h3";
  return (
    <section class="figure" aria-labelledby={id}>
      <div class="figure-head">
        <Heading id={id}>{title}</Heading>
        <button type="button" class="quiet" aria-pressed={asTable} aria-label={`${title} as a table`} onClick={() => set(!asTable)}>
          {asTable ? "Chart" : "Table"}
        </button>
      </div>
      <p class="summary">{summary}</p>
      {asTable ? <Numbers title={title} {...table()} /> : children}
    </section>
  );
}

/** More rows than anybody reads are left to the API. */
const MOST = 500;

function Numbers({ title, head, rows }: { title: string; head: string[]; rows: (string | number)[][] }) {
  return (
    <>
      <Table label={`${title}, numbers`} head={<Heads names={head} />}>
        {rows.slice(0, MOST).map((row, i) => (
          <tr key={i}>
            {row.map((cell, j) => (
              <td key={j} class={typeof cell === "number" ? "n" : undefined}>
                {cell}
              </td>
            ))}
          </tr>
        ))}
      </Table>
      {rows.length > MOST && <p class="summary">The first {MOST} of {rows.length} rows.</p>}
    </>
  );
}
