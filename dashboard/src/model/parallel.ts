// Parallel coordinates: where a value lies on its axis, and which trials are within the reaches that a person chose.

import type { Columns, Parameter, Value } from "../api/types";
import type { Row } from "./trials";

/** The part of an axis that is wanted, from 0 (its foot) to 1, by parameter. */
export type Reach = Record<string, [number, number]>;

/** Where a value lies between 0 and 1; special values outside the bounds lie at the nearer end. */
export function position(p: Parameter, v: Value | null | undefined): number | undefined {
  if (v === null || v === undefined) return undefined;
  if (p.type === "bool") return v === true ? 1 : 0;
  if (p.type === "categorical") {
    const choices = p.choices ?? [];
    const index = choices.indexOf(String(v));
    return index < 0 ? undefined : choices.length < 2 ? 0.5 : index / (choices.length - 1);
  }
  const { low = 0, high = 1 } = p;
  const x = Number(v);
  const part = p.log && low > 0 && x > 0 ? Math.log(x / low) / Math.log(high / low) : (x - low) / (high - low);
  return Number.isNaN(part) ? undefined : Math.min(1, Math.max(0, part));
}

/** What stands at a part of an axis, for its labels. */
export function valueAt(p: Parameter, part: number): Value {
  if (p.type === "bool") return part >= 0.5;
  if (p.type === "categorical") {
    const choices = p.choices ?? [];
    return choices[Math.round(part * (choices.length - 1))] ?? "";
  }
  const { low = 0, high = 1 } = p;
  const x = p.log && low > 0 ? low * (high / low) ** part : low + part * (high - low);
  return p.type === "int" ? Math.round(x) : x;
}

/** Half the width of a mark: a value on the rim of a reach is within it. */
const RIM = 0.005;

export function within(columns: Columns, row: Row, reach: Reach, parameters: Parameter[]): boolean {
  return Object.entries(reach).every(([name, [from, to]]) => {
    const p = parameters.find((one) => one.name === name);
    const at = p && position(p, columns.parameters[name]?.[row.index]);
    return at !== undefined && at >= from - RIM && at <= to + RIM;
  });
}
