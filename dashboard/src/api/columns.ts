// The trials of an experiment, followed: all of them once, then what changed.

import { useRef } from "preact/hooks";
import { merge } from "../model/trials";
import { at, get } from "./client";
import type { Columns } from "./types";
import { useLive } from "./use";

/** As many digits as are shown. */
const DIGITS = "digits=6";
/** What no page shows of many trials; a trial's own page asks for it. */
const UNSEEN = "submitted,started,repeats,metrics";

/** What is asked for to have all trials of an experiment. */
export const columnsOf = (id: string) => `${at`/v1/experiments/${id}/columns`}?${DIGITS}&without=${UNSEEN}`;

/** What `GET …/columns` gives, kept up to date. */
export function useColumns(id: string) {
  const known = useRef<Columns>(undefined);
  return useLive(
    async () => {
      const before = known.current;
      const path = columnsOf(id);
      known.current = before ? merge(before, await get<Columns>(`${path}&changed_after=${before.position}`)) : await get<Columns>(path);
      return known.current;
    },
    `columns ${id}`,
    (event) => event.experiment_id === id && event.trial !== undefined,
    100,
  );
}

/**
 * What the first chart needs: there at once, however many trials there are. Their ids, the largest part of what is known without
 * their values, come with the values.
 */
export function useOutline(id: string) {
  return useLive(
    () => get<Columns>(`${at`/v1/experiments/${id}/columns`}?outline=true&${DIGITS}&without=${UNSEEN},trial,ended`),
    `outline ${id}`,
    () => false,
  );
}
