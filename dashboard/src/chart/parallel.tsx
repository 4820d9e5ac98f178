import { useEffect, useRef, useState } from "preact/hooks";
import type { Columns, Spec, Summary } from "../api/types";
import { position, type Reach, valueAt, within } from "../model/parallel";
import { counts, type Row } from "../model/trials";
import { count, number, trialName, value } from "../model/format";
import { Figure } from "../part/figure";

const HEIGHT = 260;
const TOP = 36;
const FOOT = 22;
const SIDE = 50;
/** Lines are drawn for so many milliseconds in one go. */
const SLICE = 8;
/** From so many lines on they wait for so many milliseconds. */
const MANY = 2_000;
const PATIENCE = 800;
/** Room for an axis with its name. */
const ROOM = 88;

interface Props {
  columns: Columns;
  rows: Row[];
  spec: Spec;
  goal: Summary["goal"];
  reach: Reach;
  change: (reach: Reach) => void;
  chosen: number;
}

/** A line a trial across all parameters; a reach on an axis filters everything on the page. */
export function Parallel({ columns, rows, spec, goal, reach, change, chosen }: Props) {
  const filtered = Object.keys(reach).length > 0;
  const summary = filtered
    ? `${count(chosen, "trial")} of ${rows.length} within the chosen reaches; the charts and the table show only these.`
    : `${count(rows.length, "trial")}; stronger lines are better ones. Drag along an axis, or type a reach, to filter the page.`;
  const table = () => ({
    head: ["trial", "objective", ...spec.parameters.map((p) => p.name)],
    rows: rows.map((r) => [trialName(r.kind, r.number), r.objective === null ? "–" : number(r.objective), ...spec.parameters.map((p) => value(columns.parameters[p.name]?.[r.index]))]),
  });
  return (
    <Figure title="Parallel coordinates" summary={summary} table={table}>
      <div class="scroll" role="region" aria-label="Parallel coordinates, chart" tabIndex={0}>
        <Lines columns={columns} rows={rows} spec={spec} goal={goal} reach={reach} change={change} />
      </div>
      <details>
        <summary>Filter by typing</summary>
        <div class="fields">
          {spec.parameters.map((p) => {
            const [from, to] = reach[p.name] ?? [0, 1];
            const set = (next: [number, number]) => {
              const { [p.name]: _, ...others } = reach;
              change(next[0] <= 0 && next[1] >= 1 ? others : { ...others, [p.name]: next });
            };
            const slider = (label: string, at: number, put: (v: number) => void) => (
              <label>
                {p.name}, {label} {value(valueAt(p, at))}
                <input type="range" min="0" max="1" step="0.01" value={at} onInput={(e) => put(Number(e.currentTarget.value))} />
              </label>
            );
            return (
              <div key={p.name}>
                {slider("from", from, (v) => set([Math.min(v, to), to]))}
                {slider("to", to, (v) => set([from, Math.max(v, from)]))}
              </div>
            );
          })}
        </div>
      </details>
      {filtered && (
        <p>
          <button type="button" onClick={() => change({})}>
            Show all trials
          </button>
        </p>
      )}
    </Figure>
  );
}

function Lines({ columns, rows, spec, goal, reach, change }: Omit<Props, "chosen">) {
  const box = useRef<HTMLDivElement>(null);
  const canvas = useRef<HTMLCanvasElement>(null);
  const [room, setRoom] = useState(600);
  const [dragged, setDragged] = useState<{ name: string; from: number } | null>(null);
  const width = Math.max(room, SIDE * 2 + ROOM * (spec.parameters.length - 1));
  const x = (i: number) => SIDE + (i * (width - 2 * SIDE)) / Math.max(1, spec.parameters.length - 1);
  const y = (part: number) => TOP + (1 - part) * (HEIGHT - TOP - FOOT);
  useEffect(() => {
    const parent = box.current!.parentElement!;
    const size = new ResizeObserver(() => setRoom(parent.clientWidth));
    size.observe(parent);
    return () => size.disconnect();
  }, []);
  useEffect(() => {
    const node = canvas.current!;
    let frame = 0;
    let timer: ReturnType<typeof setTimeout>;
    const draw = () => {
      cancelAnimationFrame(frame);
      const ratio = devicePixelRatio;
      // a sheet beside the one that is seen: many lines are drawn in many small steps
      const sheet = document.createElement("canvas");
      sheet.width = width * ratio;
      sheet.height = HEIGHT * ratio;
      const ctx = sheet.getContext("2d")!;
      ctx.scale(ratio, ratio);
      const color = (name: string) => getComputedStyle(node).getPropertyValue(name).trim();
      const inks = { off: color("--line"), on: color("--accent"), bad: color("--bad") };
      const filtered = Object.keys(reach).length > 0;
      let [low, high] = [Infinity, -Infinity];
      for (const row of rows) {
        if (!counts(row)) continue;
        low = Math.min(low, row.objective!);
        high = Math.max(high, row.objective!);
      }
      const line = (row: Row) => {
        const inside = !filtered || within(columns, row, reach, spec.parameters);
        const good = counts(row) ? (goal === "maximize" ? row.objective! - low : high - row.objective!) / (high - low || 1) : 0;
        ctx.strokeStyle = !inside ? inks.off : counts(row) ? inks.on : inks.bad;
        ctx.globalAlpha = inside ? 0.08 + 0.72 * good ** 3 : 0.25;
        ctx.lineWidth = inside && good > 0.97 ? 2 : 1;
        ctx.beginPath();
        spec.parameters.forEach((p, i) => {
          const at = position(p, columns.parameters[p.name]?.[row.index]);
          if (at !== undefined) ctx.lineTo(x(i), y(at));
        });
        ctx.stroke();
      };
      let next = 0;
      const step = () => {
        const end = performance.now() + SLICE;
        while (next < rows.length && performance.now() < end) line(rows[next++]!);
        if (next < rows.length) {
          frame = requestAnimationFrame(step);
          return;
        }
        node.width = sheet.width;
        node.height = sheet.height;
        node.getContext("2d")!.drawImage(sheet, 0, 0);
      };
      step();
    };
    // with so many lines, what is quicker is to be seen first
    if (rows.length > MANY) timer = setTimeout(draw, PATIENCE);
    else draw();
    const scheme = matchMedia("(prefers-color-scheme: dark)");
    scheme.addEventListener("change", draw);
    return () => {
      clearTimeout(timer);
      cancelAnimationFrame(frame);
      scheme.removeEventListener("change", draw);
    };
  }, [columns, rows, reach, width]);

  const size = { width: `${width}px`, height: `${HEIGHT}px` };
  const part = (event: PointerEvent) => {
    const top = box.current!.getBoundingClientRect().top;
    return Math.min(1, Math.max(0, 1 - (event.clientY - top - TOP) / (HEIGHT - TOP - FOOT)));
  };
  const begin = (event: PointerEvent, name: string) => {
    (event.currentTarget as Element).setPointerCapture(event.pointerId);
    setDragged({ name, from: part(event) });
  };
  const move = (event: PointerEvent) => {
    if (!dragged) return;
    const to = part(event);
    change({ ...reach, [dragged.name]: [Math.min(dragged.from, to), Math.max(dragged.from, to)] });
  };
  const end = () => {
    if (dragged) {
      // a click without a drag takes the reach away
      const [from, to] = reach[dragged.name] ?? [0, 0];
      if (to - from < 0.01) {
        const { [dragged.name]: _, ...others } = reach;
        change(others);
      }
    }
    setDragged(null);
  };
  return (
    <div class="parallel" ref={box} style={size} aria-hidden="true">
      <canvas ref={canvas} style={size} />
      <svg width={width} height={HEIGHT}>
        {spec.parameters.map((p, i) => {
          const chosen = reach[p.name];
          return (
            <g key={p.name}>
              <text class="name" x={x(i)} y="14" text-anchor="middle">
                {p.name.length > 13 ? `${p.name.slice(0, 12)}…` : p.name}
                <title>{p.name}</title>
              </text>
              <text x={x(i)} y={TOP - 6} text-anchor="middle">
                {value(valueAt(p, 1))}
              </text>
              <line class="rail" x1={x(i)} x2={x(i)} y1={y(1)} y2={y(0)} />
              <text x={x(i)} y={HEIGHT - 6} text-anchor="middle">
                {value(valueAt(p, 0))}
              </text>
              {chosen && <rect class="brush" x={x(i) - 7} width="14" y={y(chosen[1])} height={Math.max(2, y(chosen[0]) - y(chosen[1]))} />}
              <rect class="reach" x={x(i) - 14} width="28" y={TOP} height={HEIGHT - TOP - FOOT} onPointerDown={(e) => begin(e, p.name)} onPointerMove={move} onPointerUp={end} />
            </g>
          );
        })}
      </svg>
    </div>
  );
}
