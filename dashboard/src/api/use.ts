// Answers of the API that follow what happens.

import type { RefObject } from "preact";
import { useEffect, useState } from "preact/hooks";
import { ApiError, locked } from "./client";
import { connected, listen } from "./live";
import type { LogEvent } from "./types";

/** While the event stream is away, everything is asked for this often. */
const POLL = 5_000;

export interface Answer<T> {
  value?: T;
  problem?: string;
}

/**
 * What `load` gives: at once, and again when an event matters, `pause` milliseconds apart at least. An older answer never
 * replaces a newer one.
 */
export function useLive<T>(
  load: () => Promise<T>,
  key: string,
  matters: (event: LogEvent) => boolean = () => true,
  pause = 500,
): Answer<T> & { again: () => void } {
  const [answer, set] = useState<Answer<T> & { key?: string }>({});
  const [again, setAgain] = useState<() => void>(() => () => undefined);
  useEffect(() => {
    let gone = false;
    let busy = false;
    let wanted = false;
    let last = 0;
    let timer: ReturnType<typeof setTimeout> | undefined;
    const run = async () => {
      timer = undefined;
      if (busy) {
        wanted = true;
        return;
      }
      busy = true;
      wanted = false;
      last = Date.now();
      try {
        const value = await load();
        if (!gone) set({ value, key });
      } catch (error) {
        const problem = error instanceof ApiError ? error.message : String(error);
        if (!gone) set((before) => ({ value: before.key === key ? before.value : undefined, key, problem }));
      }
      busy = false;
      if (wanted && !gone) soon();
    };
    const soon = () => {
      if (!gone) timer ??= setTimeout(run, Math.max(0, last + pause - Date.now()));
    };
    void run();
    setAgain(() => soon);
    const stop = listen((events) => {
      if (events === null || events.some(matters)) soon();
    });
    const unlocking = locked.subscribe((why) => {
      if (why === null) soon();
    });
    const poll = setInterval(() => {
      if (!connected.peek()) soon();
    }, POLL);
    return () => {
      gone = true;
      stop();
      unlocking();
      clearInterval(poll);
      clearTimeout(timer);
    };
  }, [key]);
  const mine = answer.key === key ? answer : {};
  return { value: mine.value, problem: mine.problem, again };
}

/** This machine's clock, in steps of `step` milliseconds. */
export function useNow(step = 1_000): number {
  const [now, set] = useState(Date.now());
  useEffect(() => {
    const timer = setInterval(() => set(Date.now()), step);
    return () => clearInterval(timer);
  }, [step]);
  return now;
}

/** Whether the element came near what is seen, once. What costs the coordinator much waits for that. */
export function useSeen(place: RefObject<Element | null>): boolean {
  const [seen, set] = useState(false);
  useEffect(() => {
    const watch = new IntersectionObserver((entries) => entries.some((e) => e.isIntersecting) && set(true), { rootMargin: "400px" });
    if (place.current) watch.observe(place.current);
    return () => watch.disconnect();
  }, []);
  return seen;
}
