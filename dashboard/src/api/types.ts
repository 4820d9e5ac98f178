// What the API answers with, as far as this page reads it; `coordinator/openapi.json` has the whole.

export type Value = boolean | number | string;
export type Values = Record<string, Value>;
export type Stage = "apply" | "load" | "bench" | "collect";
export type TrialKind = "baseline" | "proposed" | "manual" | "recommended" | "closing";
export type Outcome = "measured" | "transient" | "broken" | "infeasible" | "violated" | "invalid" | "abandoned";
export type Phase = "running" | "paused" | "stopping" | "confirming" | "closing" | "ended";

export interface Parameter {
  name: string;
  type: "float" | "int" | "categorical" | "bool";
  low?: number;
  high?: number;
  log?: boolean;
  step?: number;
  choices?: string[];
  default: Value;
  special?: Value[];
  unit?: string;
  description?: string;
}

export interface Objective {
  maximize?: string;
  minimize?: string;
  unit?: string;
}

export interface Spec {
  name: string;
  description?: string;
  clusters: string[];
  repeats: number;
  budget: { trials: number; wall_time?: string };
  algorithm: { name: string };
  parameters: Parameter[];
  constraints?: string[];
  metrics: { name: string; unit?: string }[];
  objective: Objective;
  other_objectives?: Objective[];
  outcome_constraints?: string[];
}

export interface Summary {
  id: string;
  name: string;
  phase: Phase;
  reason?: string;
  goal: "maximize" | "minimize";
  unit?: string;
  budget: { trials: number };
  clusters: string[];
  accepted: number;
  outcomes: Partial<Record<Outcome, number>>;
  best?: { trial: string; number: number; objective: number; parameters: Values };
  /** With several objectives: the trials that no other is better than in everything. */
  front?: { trial: string; number: number; values: number[] }[];
  /** With several objectives and clusters: what a cluster's values of each objective are multiplied by to be in the front's terms. */
  factors?: Record<string, number[]>;
  baseline: Record<string, number>;
  baseline_runs?: Record<string, Spread>;
  outlook?: Outlook;
  gain?: number;
  confirmation?: { told: string };
  started: string;
  ended?: string;
}

export interface Spread {
  n: number;
  mean: number;
  low: number;
  high: number;
}

/** What the optimizer's model makes of the results; `low` and `high` hold the objective with a probability of 90 %. */
export interface Outlook {
  results: number;
  recommended: { trial: string; number: number; objective: number; low: number; high: number; probability_best: number };
  gain_left?: number;
}

export interface Run {
  at: string;
  objective: number;
}

export interface Drift {
  found: boolean;
  scale: "ratio" | "difference";
  change: number;
  low: number;
  high: number;
  p: number;
  runs: number;
  hours: number;
}

export interface Site {
  baseline_runs: Run[];
  drift?: Drift;
  out_of_use?: string;
}

export interface Detail extends Summary {
  running: EpochView[];
  sites: Record<string, Site>;
  spec: Spec;
}

export interface EpochView {
  id: string;
  trial: string;
  number: number;
  kind: TrialKind;
  cluster: string;
  started: string;
  state: "handed" | "leased" | "backing_off" | "ended";
  stage?: Stage;
  action?: string;
  step: number;
  steps: number;
  attempt: number;
  since: string;
  worker?: string;
  outcome?: Outcome;
  reason?: string;
}

export interface AttemptView {
  step: number;
  stage: Stage;
  action: string;
  attempt: number;
  worker?: string;
  started?: string;
  ended: string;
  ending: "done" | "failed" | "superseded";
  kind?: string;
  reason?: string;
  outputs?: Record<string, unknown>;
  artifacts: { name: string; bytes: number; truncated: boolean }[];
}

export interface Violation {
  constraint: string;
  by: number;
}

export interface EpochDetail extends EpochView {
  measurement?: { metrics: Record<string, number>; objective: number; violations?: Violation[] };
  outputs?: Partial<Record<Stage, Record<string, unknown>>>;
  attempts: AttemptView[];
}

export interface TrialDetail {
  id: string;
  experiment: string;
  experiment_id: string;
  number: number;
  kind: TrialKind;
  parameters: Values;
  cluster?: string;
  note?: string;
  submitted: string;
  state: "waiting" | "running" | "ended";
  ended?: string;
  outcome?: Outcome;
  reason?: string;
  objective?: number;
  metrics?: Record<string, number>;
  repeats: number;
  epochs: EpochDetail[];
}

export interface Columns {
  position: number;
  total: number;
  /** Empty in an outline. */
  trial: string[];
  number: number[];
  kind: TrialKind[];
  state: ("waiting" | "running" | "ended")[];
  outcome: (Outcome | null)[];
  cluster: (string | null)[];
  /** Empty in an outline. */
  ended: (number | null)[];
  objective: (number | null)[];
  /** By objective beside the first. */
  others?: (number | null)[][];
  error: (number | null)[];
  reason: Record<number, string>;
  note: Record<number, string>;
  parameters: Record<string, (Value | null)[]>;
}

export interface Span {
  cluster: string;
  experiment_id: string;
  trial: string;
  number: number;
  kind: TrialKind;
  epoch: string;
  step: number;
  attempt: number;
  stage: Stage;
  action: string;
  state: "handed" | "running" | "waiting" | "done" | "failed" | "superseded";
  began: string;
  ended?: string;
  worker?: string;
  reason?: string;
}

export interface Timeline {
  now: string;
  position: number;
  since: string;
  spans: Span[];
}

export interface Cluster {
  name: string;
  health: "healthy" | "paused" | "trying";
  failures: number;
  until?: string;
  reason?: string;
  /** Trials that wait and may run there. */
  waiting: number;
  experiment_id?: string;
  epoch?: string;
}

export interface Worker {
  worker: string;
  stage: Stage;
  cluster: string;
  version?: string;
  heard: string;
  clock_ahead_ms: number;
  epoch?: string;
  lease_until?: string;
  note?: string;
  ended_steps: number;
}

export interface LogEvent {
  seq: number;
  at: string;
  kind: string;
  experiment?: string;
  experiment_id?: string;
  trial?: string;
  number?: number;
  epoch?: string;
  cluster?: string;
  stage?: Stage;
  by?: By;
  message: string;
}

/** Who acted; `proven` by a token of their own, otherwise what they called themselves. */
export interface By {
  name: string;
  proven: boolean;
}

export interface DeadLetter {
  key: string;
  routing_key: string;
  reason: string;
  at?: string;
  content: string;
}

export interface Placements {
  servers: string[];
  rows: PlacementRow[];
}

export interface PlacementRow {
  trial: string;
  epoch: string;
  number: number;
  kind: TrialKind;
  cluster: string;
  objective?: number;
  hosts: (string | null)[];
}

export interface Estimate {
  mean: number;
  low: number;
  high: number;
}

export interface Effect {
  parameter: string;
  first_order: Estimate;
  total: Estimate;
  levels: { value: Value; objective: Estimate }[];
}

export interface Effects {
  state: "current" | "computing" | "failed";
  results: number;
  problem?: string;
  explanation?: {
    results: number;
    problem?: string;
    effects?: Effect[];
    interactions?: { parameters: [string, string]; share: Estimate }[];
    r_squared?: number;
    caveats?: string[];
  };
}

export interface Problem {
  path: string;
  message: string;
  hint?: string;
}
