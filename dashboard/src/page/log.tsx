import { useState } from "preact/hooks";
import { get } from "../api/client";
import { recent } from "../api/live";
import type { LogEvent, Timeline } from "../api/types";
import { useLive } from "../api/use";
import { clock } from "../model/format";
import { Missing } from "../part/state";
import { to } from "../route";
import { Heads, Table } from "../part/table";

/** Events before the page was opened. */
const BEFORE = 200;

async function load() {
  const { position } = await get<Timeline>("/v1/timeline?seconds=1");
  const after = Math.max(0, position - BEFORE);
  return (await get<{ events: LogEvent[] }>(`/v1/events?after=${after}&limit=${BEFORE}`)).events.reverse();
}

export function Log() {
  const { value, problem } = useLive(load, "log", () => false);
  const [wanted, want] = useState("");
  const [held, hold] = useState<LogEvent[] | null>(null);
  const newest = held ?? recent.value;
  const known = new Set(newest.map((e) => e.seq));
  const all = [...newest, ...(value ?? []).filter((e) => !known.has(e.seq))].sort((a, b) => b.seq - a.seq);
  const words = wanted.toLowerCase();
  const shown = all.filter((e) => `${e.kind} ${e.experiment ?? ""} ${e.cluster ?? ""} ${e.message} ${e.by?.name ?? ""}`.toLowerCase().includes(words));
  return (
    <>
      <div class="title">
        <h1>Log</h1>
        <div class="pages">
          <input type="search" aria-label="Only lines with" placeholder="Only lines with" value={wanted} onInput={(e) => want(e.currentTarget.value)} />
          <button type="button" aria-pressed={held !== null} onClick={() => hold(held ? null : recent.value)}>
            {held ? "Go on" : "Hold"}
          </button>
        </div>
      </div>
      {problem && <Missing problem={problem} />}
      <section class="card" aria-label="Events, the newest first">
        <Table label="Events, table" head={<Heads names={["at", "kind", "experiment", "what", "by"]} />}>
          {shown.map((e) => (
            <tr key={e.seq}>
              <td>{clock(e.at)}</td>
              <td>{e.kind}</td>
              <td>{e.experiment_id ? <a href={to("experiment", e.experiment_id)}>{e.experiment}</a> : "–"}</td>
              <td class="wrap">{e.trial ? <a href={to("trial", e.trial)}>{e.message}</a> : e.message}</td>
              <td>{e.by && (e.by.proven ? e.by.name : `${e.by.name} (as they say)`)}</td>
            </tr>
          ))}
        </Table>
        {shown.length === 0 && <p class="summary">Nothing yet.</p>}
      </section>
    </>
  );
}
