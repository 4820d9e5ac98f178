// Where a cluster's stages lie in time, and how long what runs will take.

import type { Span, Stage, TrialKind } from "../api/types";

export const STAGES: Stage[] = ["apply", "load", "bench", "collect"];

export interface Bar {
  span: Span;
  from: number;
  to: number;
  open: boolean;
}

export interface Lane {
  cluster: string;
  bars: Bar[];
  /** What runs now. */
  now?: Bar;
}

/** One lane a cluster; `ahead` is by how much the coordinator's clock is ahead of this one's, `now` by this one's. */
export function lanes(spans: Span[], clusters: string[], now: number, ahead: number): Lane[] {
  const byCluster = new Map<string, Bar[]>(clusters.map((name) => [name, []]));
  for (const span of spans) {
    const from = Date.parse(span.began) - ahead;
    const open = span.ended === undefined;
    const to = span.ended === undefined ? Math.max(now, from) : Date.parse(span.ended) - ahead;
    const bars = byCluster.get(span.cluster) ?? [];
    bars.push({ span, from, to, open });
    byCluster.set(span.cluster, bars);
  }
  return [...byCluster].map(([cluster, bars]) => ({ cluster, bars, now: bars.findLast((bar) => bar.open) }));
}

/** How long each stage usually takes in an experiment: the median of its finished runs. */
export function usual(spans: Span[]): Map<string, number> {
  const times = new Map<string, number[]>();
  for (const span of spans) {
    if (span.state !== "done" || span.ended === undefined) continue;
    const key = stepKey(span);
    const list = times.get(key) ?? [];
    list.push(Date.parse(span.ended) - Date.parse(span.began));
    times.set(key, list);
  }
  return new Map([...times].map(([key, list]) => [key, median(list)]));
}

const stepKey = (span: Span) => `${span.experiment_id} ${span.stage} ${span.action}`;

/** What is left of a bar that is open; nothing where the stage has not been seen to its end. */
export function left(bar: Bar, times: Map<string, number>, now: number): number | undefined {
  const expected = times.get(stepKey(bar.span));
  return expected === undefined ? undefined : Math.max(0, expected - (now - bar.from));
}

/** Whether trials of this kind are the search itself, and count against its budget. */
export const searched = (kind: TrialKind) => kind === "proposed" || kind === "manual";

/** How long one trial usually takes in an experiment, from the whole epochs among the spans. */
export function usualEpoch(spans: Span[], experiment: string): number | undefined {
  const epochs = new Map<string, { from: number; to: number; whole: boolean }>();
  for (const span of spans) {
    if (span.experiment_id !== experiment || !searched(span.kind)) continue;
    const from = Date.parse(span.began);
    const to = span.ended === undefined ? Number.NaN : Date.parse(span.ended);
    const epoch = epochs.get(span.epoch) ?? { from, to, whole: false };
    epoch.from = Math.min(epoch.from, from);
    epoch.to = Math.max(epoch.to, to);
    epoch.whole ||= span.stage === "collect" && span.state === "done";
    epochs.set(span.epoch, epoch);
  }
  const times = [...epochs.values()].filter((e) => e.whole && !Number.isNaN(e.to)).map((e) => e.to - e.from);
  return times.length > 0 ? median(times) : undefined;
}

export function median(values: number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  const middle = sorted.length >> 1;
  return sorted.length % 2 ? sorted[middle]! : (sorted[middle - 1]! + sorted[middle]!) / 2;
}

/** A window that ends a little after now and shows the last trials, not hours of nothing. */
export function frame(bars: Bar[], now: number): { from: number; to: number } {
  const first = bars.length > 0 ? Math.min(...bars.map((bar) => bar.from)) : now - 60_000;
  const width = Math.max(5_000, now - first);
  return { from: now - width, to: now + width * 0.02 };
}
