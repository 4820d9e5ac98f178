import type { Detail, Drift, Run } from "../api/types";
import { change, clock, count, duration, number, withUnit } from "../model/format";
import { Figure } from "../part/figure";

const HEIGHT = 90;

/** The runs of the baseline over time, and whether they have a trend: whether the system moved while it was measured. */
export function DriftFigure({ experiment: e }: { experiment: Detail }) {
  const sites = Object.entries(e.sites).filter(([, site]) => site.baseline_runs.length > 0);
  if (sites.length === 0) return null;
  const unit = e.spec.objective.unit;
  const all = sites.flatMap(([, site]) => site.baseline_runs);
  const [low, high] = [Math.min(...all.map((r) => r.objective)), Math.max(...all.map((r) => r.objective))];
  const times = all.map((r) => Date.parse(r.at));
  const [from, to] = [Math.min(...times), Math.max(...times)];
  const summary = sites.map(([cluster, site]) => `${cluster}: ${verdict(site.drift, site.baseline_runs)}`).join(" ");
  const table = () => ({
    head: ["cluster", "at", `objective${unit ? ` (${unit})` : ""}`],
    rows: sites.flatMap(([cluster, site]) => site.baseline_runs.map((r) => [cluster, clock(r.at), number(r.objective)])),
  });
  return (
    <Figure title="Drift of the baseline" summary={summary} table={table}>
      <ul class="lanes">
        {sites.map(([cluster, site]) => (
          <li key={cluster}>
            <div class="lane-head">
              <strong>{cluster}</strong>
              <span class="summary">{count(site.baseline_runs.length, "run")} of the baseline</span>
            </div>
            <Runs runs={site.baseline_runs} found={site.drift?.found ?? false} {...{ low, high, from, to, cluster, unit }} />
          </li>
        ))}
      </ul>
      <p class="axis" aria-hidden="true">
        <span>{clock(from)}</span>
        <span>
          {number(low)} to {withUnit(high, unit)}
        </span>
        <span>{clock(to)}</span>
      </p>
    </Figure>
  );
}

function verdict(drift: Drift | undefined, runs: Run[]): string {
  if (!drift) return `${count(runs.length, "run")} of the baseline, too few to test for a trend.`;
  const told = drift.scale === "ratio" ? change : (v: number) => number(v);
  const within = `within ${duration(drift.hours * 3_600_000)}, ${drift.runs} runs, p = ${drift.p.toPrecision(2)}`;
  const moved = `${told(drift.change)} (${told(drift.low)} to ${told(drift.high)}) ${within}`;
  return drift.found ? `it drifts, ${moved}.` : `no trend is shown: ${moved}.`;
}

interface RunsProps {
  runs: Run[];
  found: boolean;
  low: number;
  high: number;
  from: number;
  to: number;
  cluster: string;
  unit?: string;
}

function Runs({ runs, found, low, high, from, to, cluster, unit }: RunsProps) {
  const x = (r: Run) => `${4 + (92 * (Date.parse(r.at) - from)) / (to - from || 1)}%`;
  const y = (v: number) => 10 + ((HEIGHT - 20) * (high - v)) / (high - low || 1);
  const mean = runs.reduce((sum, r) => sum + r.objective, 0) / runs.length;
  return (
    <svg class={found ? "lane runs found" : "lane runs"} width="100%" height={HEIGHT} role="img" aria-label={`${cluster}: runs of the baseline over time`}>
      <line class="base" x1="0" x2="100%" y1={y(mean)} y2={y(mean)} />
      {runs.map((r, i) => (
        <circle key={i} class="model" cx={x(r)} cy={y(r.objective)} r="4">
          <title>{`${clock(r.at)}: ${withUnit(r.objective, unit)}`}</title>
        </circle>
      ))}
    </svg>
  );
}
