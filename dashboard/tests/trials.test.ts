import { expect, test } from "vitest";
import type { Columns } from "../src/api/types";
import { baselineBand, bestSoFar, merge, rows } from "../src/model/trials";

function columns(entries: [id: string, number: number, objective: number | null, outcome: Columns["outcome"][number]][]): Columns {
  const all = <T>(of: (e: (typeof entries)[number]) => T) => entries.map(of);
  return {
    position: 1, total: entries.length, trial: all((e) => e[0]), number: all((e) => e[1]),
    kind: all((e) => (e[1] === 0 ? "baseline" : "proposed")), state: all((e) => (e[3] ? "ended" : "running")), outcome: all((e) => e[3]),
    cluster: all(() => null), ended: all((e) => (e[3] ? 1 : null)),
    objective: all((e) => e[2]), error: all(() => null), reason: {}, note: {},
    parameters: { x: all((e) => e[1]) },
  };
}

test("what changed replaces what was known, and what is new comes after it", () => {
  const base = columns([["a", 0, 5, "measured"], ["b", 1, null, null]]);
  base.reason[0] = "old";
  const change = { ...columns([["b", 1, 7, "measured"], ["c", 2, null, "broken"]]), position: 9, reason: { 1: "no host" } };
  const merged = merge(base, change);
  expect(merged.trial).toEqual(["a", "b", "c"]);
  expect(merged.objective).toEqual([5, 7, null]);
  expect(merged.parameters.x).toEqual([0, 1, 2]);
  expect(merged.reason).toEqual({ 0: "old", 2: "no host" });
  expect(merged.position).toBe(9);
  // the same change again changes nothing, and the base was left alone
  expect(merge(merged, change)).toEqual(merged);
  expect(base.objective).toEqual([5, null]);
});

test("a failed trial, or one that crossed a guardrail, is never the best", () => {
  const list = rows(columns([["a", 0, 5, "measured"], ["b", 1, 9, "violated"], ["c", 2, 4, "measured"], ["d", 3, 6, "measured"]]));
  expect(bestSoFar(list, "maximize")).toEqual([5, 5, 5, 6]);
  expect(bestSoFar(list, "minimize")).toEqual([5, 5, 4, 4]);
});

test("one baseline has no width, several reach from the least to the greatest", () => {
  expect(baselineBand(rows(columns([["b", 1, 9, "measured"]])))).toBeUndefined();
  expect(baselineBand(rows(columns([["a", 0, 5, "measured"]])))).toEqual({ mean: 5, low: 5, high: 5, n: 1 });
  expect(baselineBand(rows(columns([["a", 0, 4, "measured"], ["b", 0, 8, "measured"]])))).toEqual({ mean: 6, low: 4, high: 8, n: 2 });
});
