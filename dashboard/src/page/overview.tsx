import { useState } from "preact/hooks";
import { get } from "../api/client";
import type { Cluster, Summary, Timeline } from "../api/types";
import { useLive } from "../api/use";
import { Gantt } from "../chart/gantt";
import { clock, count } from "../model/format";
import { ExperimentCard } from "../part/experiment-card";
import { Missing } from "../part/state";
import { to } from "../route";

/** Ended experiments that are shown unasked. */
const ENDED = 6;

async function load() {
  const [{ experiments }, { clusters }, timeline] = await Promise.all([
    get<{ experiments: Summary[] }>("/v1/experiments"),
    get<{ clusters: Cluster[] }>("/v1/clusters"),
    get<Timeline>("/v1/timeline"),
  ]);
  return { experiments, clusters, timeline, ahead: Date.parse(timeline.now) - Date.now() };
}

export function Overview() {
  const { value, problem } = useLive(load, "overview", undefined, 250);
  const [all, setAll] = useState(false);
  const [chosen, choose] = useState<string[]>([]);
  if (!value) {
    return (
      <>
        <h1>Overview</h1>
        <Missing problem={problem} />
      </>
    );
  }
  const { experiments, clusters, timeline, ahead } = value;
  const open = experiments.filter((e) => e.phase !== "ended");
  const ended = experiments.filter((e) => e.phase === "ended");
  const names = new Map(experiments.map((e) => [e.id, e.name]));
  const toggle = (id: string) => choose(chosen.includes(id) ? chosen.filter((c) => c !== id) : [...chosen, id]);
  const card = (e: Summary) => (
    <ExperimentCard key={e.id} experiment={e} spans={timeline.spans} chosen={chosen.includes(e.id)} choose={() => toggle(e.id)} />
  );
  const broken = clusters.filter((c) => c.health !== "healthy");
  // one that no open experiment names, and that did nothing lately, only takes room
  const lively = clusters.filter((c) => c.epoch || open.some((e) => e.clusters.includes(c.name)) || timeline.spans.some((s) => s.cluster === c.name));
  return (
    <>
      <div class="title">
        <h1>Overview</h1>
        {chosen.length > 1 && <a class="button" href={to("compare", chosen.join(","))}>Compare {chosen.length}</a>}
      </div>
      {problem && <Missing problem={problem} />}
      {broken.map((c) => (
        <p key={c.name} class="problem">
          Cluster <strong>{c.name}</strong> is {c.health === "paused" ? "paused" : "being tried out"}: {c.reason}
          {c.until && `; it is tried again at ${clock(c.until)}`}{" "}
          <a href={to("workers")}>See the clusters</a>
        </p>
      ))}
      {lively.length > 0 && <Gantt timeline={timeline} ahead={ahead} clusters={lively} name={(id) => names.get(id) ?? id} />}
      <section aria-labelledby="experiments">
        <h2 id="experiments">Experiments</h2>
        {experiments.length === 0 && (
          <p class="card">
            None yet. <code>autoopt submit examples/quadratic.toml</code> begins one.
          </p>
        )}
        <div class="cards">{open.map(card)}</div>
        {ended.length > 0 && <h3>{count(ended.length, "ended experiment")}</h3>}
        <div class="cards">{(all ? ended : ended.slice(0, ENDED)).map(card)}</div>
        {!all && ended.length > ENDED && (
          <button type="button" onClick={() => setAll(true)}>
            Show all {ended.length}
          </button>
        )}
      </section>
    </>
  );
}
