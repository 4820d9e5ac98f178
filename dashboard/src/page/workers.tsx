import { at, get, post } from "../api/client";
import type { Cluster, DeadLetter, Worker } from "../api/types";
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

async function letters() {
  return (await get<{ letters: DeadLetter[] }>("/v1/dead-letters")).letters;
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
              head={<Heads names={["cluster", "health", "failures in a row", "trials that wait", "reason", "act"]} numbers={["failures in a row", "trials that wait"]} />}
            >
              {value.clusters.map((c) => (
                <tr key={c.name}>
                  <th scope="row">{c.name}</th>
                  <td>
                    <State tone={c.health === "healthy" ? "good" : "bad"}>{c.health}</State>
                  </td>
                  <td class="n">{c.failures}</td>
                  <td class="n">{c.waiting}</td>
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
              head={<Heads names={["worker", "stage", "cluster", "version", "heard", "at", "lease ends in", "steps ended", "clock"]} numbers={["steps ended"]} />}
            >
              {value.workers.map((w) => (
                <tr key={`${w.worker} ${w.stage}`}>
                  <th scope="row">{w.worker}</th>
                  <td>{w.stage}</td>
                  <td>{w.cluster}</td>
                  <td>{w.version ?? "–"}</td>
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
          <DeadLetters />
        </>
      )}
    </>
  );
}

/** Messages nobody could use, and another chance for each. */
function DeadLetters() {
  const { value, problem, again } = useLive(letters, "dead letters", (e) => /^(trial|message)\.(rejected|requeued)$/.test(e.kind), 1_000);
  const requeue = async (letter: DeadLetter) => {
    const sure = `Send this message for ${letter.routing_key} again? If its cause is not gone, it comes back here.`;
    if (await ask(sure, "Send again", () => post(at`/v1/dead-letters/${letter.key}/requeue`))) again();
  };
  return (
    <section class="card">
      <h2>Dead letters</h2>
      {problem && <Missing problem={problem} />}
      <p class="summary">{value ? `${count(value.length, "message")} that nobody could use.` : "Messages that nobody could use."}</p>
      {value && value.length > 0 && (
        <Table label="Dead letters, table" head={<Heads names={["at", "for", "reason", "content", "act"]} />}>
          {value.map((letter) => (
            <tr key={letter.key}>
              <td>{letter.at ? clock(letter.at) : "–"}</td>
              <th scope="row">{letter.routing_key}</th>
              <td class="wrap">{letter.reason}</td>
              <td>
                <details>
                  <summary>{letter.content.slice(0, 24)}…</summary>
                  <pre class="log" tabIndex={0}>
                    {letter.content}
                  </pre>
                </details>
              </td>
              <td>
                <button type="button" onClick={() => requeue(letter)}>
                  Send again
                </button>
              </td>
            </tr>
          ))}
        </Table>
      )}
    </section>
  );
}

async function resume(cluster: string, then: () => void) {
  const sure = `Declare ${cluster} healthy? Epochs begin there again at once.`;
  if (await ask(sure, "Resume", () => post(at`/v1/clusters/${cluster}/resume`))) then();
}
