// The trials of an experiment, followed: all of them once, then what changed.

import { useRef } from "preact/hooks";
import { merge } from "../model/trials";
import { at, get } from "./client";
import type { Columns } from "./types";
import { useLive } from "./use";

/** What `GET …/columns` gives, kept up to date. */
export function useColumns(id: string) {
  const known = useRef<Columns>(undefined);
  return useLive(
    async () => {
      const before = known.current;
      // as many digits as are shown
      const path = `${at`/v1/experiments/${id}/columns`}?digits=6&metrics=false`;
      known.current = before ? merge(before, await get<Columns>(`${path}&changed_after=${before.position}`)) : await get<Columns>(path);
      return known.current;
    },
    `columns ${id}`,
    (event) => event.experiment_id === id && event.trial !== undefined,
    100,
  );
}

/** What is known of the trials without their values: there at once, however many they are. */
export function useOutline(id: string) {
  return useLive(
    () => get<Columns>(`${at`/v1/experiments/${id}/columns`}?outline=true&digits=6`),
    `outline ${id}`,
    () => false,
  );
}
