import type { Summary } from "../api/types";
import { number, withUnit } from "../model/format";
import { baselineOf } from "../model/standing";

const HEIGHT = 34;
const MIDDLE = HEIGHT / 2;

/** What the model holds best, with its interval, beside the band of the baseline: on one axis, whose ends are written down. */
export function Beside({ experiment: e }: { experiment: Summary }) {
  const base = baselineOf(e);
  const best = e.outlook?.recommended;
  if (!base || !best) return null;
  const observed = e.best?.objective ?? best.objective;
  const ends = [base.low, base.high, best.low, best.high, observed];
  const [low, high] = [Math.min(...ends), Math.max(...ends)];
  const room = (high - low || Math.abs(high) || 1) * 0.06;
  const x = (v: number) => `${(100 * (v - low + room)) / (high - low + 2 * room)}%`;
  const width = (a: number, b: number) => `${(100 * (b - a)) / (high - low + 2 * room)}%`;
  const words =
    `Best by model ${withUnit(best.objective, e.unit)}, ${number(best.low)} to ${number(best.high)}; ` +
    `baseline ${number(base.mean)}, ${number(base.low)} to ${number(base.high)}; best observed ${number(observed)}`;
  return (
    <figure class="beside">
      <svg width="100%" height={HEIGHT} role="img" aria-label={words}>
        <rect class="band" x={x(base.low)} width={width(base.low, base.high)} y="2" height={HEIGHT - 4} />
        <line class="base" x1={x(base.mean)} x2={x(base.mean)} y1="2" y2={HEIGHT - 2} />
        <line class="interval" x1={x(best.low)} x2={x(best.high)} y1={MIDDLE} y2={MIDDLE} />
        <line class="interval" x1={x(best.low)} x2={x(best.low)} y1={MIDDLE - 6} y2={MIDDLE + 6} />
        <line class="interval" x1={x(best.high)} x2={x(best.high)} y1={MIDDLE - 6} y2={MIDDLE + 6} />
        <circle class="model" cx={x(best.objective)} cy={MIDDLE} r="5" />
        <circle class="observed" cx={x(observed)} cy={MIDDLE} r="5" />
      </svg>
      <figcaption class="axis" aria-hidden="true">
        <span>{number(low)}</span>
        <span>band: baseline; dot: best by model, 90 %; ring: best observed</span>
        <span>{number(high)}</span>
      </figcaption>
    </figure>
  );
}
