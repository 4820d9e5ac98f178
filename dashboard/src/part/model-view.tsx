import { useEffect } from "preact/hooks";
import { at, get } from "../api/client";
import type { Detail, Effects, Placements } from "../api/types";
import { useLive } from "../api/use";
import { EffectsFigures } from "../chart/effects";
import { PlacementsFigure } from "../chart/placements";
import { Missing } from "./state";

/** While the optimizer computes, it is asked after this often. */
const AGAIN = 1_500;

/** What the optimizer thinks of the results; asked for in the background, and shown as it is until a newer answer is there. */
export function ModelView({ experiment: e }: { experiment: Detail }) {
  const matters = (event: { experiment_id?: string; kind: string }) => event.experiment_id === e.id && event.kind === "trial.ended";
  const { value, problem, again } = useLive(() => get<Effects>(at`/v1/experiments/${e.id}/effects`), `effects ${e.id}`, matters, 5_000);
  const computing = value?.state === "computing";
  useEffect(() => {
    if (!computing) return;
    const timer = setInterval(again, AGAIN);
    return () => clearInterval(timer);
  }, [computing, again]);
  if (!value) return <Missing problem={problem} />;
  return <EffectsFigures effects={value} spec={e.spec} />;
}

/** Where servers landed; nothing where no stage says it. */
export function PlacementsView({ experiment: e, chosen }: { experiment: Detail; chosen?: Set<string> }) {
  const matters = (event: { experiment_id?: string; kind: string }) => event.experiment_id === e.id && event.kind === "trial.ended";
  const { value, problem } = useLive(() => get<Placements>(at`/v1/experiments/${e.id}/placements`), `placements ${e.id}`, matters, 2_000);
  if (!value) return <Missing problem={problem} />;
  return <PlacementsFigure placements={value} chosen={chosen} unit={e.spec.objective.unit} />;
}
