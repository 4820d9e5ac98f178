// Numbers, times and names for people. Nothing is rescaled: a value keeps its unit.

import type { Value } from "../api/types";

const SHORT = new Intl.NumberFormat("en", { maximumSignificantDigits: 6 });

/** Six significant digits; the very large and very small in powers of ten. */
export function number(x: number): string {
  const size = Math.abs(x);
  if (size !== 0 && (size >= 1e12 || size < 1e-5)) return x.toExponential(3).replace("-", "−");
  return SHORT.format(x).replace("-", "−");
}

export function withUnit(x: number, unit?: string): string {
  return unit ? `${number(x)} ${unit}` : number(x);
}

export function value(v: Value | null | undefined): string {
  if (v === null || v === undefined) return "–";
  return typeof v === "number" ? number(v) : String(v);
}

/** A part as a change in per cent: 0.123 is "+12.3 %". */
export function change(part: number): string {
  const percent = part * 100;
  const digits = Math.abs(percent) < 10 ? 1 : 0;
  const text = Math.abs(percent).toFixed(digits);
  return `${percent < 0 ? "−" : "+"}${text} %`;
}

/** How long: "850 ms", "12 s", "3 min 05 s", "2 h 07 min". */
export function duration(ms: number): string {
  if (ms < 1_000) return `${Math.max(0, Math.round(ms))} ms`;
  const s = ms / 1_000;
  if (s < 10) return `${s.toFixed(1)} s`;
  if (s < 60) return `${Math.round(s)} s`;
  const whole = Math.round(s);
  if (whole < 3_600) return `${Math.floor(whole / 60)} min ${two(whole % 60)} s`;
  const minutes = Math.round(s / 60);
  if (minutes < 48 * 60) return `${Math.floor(minutes / 60)} h ${two(minutes % 60)} min`;
  return `${Math.floor(minutes / 1440)} d ${Math.floor((minutes % 1440) / 60)} h`;
}

const two = (n: number) => String(n).padStart(2, "0");

/** The time of day, with the date unless it is today's. */
export function clock(instant: number | string, now = Date.now()): string {
  const date = new Date(instant);
  const time = `${two(date.getHours())}:${two(date.getMinutes())}:${two(date.getSeconds())}`;
  return date.toDateString() === new Date(now).toDateString() ? time : `${day(date)} ${time}`;
}

const day = (date: Date) => `${date.getFullYear()}-${two(date.getMonth() + 1)}-${two(date.getDate())}`;

export function bytes(n: number): string {
  if (n < 1_000) return `${n} B`;
  if (n < 1_000_000) return `${(n / 1_000).toFixed(1)} kB`;
  return `${(n / 1_000_000).toFixed(1)} MB`;
}

export function count(n: number, one: string, many = `${one}s`): string {
  return `${SHORT.format(n)} ${n === 1 ? one : many}`;
}

export const capital = (text: string) => text.charAt(0).toUpperCase() + text.slice(1);

/** How a trial is called. */
export function trialName(kind: string, n: number): string {
  if (kind === "recommended") return "best, afresh";
  return kind === "baseline" || kind === "closing" ? kind : `trial ${n}`;
}
