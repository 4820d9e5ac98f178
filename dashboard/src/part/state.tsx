import type { Outcome, Phase } from "../api/types";

type Tone = "good" | "busy" | "bad" | "off";

/** A word with a mark whose shape says the same as its colour. */
export function State({ tone, children }: { tone: Tone; children: string }) {
  return <span class={`state ${tone}`}>{children}</span>;
}

const PHASES: Record<Phase, Tone> = { running: "busy", paused: "bad", stopping: "busy", confirming: "busy", closing: "busy", ended: "off" };

export const PhaseState = ({ phase }: { phase: Phase }) => <State tone={PHASES[phase]}>{phase}</State>;

export function OutcomeState({ outcome, state }: { outcome?: Outcome | null; state: string }) {
  if (!outcome) return <State tone={state === "running" ? "busy" : "off"}>{state}</State>;
  return <State tone={outcome === "measured" ? "good" : outcome === "abandoned" ? "off" : "bad"}>{outcome}</State>;
}

/** What stands where an answer is not there yet, or not there at all. */
export function Missing({ problem }: { problem?: string }) {
  return problem ? (
    <p class="problem" role="alert">
      {problem}
    </p>
  ) : (
    <p class="loading">Loading …</p>
  );
}
