import type { Cluster, Timeline } from "../api/types";
import { useNow } from "../api/use";
import { type Bar, type Lane, frame, lanes, left, usual } from "../model/gantt";
import { capital, clock, duration, trialName } from "../model/format";
import { Figure } from "../part/figure";
import { State } from "../part/state";
import { to } from "../route";

const ROW = 34;

interface Props {
  timeline: Timeline;
  /** By how much the coordinator's clock is ahead of this one's. */
  ahead: number;
  clusters: Cluster[];
  name: (experiment: string) => string;
}

/** What each cluster did lately and does now, stage by stage. */
export function Gantt({ timeline, ahead, clusters, name }: Props) {
  const now = useNow();
  const all = lanes(timeline.spans, clusters.map((c) => c.name), now, ahead);
  const times = usual(timeline.spans);
  const { from, to: end } = frame(all.flatMap((lane) => lane.bars), now);
  const x = (at: number) => (100 * (Math.max(at, from) - from)) / (end - from);
  const busy = all.filter((lane) => lane.now).length;
  const waiting = new Map(clusters.map((c) => [c.name, c.waiting]));
  const health = new Map(clusters.map((c) => [c.name, c.health]));
  const says = (lane: Lane) => `${doing(lane, times, now, name)}${queue(waiting.get(lane.cluster) ?? 0)}`;
  const summary = `${busy} of ${all.length} ${all.length === 1 ? "cluster is" : "clusters are"} busy. The last ${duration(now - from)} are shown.`;
  const table = () => ({
    head: ["cluster", "experiment", "trial", "stage", "began", "took", "state"],
    rows: all.flatMap((lane) =>
      lane.bars.toReversed().map(({ span, from, to, open }) => [
        lane.cluster,
        name(span.experiment_id),
        trialName(span.kind, span.number),
        `${span.stage} ${span.action}`,
        clock(from),
        duration(to - from),
        open ? `${span.state} (so far)` : span.reason ? `${span.state}: ${span.reason}` : span.state,
      ]),
    ),
  });
  return (
    <Figure title="Clusters" summary={summary} table={table}>
      <ul class="lanes">
        {all.map((lane) => (
          <li key={lane.cluster}>
            <div class="lane-head">
              <strong>{lane.cluster}</strong>
              {health.get(lane.cluster) !== "healthy" && <State tone="bad">{health.get(lane.cluster) ?? "unknown"}</State>}
              <span class="summary">{says(lane)}</span>
            </div>
            <svg class="lane" width="100%" height={ROW} role="img" aria-label={`${lane.cluster}: ${says(lane)}`}>
              {lane.bars.map((bar) => (
                <BarShape key={`${bar.span.epoch} ${bar.span.step} ${bar.span.attempt}`} bar={bar} x={x} />
              ))}
              <line class="now" x1={`${x(now)}%`} x2={`${x(now)}%`} y1="0" y2={ROW} />
            </svg>
          </li>
        ))}
      </ul>
      <Axis from={from} to={end} now={now} />
      <Legend />
    </Figure>
  );
}

const queue = (waiting: number) => (waiting > 0 ? `; ${waiting} ${waiting === 1 ? "trial waits" : "trials wait"} for it` : "");

function doing(lane: Lane, times: Map<string, number>, now: number, name: (id: string) => string) {
  const bar = lane.now;
  if (!bar) return "idle";
  const rest = left(bar, times, now);
  const eta = rest === undefined ? "" : rest > 0 ? `, about ${duration(Math.max(1_000, rest))} left` : ", longer than usual";
  const { span } = bar;
  const what = { handed: "waits for a worker", waiting: "failed, is tried again" }[span.state as string];
  return `${name(span.experiment_id)}, ${trialName(span.kind, span.number)}: ${span.stage} ${what ?? `for ${duration(now - bar.from)}`}${what ? "" : eta}`;
}

function BarShape({ bar, x }: { bar: Bar; x: (at: number) => number }) {
  const { span } = bar;
  const width = Math.max(0.15, x(bar.to) - x(bar.from));
  const failed = span.state === "failed" || span.state === "superseded";
  const title = `${trialName(span.kind, span.number)}, ${span.stage} ${span.action}: ${span.state}, ${duration(bar.to - bar.from)}${span.reason ? `. ${span.reason}` : ""}`;
  return (
    // the keyboard reaches trials through the table
    <g onClick={() => (location.hash = to("trial", span.trial))}>
      <rect
        class={`bar ${span.stage} ${bar.open ? "open" : ""} ${failed ? "failed" : ""} ${span.state}`}
        x={`${x(bar.from)}%`}
        y="6"
        width={`${width}%`}
        height={ROW - 12}
        rx="2"
      >
        <title>{title}</title>
      </rect>
      {failed && <rect class="cross" x={`${x(bar.from)}%`} y={ROW - 9} width={`${width}%`} height="3" />}
    </g>
  );
}

function Axis({ from, to, now }: { from: number; to: number; now: number }) {
  const middle = from + (now - from) / 2;
  return (
    <p class="axis" aria-hidden="true">
      <span>{clock(from, now)}</span>
      <span>{clock(middle, now)}</span>
      <span>{to > now ? "now" : ""}</span>
    </p>
  );
}

const Legend = () => (
  <ul class="legend" aria-label="Colours">
    {["apply", "load", "bench", "collect"].map((stage) => (
      <li key={stage}>
        <span class={`swatch ${stage}`} aria-hidden="true" />
        {capital(stage)}
      </li>
    ))}
    <li>
      <span class="swatch failed" aria-hidden="true" />
      Failed or given up
    </li>
  </ul>
);
