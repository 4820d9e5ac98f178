import { expect, test } from "vitest";
import type { Outlook, Placements } from "../src/api/types";
import { against, counts } from "../src/model/placement";
import { baselineOf, gainOver, modelGain } from "../src/model/standing";

const outlook = (objective: number, low: number, high: number): Outlook => ({
  results: 9,
  recommended: { trial: "t", number: 3, objective, low, high, probability_best: 0.5 },
});

test("the baseline is all its runs, whatever cluster they are of", () => {
  const runs = { a: { n: 3, mean: 10, low: 9, high: 11 }, b: { n: 1, mean: 20, low: 20, high: 20 } };
  expect(baselineOf({ baseline: { a: 10, b: 20 }, baseline_runs: runs })).toEqual({ n: 4, mean: 12.5, low: 9, high: 20 });
  expect(baselineOf({ baseline: { a: 10 } })).toEqual({ n: 1, mean: 10, low: 10, high: 10 });
  expect(baselineOf({ baseline: {} })).toBeUndefined();
});

test("a gain is positive where it is better, and its interval has the lesser end first", () => {
  expect(modelGain({ goal: "maximize", baseline: { a: 10 }, outlook: outlook(12, 11, 13) })).toEqual({ middle: 0.2, low: 0.1, high: 0.3 });
  const less = modelGain({ goal: "minimize", baseline: { a: 10 }, outlook: outlook(8, 7, 11) })!;
  expect([less.middle, less.low, less.high].map((v) => Number(v.toFixed(6)))).toEqual([0.2, -0.1, 0.3]);
  expect(gainOver(-5, -10, "maximize")).toBe(0.5);
  expect(gainOver(5, 0, "maximize")).toBeUndefined();
  expect(modelGain({ goal: "maximize", baseline: { a: 10 } })).toBeUndefined();
});

test("a placement is compared with the baseline of its own cluster", () => {
  const row = (kind: "baseline" | "proposed", cluster: string, hosts: (string | null)[]) => ({ trial: "t", epoch: `${kind} ${cluster} ${hosts}`, number: 1, kind, cluster, hosts });
  const p: Placements = {
    servers: ["db", "web"],
    rows: [row("baseline", "one", ["h1", "h2"]), row("baseline", "two", ["h2", "h10"]), row("proposed", "two", ["h2", "h1"]), row("proposed", "one", ["h2", null])],
  };
  const all = against(p);
  expect(all.map((r) => r.moved)).toEqual([0, 0, 1, 1]);
  const cells = counts(p, all);
  expect([...cells.keys()]).toEqual(["h1", "h2", "h10"]);
  expect(cells.get("h2")).toEqual([{ n: 2, was: true }, { n: 0, was: true }]);
  expect(cells.get("h1")).toEqual([{ n: 0, was: true }, { n: 1, was: false }]);
});
