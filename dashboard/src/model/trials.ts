// The trials of an experiment, by column, kept up to date by what changed.

import type { Columns, Outcome, TrialKind, Value } from "../api/types";

/** Columns that hold one entry a trial. */
const LISTS = ["trial", "number", "kind", "state", "outcome", "cluster", "ended", "objective", "error"] as const;

/** `base` with the trials of `change` put in their places: known ones are replaced, new ones come last. */
export function merge(base: Columns, change: Columns): Columns {
  const place = new Map(base.trial.map((id, i) => [id, i]));
  const merged: Columns = { ...base, position: change.position, total: change.total };
  const lists = merged as unknown as Record<string, unknown[]>;
  for (const name of LISTS) lists[name] = [...(base[name] as unknown[])];
  merged.reason = { ...base.reason };
  merged.note = { ...base.note };
  merged.parameters = copies(base.parameters);
  merged.others = base.others?.map((list) => [...list]);
  change.trial.forEach((id, from) => {
    const to = place.get(id) ?? merged.trial.length;
    for (const name of LISTS) lists[name]![to] = (change[name] as unknown[])[from];
    put(merged.reason, to, change.reason[from]);
    put(merged.note, to, change.note[from]);
    merged.others?.forEach((list, i) => (list[to] = change.others?.[i]?.[from] ?? null));
    for (const name in merged.parameters) merged.parameters[name]![to] = change.parameters[name]?.[from] ?? null;
  });
  return merged;
}

function copies<T>(columns: Record<string, T[]>): Record<string, T[]> {
  return Object.fromEntries(Object.entries(columns).map(([name, list]) => [name, [...list]]));
}

function put(sparse: Record<number, string>, at: number, text: string | undefined): void {
  if (text === undefined) delete sparse[at];
  else sparse[at] = text;
}

/** A trial for the charts and the table. */
export interface Row {
  index: number;
  /** Empty in an outline. */
  id: string;
  number: number;
  kind: TrialKind;
  outcome: Outcome | null;
  state: Columns["state"][number];
  objective: number | null;
  error: number | null;
  ended: number | null;
}

/** Rows that were, or will be, evaluated, by number; of a re-measured baseline each is a row. Confirmation is not part of the search. */
export function rows(columns: Columns): Row[] {
  const all: Row[] = [];
  for (let index = 0; index < columns.number.length; index++) {
    if (columns.kind[index] === "closing" || columns.kind[index] === "recommended") continue;
    all.push({
      index,
      id: columns.trial[index] ?? "",
      number: columns.number[index]!,
      kind: columns.kind[index]!,
      outcome: columns.outcome[index]!,
      state: columns.state[index]!,
      objective: columns.objective[index]!,
      error: columns.error[index]!,
      ended: columns.ended[index] ?? null,
    });
  }
  return all.sort((a, b) => a.number - b.number || (a.ended ?? Infinity) - (b.ended ?? Infinity));
}

/** Whether it has a value that counts: measured, and no guardrail crossed. */
export const counts = (row: Row) => row.outcome === "measured" && row.objective !== null;

/** The best objective so far after each row; `null` before the first that counts. */
export function bestSoFar(list: Row[], goal: "maximize" | "minimize"): (number | null)[] {
  let best: number | null = null;
  return list.map((row) => {
    if (counts(row)) {
      const value = row.objective!;
      if (best === null || (goal === "maximize" ? value > best : value < best)) best = value;
    }
    return best;
  });
}

export interface Band {
  mean: number;
  low: number;
  high: number;
  n: number;
}

/**
 * Where the baseline lies: the mean of its measurements, and as far as they reach. One measurement has no width; nothing is
 * made up for it.
 */
export function baselineBand(list: Row[]): Band | undefined {
  const values = list.filter((row) => row.kind === "baseline" && row.objective !== null).map((row) => row.objective!);
  if (values.length === 0) return undefined;
  const mean = values.reduce((sum, v) => sum + v, 0) / values.length;
  return { mean, low: Math.min(...values), high: Math.max(...values), n: values.length };
}

/** How a value compares, for sorting: numbers by size, then words, then nothing. */
export function compare(a: Value | null | undefined, b: Value | null | undefined): number {
  if (a === null || a === undefined) return b === null || b === undefined ? 0 : 1;
  if (b === null || b === undefined) return -1;
  if (typeof a === "string" || typeof b === "string") return String(a).localeCompare(String(b));
  return Number(a) - Number(b);
}
