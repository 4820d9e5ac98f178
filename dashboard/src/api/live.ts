// What happens, as it happens: one event stream for the whole page, resumed where it broke off.

import { signal } from "@preact/signals";
import { locked, request, token } from "./client";
import { FrameReader } from "./sse";
import type { LogEvent } from "./types";

/** The coordinator sends a sign of life every 15 s; after this long without one the stream is dead. */
const SILENCE = 40_000;
/** Events are told together, this often at most. */
const TOGETHER = 40;
/** Between two tries; while the stream is away the page asks again this often. */
const PAUSE = 3_000;
/** Events that are kept for the log page. */
const KEPT = 500;

export const connected = signal(false);
/** When the last event arrived, and when the stream last gave any sign of life, by this machine's clock. */
export const lastEvent = signal<number | null>(null);
export const lastSign = signal(Date.now());
/** The newest events, the newest first. */
export const recent = signal<LogEvent[]>([]);

/** Told of events, or of nothing in particular (`null`) after a gap: then everything may have changed. */
type Listener = (events: LogEvent[] | null) => void;
const listeners = new Set<Listener>();

export function listen(listener: Listener): () => void {
  listeners.add(listener);
  return () => void listeners.delete(listener);
}

let position: string | undefined;
let waiting: LogEvent[] = [];
let timer: ReturnType<typeof setTimeout> | undefined;
let current: AbortController | undefined;

function tell(): void {
  timer = undefined;
  const told = waiting;
  waiting = [];
  recent.value = [...told].reverse().concat(recent.value).slice(0, KEPT);
  for (const listener of listeners) listener(told);
}

function take(event: LogEvent): void {
  lastEvent.value = Date.now();
  waiting.push(event);
  timer ??= setTimeout(tell, TOGETHER);
}

async function follow(signal: AbortSignal): Promise<void> {
  const headers: Record<string, string> = position === undefined ? {} : { "last-event-id": position };
  const response = await request("/v1/events/stream", { headers, signal });
  const reader = response.body!.pipeThrough(new TextDecoderStream()).getReader();
  const frames = new FrameReader();
  connected.value = true;
  for (;;) {
    const { done, value } = await reader.read();
    if (done) return;
    lastSign.value = Date.now();
    for (const frame of frames.read(value)) {
      if (frame.id) position = frame.id;
      if (frame.data) take(JSON.parse(frame.data));
    }
  }
}

/** Follows the stream for as long as the page is there. */
export async function start(): Promise<void> {
  let first = true;
  for (;;) {
    if (locked.value !== null) {
      await unlocked();
    }
    // what happened while there was no stream comes with the stream; what was drawn may still be older
    if (!first) listeners.forEach((listener) => listener(null));
    first = false;
    current = new AbortController();
    lastSign.value = Date.now();
    await follow(current.signal).catch(() => undefined);
    connected.value = false;
    await new Promise((next) => setTimeout(next, PAUSE));
  }
}

function unlocked(): Promise<void> {
  return new Promise((next) => {
    const stop = token.subscribe(() => {
      if (locked.value === null) {
        queueMicrotask(() => stop());
        next();
      }
    });
    const stopLocked = locked.subscribe((why) => {
      if (why === null) {
        queueMicrotask(() => stopLocked());
        next();
      }
    });
  });
}

/** A stream that went silent, or a machine that slept, begins again. */
function watch(): void {
  if (Date.now() - lastSign.value > SILENCE) current?.abort();
}
setInterval(watch, 5_000);
document.addEventListener("visibilitychange", watch);
addEventListener("online", watch);
