import { useState } from "preact/hooks";
import { at, get, post, request } from "../api/client";
import type { AttemptView, Detail, EpochDetail, TrialDetail } from "../api/types";
import { useLive } from "../api/use";
import { bytes, capital, clock, duration, trialName, value as shown, withUnit } from "../model/format";
import { ask } from "../part/ask";
import { Placement } from "../part/placement";
import { Missing, OutcomeState } from "../part/state";
import { to } from "../route";
import { Heads, Table } from "../part/table";

async function load(id: string) {
  const trial = await get<TrialDetail>(at`/v1/trials/${id}`);
  const { spec, phase } = await get<Detail>(at`/v1/experiments/${trial.experiment_id}`);
  return { trial, spec, phase };
}

export function TrialPage({ id }: { id: string }) {
  const { value, problem, again } = useLive(() => load(id), id, (event) => event.trial === id, 250);
  if (!value) {
    return (
      <>
        <h1>Trial</h1>
        <Missing problem={problem} />
      </>
    );
  }
  const { trial, spec, phase } = value;
  const cancel = async () => {
    const sure = "Give this trial up? What runs is cleaned up, and nothing is learned from it.";
    if (await ask(sure, "Give up", () => post(at`/v1/trials/${id}/cancel`))) again();
  };
  const repeat = async () => {
    const name = trialName(trial.kind, trial.number);
    const sure = `Measure the values of ${name} once more, as a new trial? It counts against the budget.`;
    const body = { parameters: trial.parameters, note: `${name} again` };
    if (await ask(sure, "Run again", () => post(at`/v1/experiments/${trial.experiment_id}/trials`, body))) again();
  };
  return (
    <>
      <div class="title">
        <h1>
          <a href={to("experiment", trial.experiment_id)}>{trial.experiment}</a>, {trialName(trial.kind, trial.number)}
        </h1>
        <div class="acts">
          <OutcomeState outcome={trial.outcome} state={trial.state} />
          {trial.state === "ended" && trial.kind !== "closing" && (phase === "running" || phase === "paused") && (
            <button type="button" onClick={repeat}>
              Run again
            </button>
          )}
          {trial.state !== "ended" && trial.kind !== "closing" && (
            <button type="button" class="danger" onClick={cancel}>
              Give up
            </button>
          )}
        </div>
      </div>
      {problem && <Missing problem={problem} />}
      {trial.reason && <p class="problem">{trial.reason}</p>}
      {trial.note && <p>Note: {trial.note}</p>}
      <div class="two">
        <section class="card">
          <h2>Parameters</h2>
          <Pairs
            rows={spec.parameters.map((p) => [p.name, `${shown(trial.parameters[p.name])}${p.unit ? ` ${p.unit}` : ""}`])}
            head={["parameter", "value"]}
          />
        </section>
        <section class="card">
          <h2>Result</h2>
          <Pairs
            head={["metric", "value"]}
            rows={[
              ["objective", trial.objective === undefined ? "–" : withUnit(trial.objective, spec.objective.unit)],
              ...spec.metrics
                .filter((m) => trial.metrics?.[m.name] !== undefined)
                .map((m): [string, string] => [m.name, withUnit(trial.metrics![m.name]!, m.unit)]),
              ["measured epochs", String(trial.repeats)],
              ["submitted", clock(trial.submitted)],
              ["ended", trial.ended ? clock(trial.ended) : "–"],
            ]}
          />
        </section>
      </div>
      {trial.epochs.map((epoch) => (
        <Epoch key={epoch.id} epoch={epoch} />
      ))}
      {trial.epochs.length === 0 && <p class="card">It waits for a free cluster.</p>}
    </>
  );
}

function Pairs({ head, rows }: { head: [string, string]; rows: [string, string][] }) {
  return (
    <Table label={`${head[0]}, table`} head={<Heads names={head} numbers={[head[1]]} />}>
      {rows.map(([name, text]) => (
        <tr key={name}>
          <th scope="row">{name}</th>
          <td class="n">{text}</td>
        </tr>
      ))}
    </Table>
  );
}

function Epoch({ epoch }: { epoch: EpochDetail }) {
  const now =
    epoch.stage && `${epoch.stage} ${epoch.action}, attempt ${epoch.attempt}: ${epoch.state.replace("_", " ")}${epoch.worker ? ` with ${epoch.worker}` : ""}.`;
  return (
    <section class="card">
      <h2>
        On {epoch.cluster}, from {clock(epoch.started)}
      </h2>
      {epoch.reason && <p class="problem">{epoch.reason}</p>}
      {epoch.measurement?.violations?.map((v) => (
        <p key={v.constraint} class="problem">
          {v.constraint} does not hold, by {shown(v.by)}.
        </p>
      ))}
      {now && <p>{capital(now)}</p>}
      <Table
        label={`Attempts of the epoch from ${clock(epoch.started)}`}
        caption="Every attempt at every step"
        head={<Heads names={["step", "attempt", "ended", "took", "came to", "worker", "raw output"]} numbers={["took"]} />}
      >
        {epoch.attempts.map((a) => (
          <Attempt key={`${a.step} ${a.attempt}`} epoch={epoch.id} attempt={a} />
        ))}
      </Table>
      <Placement hosts={placement(epoch)} />
    </section>
  );
}

/** Where its servers landed, if the bench stage said so. */
function placement(epoch: EpochDetail | undefined): Record<string, string> {
  const told = epoch?.outputs?.bench?.placement;
  if (typeof told !== "object" || told === null) return {};
  return Object.fromEntries(Object.entries(told).filter(([, host]) => typeof host === "string"));
}

function Attempt({ epoch, attempt: a }: { epoch: string; attempt: AttemptView }) {
  const took = a.started && Date.parse(a.ended) >= Date.parse(a.started) ? duration(Date.parse(a.ended) - Date.parse(a.started)) : "–";
  return (
    <tr>
      <th scope="row">
        {a.stage} {a.action}
      </th>
      <td>{a.attempt}</td>
      <td>{clock(a.ended)}</td>
      <td class="n">{took}</td>
      <td class="wrap">
        {a.ending}
        {a.kind && `, ${a.kind}`}
        {a.reason && `: ${a.reason}`}
      </td>
      <td>{a.worker ?? "–"}</td>
      <td>
        {a.artifacts.map((artifact) => (
          <Artifact key={artifact.name} path={at`/v1/epochs/${epoch}/artifacts/${a.step}/${a.attempt}/${artifact.name}`} {...artifact} />
        ))}
      </td>
    </tr>
  );
}

/** The last of an output, in characters. */
const TAIL = 20_000;

function Artifact({ path, name, bytes: size, truncated }: { path: string; name: string; bytes: number; truncated: boolean }) {
  const [text, set] = useState<string | null>(null);
  const open = async () => {
    const whole = await request(path)
      .then((response) => response.text())
      .catch((error: Error) => error.message);
    set(whole.length > TAIL ? `… (the last ${TAIL} characters)\n${whole.slice(-TAIL)}` : whole);
  };
  return (
    <details onToggle={(event) => event.currentTarget.open && text === null && open()}>
      <summary>
        {name} ({bytes(size)}
        {truncated && ", cut"})
      </summary>
      <pre class="log" tabIndex={0}>
        {text ?? "Loading …"}
      </pre>
    </details>
  );
}
