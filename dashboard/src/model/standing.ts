// How an experiment stands: what the model holds best, beside the baseline.

import type { Spread, Summary } from "../api/types";

/** All runs of the baseline together; clusters count by their runs. */
export function baselineOf(e: Pick<Summary, "baseline" | "baseline_runs">): Spread | undefined {
  const runs = Object.values(e.baseline_runs ?? {});
  const all = runs.length > 0 ? runs : Object.values(e.baseline).map((v) => ({ n: 1, mean: v, low: v, high: v }));
  if (all.length === 0) return undefined;
  const n = all.reduce((sum, s) => sum + s.n, 0);
  return {
    n,
    mean: all.reduce((sum, s) => sum + s.n * s.mean, 0) / n,
    low: Math.min(...all.map((s) => s.low)),
    high: Math.max(...all.map((s) => s.high)),
  };
}

/** A value against another, as a part of it; larger is better whatever the goal. */
export function gainOver(value: number, base: number | undefined, goal: Summary["goal"]): number | undefined {
  if (base === undefined || base === 0) return undefined;
  return ((goal === "maximize" ? 1 : -1) * (value - base)) / Math.abs(base);
}

export interface Interval {
  middle: number;
  low: number;
  high: number;
}

/** The gain of what the model recommends over the baseline's mean, with the ends of its interval, the lesser first. */
export function modelGain(e: Pick<Summary, "outlook" | "goal" | "baseline" | "baseline_runs">): Interval | undefined {
  const best = e.outlook?.recommended;
  const base = baselineOf(e)?.mean;
  if (!best) return undefined;
  const [middle, a, b] = [best.objective, best.low, best.high].map((v) => gainOver(v, base, e.goal));
  if (middle === undefined || a === undefined || b === undefined) return undefined;
  return { middle, low: Math.min(a, b), high: Math.max(a, b) };
}
