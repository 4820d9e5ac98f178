import { useMemo, useRef, useState } from "preact/hooks";
import uPlot from "uplot";
import type { Columns, Detail, Objective } from "../api/types";
import { count, number, trialName, withUnit } from "../model/format";
import { named, objectives, type Point, points } from "../model/front";
import type { Row } from "../model/trials";
import { Figure } from "../part/figure";
import { axis, Canvas, type Color } from "./canvas";

interface Props {
  experiment: Detail;
  columns: Columns;
  rows: Row[];
}

/** Several objectives: the trials by the first two of them, and those between which a choice is left. */
export function FrontFigure({ experiment: e, columns, rows }: Props) {
  const goals = objectives(e.spec);
  const [over, setOver] = useState<Point | null>(null);
  const all = useMemo(() => points(rows, columns, e), [rows, columns, e.front, e.factors]);
  if (goals.length < 2) return null;
  const clusters = Object.keys(e.factors ?? {});
  const terms = clusters.length > 1 ? clusters[0] : undefined;
  const front = all.filter((p) => p.onFront);
  const told = (p: Point) => goals.map((goal, i) => `${goal.maximize ?? goal.minimize} ${withUnit(p.values[i]!, goal.unit)}`).join(", ");
  const reach = (goal: Objective, i: number) => {
    const values = front.map((p) => p.values[i]!);
    return `${goal.maximize ?? goal.minimize} from ${number(Math.min(...values))} to ${withUnit(Math.max(...values), goal.unit)}`;
  };
  const summary = [
    `${count(front.length, "trial")} of ${all.length} on the front: no other is better in everything.`,
    front.length > 0 ? `On it ${goals.map(reach).join(", ")}.` : "",
    terms !== undefined ? `Values are in the terms of ${terms}: each beside the baseline of its own cluster.` : "",
    goals.length > 2 ? `The chart has the first two of ${goals.length} objectives, so that a trial of the front may look beaten.` : "",
  ].join(" ");
  const table = () => ({
    head: ["trial", "front", ...goals.map((goal) => `${goal.maximize ? "most" : "least"} ${named(goal)}`)],
    // what is worth a look first
    rows: [...front, ...all.filter((p) => !p.onFront)].map((p) => [trialName(p.row.kind, p.row.number), p.onFront ? "yes" : "no", ...p.values.map(number)]),
  });
  return (
    <Figure title="Front" summary={summary} table={table}>
      <Scatter points={all} goals={goals} over={setOver} />
      <p class="readout" aria-hidden="true">
        {over ? `${trialName(over.row.kind, over.row.number)}: ${told(over)}${over.onFront ? ", on the front" : ""}` : "Point at a trial; click to open it."}
      </p>
      <ul class="legend" aria-label="Marks of the front">
        <li>
          <span class="swatch bench" aria-hidden="true" /> Trial
        </li>
        <li>
          <span class="swatch front" aria-hidden="true" /> On the front
        </li>
      </ul>
    </Figure>
  );
}

interface ScatterProps {
  points: Point[];
  goals: Objective[];
  over: (point: Point | null) => void;
}

function Scatter({ points, goals, over }: ScatterProps) {
  const shown = useRef(points);
  shown.current = points;
  const data: uPlot.AlignedData = useMemo(
    () => [points.map((p) => p.values[0]!), points.map((p) => p.values[1]!), points.map((p) => (p.onFront ? p.values[1]! : null))],
    [points],
  );
  const make = (color: Color) => ({
    // the nearest in both directions is looked for below
    cursor: { drag: { x: true, y: true }, points: { show: false } },
    scales: { x: { time: false, range: roomy }, y: { range: roomy } },
    axes: [
      { ...axis(color), label: named(goals[0]!), values: numbers },
      { ...axis(color), label: named(goals[1]!), size: 74, values: numbers },
    ],
    series: [
      {},
      { stroke: () => color("--bench"), paths: () => null, points: { show: true, size: 5, fill: () => color("--bench") } },
      {
        stroke: () => color("--accent"),
        width: 2,
        spanGaps: true,
        // what the front attains: a trial is at least as good as all that is worse in the first objective
        paths: uPlot.paths.stepped!({ align: goals[0]!.maximize ? -1 : 1 }),
        points: { show: true, size: 9, width: 2, fill: () => color("--card") },
      },
    ],
    hooks: { setCursor: [(u: uPlot) => over(nearest(u, shown.current))] },
  });
  return <Canvas make={make} data={data} opened={(u) => nearest(u, shown.current)?.row.id} />;
}

const numbers = (_: uPlot, values: number[]) => values.map(number);

/** Points farther from the cursor than this are not meant, in CSS pixels. */
const NEAR = 24;

function nearest(u: uPlot, points: Point[]): Point | null {
  const { left, top } = u.cursor;
  if (left === undefined || top === undefined || left < 0) return null;
  let [found, least]: [Point | null, number] = [null, NEAR];
  for (const point of points) {
    const away = Math.hypot(u.valToPos(point.values[0]!, "x") - left, u.valToPos(point.values[1]!, "y") - top);
    if (away < least) [found, least] = [point, away];
  }
  return found;
}

/** Marks at the ends are not cut off. */
function roomy(_: uPlot, low: number | null, high: number | null): [number, number] {
  if (low === null || high === null) return [0, 1];
  const room = (high - low || Math.abs(high) || 1) * 0.05;
  return [low - room, high + room];
}
