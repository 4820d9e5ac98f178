import type { Span, Summary } from "../api/types";
import { searched, usualEpoch } from "../model/gantt";
import { change, count, duration, number, withUnit } from "../model/format";
import { to } from "../route";
import { Beside } from "../chart/beside";
import { baselineOf, type Interval, modelGain } from "../model/standing";
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

/** The best beside the baseline: by the model, which sees through noise, once there is one. */
export function Standing({ experiment: e }: { experiment: Summary }) {
  const base = baselineOf(e);
  const beaten = e.best && e.best.number > 0;
  const model = e.outlook?.recommended;
  const gain = modelGain(e);
  return (
    <>
      <dl class="standing">
        {model && (
          <div>
            <dt>Best by model</dt>
            <dd>
              <strong>{withUnit(model.objective, e.unit)}</strong>
              <small>
                {number(model.low)} to {number(model.high)} (90 %), {model.number > 0 ? `trial ${model.number}` : "the baseline"}
              </small>
            </dd>
          </div>
        )}
        <div>
          <dt>Baseline</dt>
          <dd>
            <strong>{base ? withUnit(base.mean, e.unit) : "–"}</strong>
            {base && <small>{base.n > 1 ? `${number(base.low)} to ${number(base.high)}, ${base.n} runs` : "measured once"}</small>}
          </dd>
        </div>
        <div>
          <dt>Gain</dt>
          <dd>
            <Gain experiment={e} gain={gain} beaten={beaten ?? false} />
          </dd>
        </div>
        <div>
          <dt>Best observed</dt>
          <dd>
            <strong class={model ? "lesser" : undefined}>{e.best ? withUnit(e.best.objective, e.unit) : "–"}</strong>
            {e.best && <small>{beaten ? `trial ${e.best.number}` : "the baseline"}</small>}
          </dd>
        </div>
      </dl>
      <Beside experiment={e} />
    </>
  );
}

function Gain({ experiment: e, gain, beaten }: { experiment: Summary; gain?: Interval; beaten: boolean }) {
  if (gain && e.outlook && e.outlook.recommended.number > 0) {
    return (
      <>
        <strong class={gain.low > 0 ? "gain" : undefined}>{change(gain.middle)}</strong>
        <small>{e.confirmation ? e.confirmation.told : `${change(gain.low)} to ${change(gain.high)} by the model, not confirmed`}</small>
      </>
    );
  }
  return (
    <>
      <strong class={e.gain && e.gain > 0 ? "gain" : undefined}>{e.gain === undefined ? "–" : beaten ? change(e.gain) : "none"}</strong>
      {(beaten || e.confirmation) && <small>{e.confirmation ? e.confirmation.told : "of one measurement, not confirmed"}</small>}
    </>
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
