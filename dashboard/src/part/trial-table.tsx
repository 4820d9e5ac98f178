import { useState } from "preact/hooks";
import type { Columns, Spec } from "../api/types";
import { compare, type Row } from "../model/trials";
import { clock, count, number, trialName, value } from "../model/format";
import { to } from "../route";
import { OutcomeState } from "./state";
import { Table } from "./table";

const PAGE = 25;

interface Props {
  columns: Columns;
  rows: Row[];
  spec: Spec;
  best?: string;
}

/** The trials that are chosen, sorted and in pages. */
export function TrialTable({ columns, rows, spec, best }: Props) {
  const [by, setBy] = useState({ name: "trial", down: true });
  const [page, setPage] = useState(0);
  const key = (row: Row) => {
    if (by.name === "trial") return row.number;
    if (by.name === "objective") return row.objective;
    if (by.name === "outcome") return row.outcome ?? row.state;
    if (by.name === "ended") return row.ended;
    return columns.parameters[by.name]?.[row.index];
  };
  const sorted = [...rows].sort((a, b) => (by.down ? compare(key(b), key(a)) : compare(key(a), key(b))));
  const pages = Math.max(1, Math.ceil(sorted.length / PAGE));
  const now = Math.min(page, pages - 1);
  const unit = spec.objective.unit;
  const head = (name: string, text: string, numeric = false) => (
    <th key={name} scope="col" class={numeric ? "n" : undefined} aria-sort={by.name === name ? (by.down ? "descending" : "ascending") : undefined}>
      <button type="button" class="quiet" onClick={() => setBy({ name, down: by.name === name ? !by.down : true })}>
        {text}
        {by.name === name && <span aria-hidden="true">{by.down ? " ↓" : " ↑"}</span>}
      </button>
    </th>
  );
  return (
    <section class="card" aria-labelledby="trials">
      <div class="figure-head">
        <h2 id="trials">Trials</h2>
        <p class="summary">{count(rows.length, "trial")}</p>
      </div>
      <Table
        label="Trials, table"
        head={
          <>
            {head("trial", "trial")}
            {head("outcome", "outcome")}
            {head("objective", unit ? `objective (${unit})` : "objective", true)}
            {spec.parameters.map((p) => head(p.name, p.unit ? `${p.name} (${p.unit})` : p.name, p.type !== "categorical"))}
            {head("ended", "ended")}
            <th scope="col">reason or note</th>
          </>
        }
      >
        {sorted.slice(now * PAGE, (now + 1) * PAGE).map((row) => (
          <tr key={row.id} class={row.id === best ? "best" : undefined}>
            <th scope="row">
              <a href={to("trial", row.id)}>{trialName(row.kind, row.number)}</a>
            </th>
            <td>
              <OutcomeState outcome={row.outcome} state={row.state} />
            </td>
            <td class="n">
              {row.objective === null ? "–" : number(row.objective)}
              {row.error !== null && ` ± ${number(row.error)}`}
            </td>
            {spec.parameters.map((p) => (
              <td key={p.name} class={p.type === "categorical" ? undefined : "n"}>
                {value(columns.parameters[p.name]?.[row.index])}
              </td>
            ))}
            <td>{row.ended === null ? "–" : clock(row.ended)}</td>
            <td class="wrap">{columns.reason[row.index] ?? columns.note[row.index] ?? ""}</td>
          </tr>
        ))}
      </Table>
      {pages > 1 && (
        <p class="pages">
          <button type="button" disabled={now === 0} onClick={() => setPage(now - 1)}>
            Previous page
          </button>
          Page {now + 1} of {pages}
          <button type="button" disabled={now === pages - 1} onClick={() => setPage(now + 1)}>
            Next page
          </button>
        </p>
      )}
    </section>
  );
}
