import { at, get, post } from "../api/client";
import type { Cluster, Worker } from "../api/types";
import { useLive, useNow } from "../api/use";
import { clock, count, duration } from "../model/format";
import { ask } from "../part/ask";
import { Missing, State } from "../part/state";
import { Heads, Table } from "../part/table";

async function load() {
  const [{ clusters }, { now, workers }] = await Promise.all([
    get<{ clusters: Cluster[] }>("/v1/clusters"),
    get<{ now: string; workers: Worker[] }>("/v1/workers"),
  ]);
  return { clusters, workers, ahead: Date.parse(now) - Date.now() };
}

/** A clock that is off by more is said to be. */
const SKEW = 2_000;

export function Workers() {
  const { value, problem, again } = useLive(load, "workers", undefined, 1_000);
  const now = useNow();
  return (
    <>
      <h1>Workers and clusters</h1>
      {problem && <Missing problem={problem} />}
      {!value ? (
        <Missing />
      ) : (
        <>
          <section class="card">
            <h2>Clusters</h2>
            <Table
              label="Clusters, table"
              head={<Heads names={["cluster", "health", "failures in a row", "reason", "act"]} numbers={["failures in a row"]} />}
            >
              {value.clusters.map((c) => (
                <tr key={c.name}>
                  <th scope="row">{c.name}</th>
                  <td>
                    <State tone={c.health === "healthy" ? "good" : "bad"}>{c.health}</State>
                  </td>
                  <td class="n">{c.failures}</td>
                  <td class="wrap">
                    {c.reason}
                    {c.until && ` It is tried again at ${clock(c.until)}.`}
                  </td>
                  <td>
                    {c.health === "paused" && (
                      <button type="button" onClick={() => resume(c.name, again)}>
                        Resume {c.name}
                      </button>
                    )}
                  </td>
                </tr>
              ))}
            </Table>
          </section>
          <section class="card">
            <h2>Workers</h2>
            <p class="summary">{count(value.workers.length, "worker")} reported since this coordinator began to lead.</p>
            <Table
              label="Workers, table"
              head={<Heads names={["worker", "stage", "cluster", "heard", "at", "lease ends in", "steps ended", "clock"]} numbers={["steps ended"]} />}
            >
              {value.workers.map((w) => (
                <tr key={`${w.worker} ${w.stage}`}>
                  <th scope="row">{w.worker}</th>
                  <td>{w.stage}</td>
                  <td>{w.cluster}</td>
                  <td>{duration(Math.max(0, now + value.ahead - Date.parse(w.heard)))} ago</td>
                  <td>{w.epoch ? (w.note ?? "a step") : "idle"}</td>
                  <td>{w.lease_until ? duration(Date.parse(w.lease_until) - now - value.ahead) : "–"}</td>
                  <td class="n">{w.ended_steps}</td>
                  <td>
                    {Math.abs(w.clock_ahead_ms) < SKEW
                      ? "in step"
                      : `${duration(Math.abs(w.clock_ahead_ms))} ${w.clock_ahead_ms > 0 ? "ahead" : "behind"}`}
                  </td>
                </tr>
              ))}
            </Table>
          </section>
        </>
      )}
    </>
  );
}

async function resume(cluster: string, then: () => void) {
  const sure = `Declare ${cluster} healthy? Epochs begin there again at once.`;
  if (await ask(sure, "Resume", () => post(at`/v1/clusters/${cluster}/resume`))) then();
}
