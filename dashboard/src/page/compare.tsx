import { useEffect, useRef } from "preact/hooks";
import uPlot from "uplot";
import { at, get } from "../api/client";
import { columnsOf } from "../api/columns";
import type { Columns, Detail } from "../api/types";
import { useLive } from "../api/use";
import { change } from "../model/format";
import { baselineBand, bestSoFar, rows } from "../model/trials";
import { Figure } from "../part/figure";
import { Missing } from "../part/state";
import { to } from "../route";

/** Enough to tell apart by dash and colour. */
const INKS = ["--apply", "--bench", "--collect", "--load", "--bad", "--ink"];
const DASHES = [[], [8, 4], [2, 3], [10, 3, 2, 3]];

interface Course {
  id: string;
  name: string;
  /** The gain over its own baseline after each trial, in per cent. */
  gains: (number | null)[];
}

async function load(ids: string[]): Promise<Course[]> {
  return Promise.all(
    ids.map(async (id) => {
      const [detail, columns] = await Promise.all([get<Detail>(at`/v1/experiments/${id}`), get<Columns>(columnsOf(id))]);
      const all = rows(columns);
      const base = baselineBand(all)?.mean;
      const trials = all.filter((row) => row.kind !== "baseline");
      const sign = detail.goal === "maximize" ? 1 : -1;
      const best = bestSoFar(trials, detail.goal);
      const gains = best.map((v) => (v === null || !base ? null : (100 * sign * (v - base)) / Math.abs(base)));
      return { id, name: detail.name, gains };
    }),
  );
}

/** Several experiments, each against its own baseline: clusters differ, ratios can be compared. */
export function Compare({ ids }: { ids: string[] }) {
  const { value, problem } = useLive(() => load(ids), ids.join(","), (e) => ids.includes(e.experiment_id ?? ""), 2_000);
  return (
    <>
      <h1>Compare</h1>
      {problem && <Missing problem={problem} />}
      {!value ? (
        !problem && <Missing />
      ) : (
        <Figure
          title="Best so far against the own baseline"
          summary={value.map((c) => `${c.name}: ${told(c)} after ${c.gains.length} trials`).join("; ")}
          table={() => ({ head: ["experiment", "trials", "gain"], rows: value.map((c) => [c.name, c.gains.length, told(c)]) })}
        >
          <Plot courses={value} />
          <ul class="legend">
            {value.map((c, i) => (
              <li key={c.id}>
                <svg width="26" height="8" aria-hidden="true">
                  <line x1="0" x2="26" y1="4" y2="4" stroke={`var(${INKS[i % INKS.length]})`} stroke-width="2.5" stroke-dasharray={DASHES[i % DASHES.length]!.join(" ")} />
                </svg>
                <a href={to("experiment", c.id)}>{c.name}</a>
              </li>
            ))}
          </ul>
        </Figure>
      )}
    </>
  );
}

function told(course: Course): string {
  const last = course.gains.at(-1);
  return last === null || last === undefined ? "no gain known" : change(last / 100);
}

function Plot({ courses }: { courses: Course[] }) {
  const place = useRef<HTMLDivElement>(null);
  useEffect(() => {
    const div = place.current!;
    const color = (name: string) => getComputedStyle(div).getPropertyValue(name).trim();
    const axis = { stroke: () => color("--soft"), grid: { stroke: () => color("--line"), width: 1 } };
    const longest = Math.max(1, ...courses.map((c) => c.gains.length));
    const plot = new uPlot(
      {
        width: div.clientWidth,
        height: 300,
        legend: { show: false },
        scales: { x: { time: false } },
        axes: [
          { ...axis, label: "trials", labelSize: 22 },
          { ...axis, label: "gain (%)", labelSize: 22, size: 60 },
        ],
        series: [
          {},
          ...courses.map((c, i) => ({
            label: c.name,
            stroke: () => color(INKS[i % INKS.length]!),
            dash: DASHES[i % DASHES.length],
            width: 2,
            paths: uPlot.paths.stepped!({ align: 1 }),
            points: { show: false },
          })),
        ],
      },
      [Array.from({ length: longest }, (_, i) => i + 1), ...courses.map((c) => Array.from({ length: longest }, (_, i) => c.gains[i] ?? null))],
      div,
    );
    const size = new ResizeObserver(() => plot.setSize({ width: div.clientWidth, height: 300 }));
    size.observe(div);
    return () => {
      size.disconnect();
      plot.destroy();
    };
  }, [courses]);
  return <div class="plot" ref={place} aria-hidden="true" />;
}
