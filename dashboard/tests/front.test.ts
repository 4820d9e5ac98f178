import { expect, test } from "vitest";
import type { Columns, Spec } from "../src/api/types";
import { named, objectives, points } from "../src/model/front";
import type { Row } from "../src/model/trials";

const row = (index: number, objective: number | null, outcome: Row["outcome"] = "measured"): Row => ({
  index, id: `t${index}`, number: index, kind: "proposed", outcome, state: "ended", objective, error: null, ended: 1,
});

test("a trial is a point if it counts and has all values, from the least of the first objective on", () => {
  const rows = [row(0, 5), row(1, 3), row(2, 4, "violated"), row(3, null, "broken"), row(4, 9)];
  const columns = { others: [[50, 30, 40, null, null]], cluster: ["a", "a", "a", "a", "a"] } as unknown as Columns;
  const found = points(rows, columns, { front: [{ trial: "t1", number: 1, values: [3, 30] }] });
  expect(found.map((p) => [p.row.id, p.values, p.onFront])).toEqual([
    ["t1", [3, 30], true],
    ["t0", [5, 50], false],
  ]);
});

test("trials of several clusters are points in the terms of one", () => {
  const columns = { others: [[50, 30, 40]], cluster: ["a", "b", null] } as unknown as Columns;
  const found = points([row(0, 5), row(1, 3), row(2, 4)], columns, { factors: { a: [1, 1], b: [2, 0.5] } });
  expect(found.map((p) => [p.row.id, p.values])).toEqual([
    ["t2", [4, 40]],
    ["t0", [5, 50]],
    ["t1", [6, 15]],
  ]);
});

test("an objective is named with its unit", () => {
  const spec = { objective: { maximize: "rate", unit: "ops/s" }, other_objectives: [{ minimize: "power" }] } as Spec;
  expect(objectives(spec).map(named)).toEqual(["rate (ops/s)", "power"]);
});
