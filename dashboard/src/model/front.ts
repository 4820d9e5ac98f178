// Several objectives: each trial as a point, and which of them are on the front.

import type { Columns, Objective, Spec, Summary } from "../api/types";
import { counts, type Row } from "./trials";

export interface Point {
  row: Row;
  /** Of each objective, in the order of the experiment's. */
  values: number[];
  /** No other trial is better in everything. */
  onFront: boolean;
}

export const objectives = (spec: Spec): Objective[] => [spec.objective, ...(spec.other_objectives ?? [])];

/** What is measured, with its unit. */
export function named(objective: Objective): string {
  const what = objective.maximize ?? objective.minimize ?? "";
  return objective.unit ? `${what} (${objective.unit})` : what;
}

/** The trials that have all values and count, by the first objective from the least on; of several clusters in the front's terms. */
export function points(rows: Row[], columns: Columns, { front = [], factors = {} }: Pick<Summary, "front" | "factors">): Point[] {
  const best = new Set(front.map((f) => f.trial));
  const others = columns.others ?? [];
  const all: Point[] = [];
  for (const row of rows) {
    if (!counts(row)) continue;
    const factor = factors[columns.cluster[row.index] ?? ""];
    const measured = [row.objective!, ...others.map((list) => list[row.index] ?? Number.NaN)];
    const values = measured.map((value, i) => value * (factor?.[i] ?? 1));
    if (values.every(Number.isFinite)) all.push({ row, values, onFront: best.has(row.id) });
  }
  return all.sort((a, b) => a.values[0]! - b.values[0]!);
}
