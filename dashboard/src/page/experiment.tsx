import { useMemo, useState } from "preact/hooks";
import { at, get, post } from "../api/client";
import { useColumns } from "../api/columns";
import type { Detail, TrialDetail } from "../api/types";
import { useLive } from "../api/use";
import { History } from "../chart/history";
import { Parallel } from "../chart/parallel";
import { rows } from "../model/trials";
import { type Reach, within } from "../model/parallel";
import { clock } from "../model/format";
import { ask } from "../part/ask";
import { Standing } from "../part/experiment-card";
import { NewTrial } from "../part/new-trial";
import { Placement } from "../part/placement";
import { Missing, PhaseState } from "../part/state";
import { TrialTable } from "../part/trial-table";
import { placement } from "./trial";

export function ExperimentPage({ id }: { id: string }) {
  const detail = useLive(() => get<Detail>(at`/v1/experiments/${id}`), `experiment ${id}`, (e) => e.experiment_id === id, 400);
  const columns = useColumns(detail.value?.id ?? id);
  const [reach, setReach] = useState<Reach>({});
  const all = useMemo(() => (columns.value ? rows(columns.value) : []), [columns.value]);
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
        <Standing experiment={{ ...e, unit: spec.objective.unit }} />
      </section>
      {!columns.value ? (
        <Missing problem={columns.problem} />
      ) : (
        <>
          <History rows={chosen} reasons={columns.value.reason} goal={e.goal} unit={spec.objective.unit} objective={objective} />
          <Parallel columns={columns.value} rows={all} spec={spec} goal={e.goal} reach={reach} change={setReach} chosen={chosen.length} />
          <Moved experiment={e} baseline={all.find((row) => row.kind === "baseline" && row.outcome === "measured")?.id} />
          <TrialTable columns={columns.value} rows={chosen} spec={spec} best={e.best?.trial} />
        </>
      )}
    </>
  );
}

/** Where the servers of the best trial landed, against the baseline. */
function Moved({ experiment: e, baseline }: { experiment: Detail; baseline?: string }) {
  const best = e.best && e.best.number > 0 ? e.best.trial : undefined;
  const { value } = useLive(
    async () => {
      const of = async (id?: string) => {
        if (!id) return {};
        const trial = await get<TrialDetail>(at`/v1/trials/${id}`);
        return placement(trial.epochs.findLast((epoch) => epoch.measurement));
      };
      return { before: await of(baseline), now: await of(best) };
    },
    `placement ${baseline} ${best}`,
    () => false,
  );
  if (!value || Object.keys(value.now).length === 0) return null;
  return (
    <div class="card">
      <Placement hosts={value.now} before={value.before} title={`Placement of the best trial, ${e.best?.number}`} />
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
