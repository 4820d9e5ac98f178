import type { Effect, Effects, Estimate, Spec } from "../api/types";
import { number, value, withUnit } from "../model/format";
import { Figure } from "../part/figure";

const percent = (part: number) => `${(100 * part).toFixed(part < 0.1 ? 1 : 0)} %`;
const interval = (e: Estimate, told: (v: number) => string) => `${told(e.low)} to ${told(e.high)}`;

/** What the optimizer's model thinks each parameter does, and how much of the result it decides. */
export function EffectsFigures({ effects, spec }: { effects: Effects; spec: Spec }) {
  const told = effects.explanation;
  if (!told || told.problem || !told.effects || told.effects.length === 0) {
    const why = told?.problem ?? effects.problem;
    return (
      <section class="card" aria-label="Effects">
        <h2>Effects of the parameters</h2>
        <p class="summary">{why ? `${why}.` : effects.state === "current" ? "Nothing has been measured yet." : "The optimizer computes them; they appear here once it has answered."}</p>
      </section>
    );
  }
  const behind = effects.results - told.results;
  const age = `From ${told.results} results${behind > 0 ? `; ${behind} newer ${effects.state === "computing" ? "are being taken in" : "are not in it yet"}` : ""}.`;
  const caveats = told.caveats ?? [];
  return (
    <>
      <Importance effects={told.effects} age={age} fit={told.r_squared} />
      <MainEffects effects={told.effects} age={age} spec={spec} />
      {caveats.length > 0 && (
        <section class="card" aria-label="What does not follow">
          <h3>What does not follow from this</h3>
          <ul class="caveats">
            {caveats.map((caveat) => (
              <li key={caveat}>{caveat}</li>
            ))}
          </ul>
        </section>
      )}
    </>
  );
}

function Importance({ effects, age, fit }: { effects: Effect[]; age: string; fit?: number }) {
  const first = effects[0]!;
  const summary = (
    <>
      Sobol indices by the optimizer's model: the share of the objective's variance over the whole space of parameters (not near the best values
      only) that a parameter explains, with all interactions it takes part in (total) and by itself (first order). Lines are 90 % intervals.{" "}
      {first.parameter} explains most: {percent(first.total.mean)} ({interval(first.total, percent)}). {age}
      {fit !== undefined && ` Of the variance of results that were left out, the model predicts ${percent(Math.max(0, fit))}.`}
    </>
  );
  const table = () => ({
    head: ["parameter", "total", "90 % interval", "first order", "90 % interval of that"],
    rows: effects.map((e) => [e.parameter, percent(e.total.mean), interval(e.total, percent), percent(e.first_order.mean), interval(e.first_order, percent)]),
  });
  return (
    <Figure title="Importance" summary={summary} table={table}>
      <ul class="shares">
        {effects.map((e) => (
          <li key={e.parameter}>
            <span class="share-name">{e.parameter}</span>
            <svg width="100%" height="22" role="img" aria-label={`${e.parameter}: total ${percent(e.total.mean)}, first order ${percent(e.first_order.mean)}`}>
              <rect class="total" y="3" width={percentOf(e.total.mean)} height="16" rx="2" />
              <rect class="own" y="3" width={percentOf(e.first_order.mean)} height="16" rx="2" />
              <line class="interval" x1={percentOf(e.total.low)} x2={percentOf(e.total.high)} y1="11" y2="11" />
            </svg>
            <span class="n">{percent(e.total.mean)}</span>
          </li>
        ))}
      </ul>
      <ul class="legend" aria-label="Bars">
        <li>
          <span class="swatch own" aria-hidden="true" /> By itself (first order)
        </li>
        <li>
          <span class="swatch total" aria-hidden="true" /> With interactions (total)
        </li>
      </ul>
    </Figure>
  );
}

const percentOf = (part: number) => `${100 * Math.min(1, Math.max(0, part))}%`;

const WIDTH = 250;
const HEIGHT = 130;
const LEFT = 58;
const FOOT = 20;
const TOP = 8;

function MainEffects({ effects, age, spec }: { effects: Effect[]; age: string; spec: Spec }) {
  const levels = effects.flatMap((e) => e.levels.map((l) => l.objective));
  const [low, high] = [Math.min(...levels.map((l) => l.low)), Math.max(...levels.map((l) => l.high))];
  const unit = spec.objective.unit;
  const spread = (e: Effect) => Math.max(...e.levels.map((l) => l.objective.mean)) - Math.min(...e.levels.map((l) => l.objective.mean));
  const most = effects.reduce((a, b) => (spread(b) > spread(a) ? b : a));
  const summary = `The objective where a parameter has one value, averaged over all others, as the model holds it; the band is where it is with a probability of 90 %. All on one scale. ${most.parameter} moves it most, by ${withUnit(spread(most), unit)}. ${age}`;
  const table = () => ({
    head: ["parameter", "value", `objective${unit ? ` (${unit})` : ""}`, "from", "to"],
    rows: effects.flatMap((e) => e.levels.map((l) => [e.parameter, value(l.value), number(l.objective.mean), number(l.objective.low), number(l.objective.high)])),
  });
  return (
    <Figure title="Main effects" summary={summary} table={table}>
      <ul class="multiples">
        {effects.map((e) => (
          <li key={e.parameter}>
            <Curve effect={e} low={low} high={high} unit={spec.parameters.find((p) => p.name === e.parameter)?.unit} />
          </li>
        ))}
      </ul>
    </Figure>
  );
}

function Curve({ effect: e, low, high, unit }: { effect: Effect; low: number; high: number; unit?: string }) {
  const x = (i: number) => LEFT + ((WIDTH - LEFT - 8) * i) / Math.max(1, e.levels.length - 1);
  const y = (v: number) => TOP + ((HEIGHT - TOP - FOOT) * (high - v)) / (high - low || 1);
  const steps = typeof e.levels[0]?.value === "number";
  const line = (of: (l: Estimate) => number) => e.levels.map((l, i) => `${x(i)},${y(of(l.objective))}`);
  const band = [...line((o) => o.high), ...line((o) => o.low).reverse()].join(" ");
  const best = e.levels.length > 0 ? `${value(e.levels[0]!.value)} to ${value(e.levels.at(-1)!.value)}` : "";
  return (
    <>
      <h3>
        {e.parameter} {unit && <small>{unit}</small>}
      </h3>
      <svg class="curve" viewBox={`0 0 ${WIDTH} ${HEIGHT}`} width="100%" role="img" aria-label={`${e.parameter}, from ${best}`}>
        <text x={LEFT - 6} y={y(high) + 8} text-anchor="end">
          {number(high)}
        </text>
        <text x={LEFT - 6} y={y(low)} text-anchor="end">
          {number(low)}
        </text>
        <line class="rail" x1={LEFT} x2={LEFT} y1={y(high)} y2={y(low)} />
        <line class="rail" x1={LEFT} x2={WIDTH - 8} y1={y(low)} y2={y(low)} />
        {steps ? (
          <>
            <polygon class="band" points={band} />
            <polyline class="mean" points={line((o) => o.mean).join(" ")} />
          </>
        ) : (
          e.levels.map((l, i) => (
            <g key={i}>
              <line class="interval" x1={x(i)} x2={x(i)} y1={y(l.objective.low)} y2={y(l.objective.high)} />
              <circle class="model" cx={x(i)} cy={y(l.objective.mean)} r="4" />
            </g>
          ))
        )}
        {labels(e).map(([i, text, anchor]) => (
          <text key={i} x={x(i)} y={HEIGHT - 5} text-anchor={anchor}>
            {text}
          </text>
        ))}
      </svg>
    </>
  );
}

/** The ends of a number's axis; every value of a categorical while there is room. */
function labels(e: Effect): [number, string, "start" | "middle" | "end"][] {
  const last = e.levels.length - 1;
  const ends: [number, string, "start" | "middle" | "end"][] = [
    [0, value(e.levels[0]?.value), "start"],
    [last, value(e.levels[last]?.value), "end"],
  ];
  return last > 0 ? ends : ends.slice(0, 1);
}
