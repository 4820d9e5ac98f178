import { useMemo, useRef, useState } from "preact/hooks";
import uPlot from "uplot";
import type { Outlook, Summary } from "../api/types";
import { baselineBand, bestSoFar, counts, type Row } from "../model/trials";
import { change, count, number, trialName, withUnit } from "../model/format";
import { Figure } from "../part/figure";
import { axis, Canvas, type Color } from "./canvas";

interface Props {
  rows: Row[];
  reasons: Record<number, string>;
  goal: Summary["goal"];
  unit?: string;
  objective: string;
  outlook?: Outlook;
}

/** Every trial's value, the best so far, the baseline as a band, and failures at the foot. */
export function History({ rows, reasons, goal, unit, objective, outlook }: Props) {
  const band = baselineBand(rows);
  const best = bestSoFar(rows, goal);
  const [over, setOver] = useState<number | null>(null);
  const measured = rows.filter(counts).length;
  const failed = rows.filter((row) => row.outcome !== null && row.outcome !== "measured").length;
  const last = best.at(-1) ?? null;
  const gain = band && last !== null && band.mean !== 0 ? ((goal === "maximize" ? 1 : -1) * (last - band.mean)) / Math.abs(band.mean) : undefined;
  const summary = [
    `${count(measured, "measured value")}, ${count(failed, "failure")}.`,
    last === null ? "" : `Best observed ${withUnit(last, unit)}${gain === undefined ? "" : ` (${change(gain)} against the baseline)`}.`,
    outlook
      ? `Best by model: ${trialName("proposed", outlook.recommended.number)}, ${withUnit(outlook.recommended.objective, unit)} (${number(outlook.recommended.low)} to ${number(outlook.recommended.high)}, 90 %).`
      : "",
    band ? `Baseline ${withUnit(band.mean, unit)}${band.n > 1 ? `, ${number(band.low)} to ${number(band.high)} in ${band.n} measurements` : ", measured once"}.` : "",
  ].join(" ");
  const model = outlook?.recommended;
  const row = over === null ? undefined : rows[over];
  const table = () => ({
    head: ["trial", `objective${unit ? ` (${unit})` : ""}`, "standard error", "outcome", "best so far"],
    rows: rows.map((r, i) => [
      trialName(r.kind, r.number),
      r.objective === null ? "–" : number(r.objective),
      r.error === null ? "–" : number(r.error),
      r.outcome ?? r.state,
      best[i] === null ? "–" : number(best[i]!),
    ]),
  });
  return (
    <Figure title="History" summary={summary} table={table}>
      <Plot rows={rows} best={best} band={band} model={model} label={`${objective}${unit ? ` (${unit})` : ""}`} over={setOver} />
      <p class="readout" aria-hidden="true">
        {row
          ? `${trialName(row.kind, row.number)}: ${row.objective === null ? "no value" : withUnit(row.objective, unit)}${row.error === null ? "" : ` ± ${number(row.error)}`}, ${row.outcome ?? row.state}${reasons[row.index] ? `: ${reasons[row.index]}` : ""}`
          : "Point at a trial; click to open it."}
      </p>
      <ul class="legend" aria-label="Marks">
        <li>
          <span class="swatch bench" aria-hidden="true" /> Trial
        </li>
        <li>
          <span class="swatch line" aria-hidden="true" /> Best so far
        </li>
        {model && (
          <li>
            <span class="swatch model" aria-hidden="true" /> Best by model, 90 % interval
          </li>
        )}
        <li>
          <span class="swatch band" aria-hidden="true" /> Baseline
        </li>
        <li>
          <span class="swatch failed" aria-hidden="true" /> Failed
        </li>
      </ul>
    </Figure>
  );
}

interface PlotProps {
  rows: Row[];
  best: (number | null)[];
  band: ReturnType<typeof baselineBand>;
  model?: Model;
  label: string;
  over: (index: number | null) => void;
}

type Model = Outlook["recommended"];

function Plot({ rows, best, band, model, label, over }: PlotProps) {
  const shown = useRef({ rows, band, model });
  shown.current = { rows, band, model };
  const data: uPlot.AlignedData = useMemo(
    () => [rows.map((_, i) => i), best, rows.map((row) => (counts(row) ? row.objective : null))],
    [rows, model],
  );
  const make = (color: Color) => ({
    cursor: { drag: { x: true, y: false }, points: { size: 8 } },
    scales: { x: { time: false }, y: { range: (_: uPlot, low: number | null, high: number | null) => reach(low, high, shown.current) } },
    axes: [
      { ...axis(color), label: "trial", values: (_: uPlot, at: number[]) => at.map((i) => String(shown.current.rows[i]?.number ?? "")) },
      { ...axis(color), label, size: 74, values: (_: uPlot, at: number[]) => at.map((v) => number(v)) },
    ],
    series: [
      {},
      { stroke: () => color("--accent"), width: 2, paths: uPlot.paths.stepped!({ align: 1 }), points: { show: false } },
      { stroke: () => color("--bench"), paths: () => null, points: { show: true, size: 5, fill: () => color("--bench") } },
    ],
    hooks: {
      drawClear: [(u: uPlot) => drawBand(u, shown.current.band, color("--band"), color("--accent"))],
      draw: [
        (u: uPlot) => drawMarks(u, shown.current.rows, color("--bad"), color("--bench")),
        (u: uPlot) => drawModel(u, shown.current.rows, shown.current.model, color("--ink"), color("--card")),
      ],
      setCursor: [(u: uPlot) => over(u.cursor.idx ?? null)],
    },
  });
  return <Canvas make={make} data={data} opened={(u) => shown.current.rows[u.cursor.idx ?? -1]?.id} />;
}

/** The values, the baseline, what the model holds best, and room for marks below. */
function reach(low: number | null, high: number | null, { band, model }: Pick<PlotProps, "band" | "model">): [number, number] {
  const ends = [low, high, band?.low, band?.high, model?.low, model?.high].filter((v): v is number => typeof v === "number" && Number.isFinite(v));
  if (ends.length === 0) return [0, 1];
  const [from, to] = [Math.min(...ends), Math.max(...ends)];
  const room = (to - from || Math.abs(to) || 1) * 0.08;
  return [from - 1.5 * room, to + room];
}

function drawBand(u: uPlot, band: PlotProps["band"], fill: string, line: string): void {
  if (!band) return;
  const { left, width } = u.bbox;
  const y = (v: number) => u.valToPos(v, "y", true);
  u.ctx.save();
  u.ctx.fillStyle = fill;
  // one measurement has no width: the line alone says where it is
  u.ctx.fillRect(left, y(band.high), width, y(band.low) - y(band.high));
  u.ctx.strokeStyle = line;
  u.ctx.setLineDash([5, 4]);
  u.ctx.beginPath();
  u.ctx.moveTo(left, y(band.mean));
  u.ctx.lineTo(left + width, y(band.mean));
  u.ctx.stroke();
  u.ctx.restore();
}

/** Crosses at the foot for failures, bars for standard errors: two paths, however many there are. */
function drawMarks(u: uPlot, rows: Row[], bad: string, ink: string): void {
  const foot = u.bbox.top + u.bbox.height - 8 * devicePixelRatio;
  const arm = 3.5 * devicePixelRatio;
  const [crosses, bars] = [new Path2D(), new Path2D()];
  rows.forEach((row, i) => {
    const failed = row.outcome !== null && row.outcome !== "measured";
    if (!failed && (row.error === null || row.objective === null)) return;
    const x = u.valToPos(i, "x", true);
    if (x < u.bbox.left || x > u.bbox.left + u.bbox.width) return;
    if (failed) {
      crosses.moveTo(x - arm, foot - arm);
      crosses.lineTo(x + arm, foot + arm);
      crosses.moveTo(x + arm, foot - arm);
      crosses.lineTo(x - arm, foot + arm);
    } else {
      bars.moveTo(x, u.valToPos(row.objective! - row.error!, "y", true));
      bars.lineTo(x, u.valToPos(row.objective! + row.error!, "y", true));
    }
  });
  stroke(u, crosses, bad);
  stroke(u, bars, ink);
}

function stroke(u: uPlot, path: Path2D, color: string): void {
  u.ctx.save();
  u.ctx.lineWidth = 1.5 * devicePixelRatio;
  u.ctx.strokeStyle = color;
  u.ctx.stroke(path);
  u.ctx.restore();
}

/** A diamond with its interval where the model's best is. */
function drawModel(u: uPlot, rows: Row[], model: Model | undefined, ink: string, ground: string): void {
  const at = model ? rows.findIndex((row) => row.id === model.trial) : -1;
  if (!model || at < 0) return;
  const [x, y] = [u.valToPos(at, "x", true), u.valToPos(model.objective, "y", true)];
  const arm = 6 * devicePixelRatio;
  const [ends, diamond] = [new Path2D(), new Path2D()];
  for (const end of [model.low, model.high]) {
    const level = u.valToPos(end, "y", true);
    ends.moveTo(x, y);
    ends.lineTo(x, level);
    ends.moveTo(x - arm, level);
    ends.lineTo(x + arm, level);
  }
  diamond.moveTo(x, y - arm);
  diamond.lineTo(x + arm, y);
  diamond.lineTo(x, y + arm);
  diamond.lineTo(x - arm, y);
  diamond.closePath();
  stroke(u, ends, ink);
  u.ctx.save();
  u.ctx.fillStyle = ground;
  u.ctx.fill(diamond);
  u.ctx.restore();
  stroke(u, diamond, ink);
}
