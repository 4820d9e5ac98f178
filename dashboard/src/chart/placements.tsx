import { useState } from "preact/hooks";
import type { Placements } from "../api/types";
import { count, number, trialName } from "../model/format";
import { against, counts, type Moved } from "../model/placement";
import { Figure } from "../part/figure";
import { Heads, Table } from "../part/table";
import { to } from "../route";

/** Trials that are shown unasked. */
const FEW = 12;

/** Which host each server landed on: over all trials as a matrix, and trial by trial, each against the baseline. */
export function PlacementsFigure({ placements: p, chosen, unit }: { placements: Placements; chosen?: Set<string>; unit?: string }) {
  const [all, showAll] = useState(false);
  const rows = against(p).filter(({ row }) => row.kind === "baseline" || !chosen || chosen.has(row.trial));
  if (p.servers.length === 0 || rows.length === 0) return null;
  const trials = rows.filter(({ row }) => row.kind !== "baseline");
  const moved = trials.filter((t) => t.moved > 0).length;
  const cells = counts(p, rows);
  const objective = unit ? `objective (${unit})` : "objective";
  const summary = `${count(p.servers.length, "server")}, ${count(cells.size, "host")}. In ${moved} of the newest ${count(trials.length, "epoch")} at least one server landed elsewhere than in the baseline of its cluster. A ring is the baseline's host; a cell says in how many of them the server landed there.`;
  const table = () => ({
    head: ["trial", "cluster", ...p.servers],
    rows: rows.map(({ row }) => [trialName(row.kind, row.number), row.cluster, ...row.hosts.map((host) => host ?? "–")]),
  });
  return (
    <Figure title="Placements" summary={summary} table={table}>
      <Table label="Host by server" kind="matrix" head={<Heads names={["host", ...p.servers]} />}>
        {[...cells].map(([host, row]) => (
          <tr key={host}>
            <th scope="row">{host}</th>
            {row.map((cell, i) => (
              <td key={i}>
                <span class={cell.was ? "heat was" : "heat"} style={{ "--part": trials.length > 0 ? cell.n / trials.length : 0 }}>
                  {cell.n}
                  {cell.was && <span class="unseen"> and the baseline</span>}
                </span>
              </td>
            ))}
          </tr>
        ))}
      </Table>
      <Table label="Placement trial by trial" head={<Heads names={["trial", "cluster", objective, ...p.servers]} numbers={[objective]} />}>
        {(all ? rows : rows.slice(0, FEW)).map((r) => (
          <One key={r.row.epoch} {...r} />
        ))}
      </Table>
      {rows.length > FEW && (
        <p>
          <button type="button" onClick={() => showAll(!all)}>
            {all ? `Show the newest ${FEW} only` : `Show all ${rows.length}`}
          </button>
        </p>
      )}
    </Figure>
  );
}

function One({ row, before }: Moved) {
  return (
    <tr>
      <th scope="row">
        <a href={to("trial", row.trial)}>{trialName(row.kind, row.number)}</a>
      </th>
      <td>{row.cluster}</td>
      <td class="n">{row.objective === undefined ? "–" : number(row.objective)}</td>
      {row.hosts.map((host, i) => (
        <td key={i}>
          {host ?? "–"}
          {row.kind !== "baseline" && host !== null && before[i] != null && host !== before[i] && <small class="moved"> was {before[i]}</small>}
        </td>
      ))}
    </tr>
  );
}
