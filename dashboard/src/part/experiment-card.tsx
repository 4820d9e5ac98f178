import type { Span, Summary } from "../api/types";
import { searched, usualEpoch } from "../model/gantt";
import { change, count, duration, number, withUnit } from "../model/format";
import { to } from "../route";
import { PhaseState } from "./state";

interface Props {
  experiment: Summary;
  spans: Span[];
  chosen: boolean;
  choose: () => void;
}

/** One experiment in short: how far, how good, what went wrong. */
export function ExperimentCard({ experiment: e, spans, chosen, choose }: Props) {
  return (
    <article class="card">
      <div class="card-head">
        <h3>
          <a href={to("experiment", e.id)}>{e.name}</a>
        </h3>
        <PhaseState phase={e.phase} />
      </div>
      <Standing experiment={e} />
      <Progress experiment={e} spans={spans} />
      <Failures outcomes={e.outcomes} />
      {e.reason && <p class="summary">{e.reason}</p>}
      <label class="check">
        <input type="checkbox" checked={chosen} onChange={choose} /> Compare
      </label>
    </article>
  );
}

/** The best beside the baseline. One measurement of each is called that. */
export function Standing({ experiment: e }: { experiment: Summary }) {
  const baseline = Object.values(e.baseline);
  const mean = baseline.reduce((sum, v) => sum + v, 0) / baseline.length;
  const beaten = e.best && e.best.number > 0;
  return (
    <dl class="standing">
      <div>
        <dt>Best observed</dt>
        <dd>
          <strong>{e.best ? withUnit(e.best.objective, e.unit) : "–"}</strong>
          {e.best && <small>{beaten ? `trial ${e.best.number}` : "the baseline"}</small>}
        </dd>
      </div>
      <div>
        <dt>Baseline</dt>
        <dd>
          <strong>{baseline.length > 0 ? withUnit(mean, e.unit) : "–"}</strong>
          {Math.min(...baseline) < Math.max(...baseline) && <small>{number(Math.min(...baseline))} to {number(Math.max(...baseline))}</small>}
        </dd>
      </div>
      <div>
        <dt>Gain</dt>
        <dd>
          <strong class={e.gain && e.gain > 0 ? "gain" : ""}>{e.gain === undefined ? "–" : beaten ? change(e.gain) : "none"}</strong>
          {beaten && <small>{e.confirmation ? e.confirmation.told : "not confirmed"}</small>}
        </dd>
      </div>
    </dl>
  );
}

function Progress({ experiment: e, spans }: { experiment: Summary; spans: Span[] }) {
  const done = Object.values(e.outcomes).reduce((sum, n) => sum + n, 0);
  const epochs = new Set(spans.filter((s) => s.experiment_id === e.id && s.ended === undefined && searched(s.kind)).map((s) => s.trial));
  const running = epochs.size;
  const waiting = Math.max(0, e.accepted - done - running);
  const each = usualEpoch(spans, e.id);
  const left = Math.max(0, e.budget.trials - done);
  const eta = e.phase === "running" && each !== undefined && left > 0 ? (left * each) / Math.max(1, e.clusters.length) : undefined;
  return (
    <>
      <progress max={e.budget.trials} value={Math.min(done, e.budget.trials)} aria-label={`${e.name}: trials that ended`} />
      <p class="summary">
        {number(done)} of {count(e.budget.trials, "trial")}
        {e.phase !== "ended" && `, ${running} running, ${waiting} waiting`}
        {eta !== undefined && `, about ${duration(eta)} left`}
      </p>
    </>
  );
}

function Failures({ outcomes }: { outcomes: Summary["outcomes"] }) {
  const failed = Object.entries(outcomes).filter(([outcome, n]) => outcome !== "measured" && n > 0);
  if (failed.length === 0) return null;
  return (
    <p class="failures">
      Failed: {failed.map(([outcome, n]) => `${n} ${outcome}`).join(", ")}
    </p>
  );
}
