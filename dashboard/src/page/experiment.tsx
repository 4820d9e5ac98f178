import type { ComponentChildren } from "preact";
import { useMemo, useRef, useState } from "preact/hooks";
import { at, get, post } from "../api/client";
import { useColumns, useOutline } from "../api/columns";
import type { Detail } from "../api/types";
import { useLive, useSeen } from "../api/use";
import { DriftFigure } from "../chart/drift";
import { FrontFigure } from "../chart/front";
import { History } from "../chart/history";
import { Parallel } from "../chart/parallel";
import { rows } from "../model/trials";
import { type Reach, within } from "../model/parallel";
import { clock } from "../model/format";
import { ask } from "../part/ask";
import { Standing } from "../part/experiment-card";
import { NewTrial } from "../part/new-trial";
import { ModelView, PlacementsView } from "../part/model-view";
import { Missing, PhaseState } from "../part/state";
import { TrialTable } from "../part/trial-table";

export function ExperimentPage({ id }: { id: string }) {
  const detail = useLive(() => get<Detail>(at`/v1/experiments/${id}`), `experiment ${id}`, (e) => e.experiment_id === id, 400);
  const columns = useColumns(detail.value?.id ?? id);
  const outline = useOutline(id);
  const known = columns.value ?? outline.value;
  const [reach, setReach] = useState<Reach>({});
  const all = useMemo(() => (known ? rows(known) : []), [known]);
  const chosen = useMemo(
    () => (columns.value && Object.keys(reach).length > 0 ? all.filter((row) => within(columns.value!, row, reach, detail.value?.spec.parameters ?? [])) : all),
    [all, reach],
  );
  const e = detail.value;
  if (!e) {
    return (
      <>
        <h1>Experiment</h1>
        <Missing problem={detail.problem} />
      </>
    );
  }
  const { spec } = e;
  const objective = spec.objective.maximize ?? spec.objective.minimize ?? "";
  return (
    <>
      <div class="title">
        <h1>{e.name}</h1>
        <Acts experiment={e} again={detail.again} />
      </div>
      {detail.problem && <Missing problem={detail.problem} />}
      <section class="card" aria-label="Standing">
        <p class="summary">
          <PhaseState phase={e.phase} /> since {clock(e.started)}
          {e.ended && `, ended ${clock(e.ended)}`}. {e.goal === "maximize" ? "Larger" : "Smaller"} {objective} is better. Proposals by {spec.algorithm.name}.
        </p>
        {spec.description && <p>{spec.description}</p>}
        {e.reason && <p>{e.reason}</p>}
        <Standing experiment={e} />
      </section>
      {known && (
        <History rows={chosen} reasons={known.reason} goal={e.goal} unit={spec.objective.unit} objective={objective} outlook={e.outlook} />
      )}
      {!columns.value ? (
        <Missing problem={columns.problem} />
      ) : (
        <>
          <FrontFigure experiment={e} columns={columns.value} rows={chosen} />
          <Parallel columns={columns.value} rows={all} spec={spec} goal={e.goal} reach={reach} change={setReach} chosen={chosen.length} />
          <TrialTable columns={columns.value} rows={chosen} spec={spec} best={e.outlook?.recommended.trial ?? e.best?.trial} />
          <DriftFigure experiment={e} />
          <Below>
            <PlacementsView experiment={e} chosen={chosen === all ? undefined : new Set(chosen.map((row) => row.id))} />
            <ModelView experiment={e} />
          </Below>
        </>
      )}
    </>
  );
}

/** What is asked for only when it is about to be seen. */
function Below({ children }: { children: ComponentChildren }) {
  const place = useRef<HTMLDivElement>(null);
  const seen = useSeen(place);
  return (
    <div class="below" ref={place}>
      {seen && children}
    </div>
  );
}

function Acts({ experiment: e, again }: { experiment: Detail; again: () => void }) {
  const act = (verb: string, text: string, danger = false) => (
    <button
      type="button"
      class={danger ? "danger" : undefined}
      onClick={async () => {
        const name = verb.charAt(0).toUpperCase() + verb.slice(1);
        if (await ask(text, name, () => post(at`/v1/experiments/${e.id}/${verb}`))) again();
      }}
    >
      {verb.charAt(0).toUpperCase() + verb.slice(1)}
    </button>
  );
  if (e.phase === "ended") return null;
  const takes = e.phase === "running" || e.phase === "paused";
  return (
    <div class="acts">
      {takes && <NewTrial experiment={e.id} spec={e.spec} from={e.best?.parameters} />}
      {e.phase === "running" && act("pause", `Begin no new epoch of ${e.name}? What runs goes on.`)}
      {e.phase === "paused" && act("resume", `Go on with ${e.name}?`)}
      {takes && act("stop", `Stop ${e.name}? Running trials end, then the clusters are left as the experiment says.`)}
      {act("cancel", `Cancel ${e.name}? Everything that runs is given up at once, then the clusters are left as the experiment says.`, true)}
    </div>
  );
}
