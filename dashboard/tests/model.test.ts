import { expect, test } from "vitest";
import type { Parameter, Span } from "../src/api/types";
import { change, duration, number } from "../src/model/format";
import { lanes, left, usual } from "../src/model/gantt";
import { position, valueAt } from "../src/model/parallel";

test("numbers keep their unit and lose only digits that nobody reads", () => {
  expect(number(603242.123456)).toBe("603,242");
  expect(number(-0.0123456789)).toBe("−0.0123457");
  expect(number(0)).toBe("0");
  expect(number(1.5e15)).toBe("1.500e+15");
  expect(change(0.1234)).toBe("+12 %");
  expect(change(-0.0567)).toBe("−5.7 %");
});

test("a period reads the same on both sides of a unit's border", () => {
  expect(duration(999)).toBe("999 ms");
  expect(duration(9_990)).toBe("10.0 s");
  expect(duration(59_400)).toBe("59 s");
  expect(duration(60_000)).toBe("1 min 00 s");
  expect(duration(3_599_900)).toBe("1 h 00 min");
});

function span(stage: Span["stage"], began: number, ended?: number): Span {
  const at = (ms: number) => new Date(ms).toISOString();
  return {
    cluster: "c", experiment_id: "e", trial: "t", number: 1, kind: "proposed", epoch: "p", step: 0, attempt: 1, stage, action: "run",
    state: ended === undefined ? "running" : "done", began: at(began), ended: ended === undefined ? undefined : at(ended),
  };
}

test("what is left follows from what the stage usually takes, by the coordinator's clock", () => {
  const spans = [span("bench", 0, 10_000), span("bench", 20_000, 32_000), span("apply", 33_000, 34_000), span("bench", 40_000)];
  // this machine is 5 s behind the coordinator
  const [lane] = lanes(spans, ["c", "idle"], 38_000, 5_000);
  expect(lane!.now!.from).toBe(35_000);
  expect(left(lane!.now!, usual(spans), 38_000)).toBe(8_000);
  expect(lanes(spans, ["c", "idle"], 38_000, 0)[1]).toEqual({ cluster: "idle", bars: [], now: undefined });
});

test("an axis holds every value of its parameter and gives it back", () => {
  const log: Parameter = { name: "l", type: "int", low: 1, high: 1000, log: true, default: 1 };
  const word: Parameter = { name: "w", type: "categorical", choices: ["a", "b", "c"], default: "a" };
  for (const v of [1, 10, 100, 1000]) expect(valueAt(log, position(log, v)!)).toBe(v);
  for (const v of word.choices!) expect(valueAt(word, position(word, v)!)).toBe(v);
  expect(position(log, -1)).toBe(0);
  expect(position(word, "no such choice")).toBeUndefined();
});
