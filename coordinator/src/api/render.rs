//! Records as the API shows them.

use std::collections::BTreeMap;

use autoopt_epoch::experiment::ExperimentSpec;
use autoopt_epoch::message::Measurement;
use autoopt_epoch::space::Parameters;
use autoopt_epoch::statistics::drift;

use super::view::{
    ArtifactView, AttemptEnding, AttemptView, BestView, ClusterHealth, ClusterView, ConfirmationView,
    EpochDetail, EpochPhase, EpochView, ExperimentSummary, FrontView, LeakView, LeakedView, PairView,
    RecommendedView, SiteView, Spread, TrialPhase, TrialView,
};
use crate::machine::{
    Attempt, Breaker, Cluster, Confirmation, Ending, Epoch, Experiment, FrontTrial, Leaked, PairRun,
    Progress, Site, Trial, TrialState,
};
use crate::store::ArtifactEntry;

/// How far the runs of the baseline lie apart, by cluster.
pub(super) fn spreads(sites: &BTreeMap<String, Site>) -> BTreeMap<String, Spread> {
    let spread = |site: &Site| {
        let values = || site.runs.iter().map(|run| run.objective);
        Some(Spread {
            n: site.runs.len().try_into().unwrap_or(u32::MAX),
            mean: mean(values())?,
            low: values().fold(f64::INFINITY, f64::min),
            high: values().fold(f64::NEG_INFINITY, f64::max),
        })
    };
    sites.iter().filter_map(|(cluster, site)| Some((cluster.clone(), spread(site)?))).collect()
}

/// An experiment in short; `baselines` are its baseline trials.
pub fn experiment(e: &Experiment, baselines: &[Trial]) -> ExperimentSummary {
    let goal = e.spec.objective.goal();
    let baseline: BTreeMap<String, f64> =
        baselines.iter().filter_map(|t| Some((t.cluster.clone()?, objective(&t.measurements)?))).collect();
    let mean = (!baseline.is_empty()).then(|| baseline.values().sum::<f64>() / baseline.len() as f64);
    // the best is beside the baseline of its own cluster, as far as it is known
    let beside = e.best.as_ref().and_then(|best| baseline.get(&best.cluster).copied().or(mean));
    let gain =
        e.best.as_ref().zip(beside).map(|(best, found)| goal.sign() * (best.objective - found) / found.abs());
    ExperimentSummary {
        id: e.id,
        name: e.spec.name.clone(),
        phase: e.phase,
        reason: e.reason.clone(),
        goal,
        budget: e.spec.budget.clone(),
        clusters: e.spec.clusters.clone(),
        accepted: e.accepted,
        outcomes: e.outcomes.clone(),
        best: e.best.as_ref().map(|best| BestView {
            trial: best.trial,
            number: best.number,
            cluster: best.cluster.clone(),
            objective: best.objective,
            parameters: best.parameters.clone(),
        }),
        front: e.front.iter().map(front).collect(),
        factors: e.factors.clone(),
        outlook: e.outlook.as_deref().cloned(),
        recommended: e
            .recommended()
            .map(|(number, parameters)| RecommendedView { number, parameters: parameters.clone() }),
        baseline,
        baseline_runs: BTreeMap::new(),
        unit: e.spec.objective.unit.clone(),
        gain: gain.filter(|gain| gain.is_finite()),
        confirmation: e.confirmation.as_ref().map(|c| confirmation(c, e)),
        started: e.submitted,
        ended: e.ended,
    }
}

fn front(f: &FrontTrial) -> FrontView {
    FrontView {
        trial: f.trial,
        number: f.number,
        cluster: f.cluster.clone(),
        values: f.values.clone(),
        parameters: f.parameters.clone(),
    }
}

fn confirmation(c: &Confirmation, e: &Experiment) -> ConfirmationView {
    ConfirmationView {
        number: c.number,
        parameters: c.parameters.clone(),
        began: c.began,
        ended: c.ended,
        done: c.done,
        wanted: c.wanted,
        void: c.void,
        stopped: c.stopped.clone(),
        claim: c.claim.clone(),
        other_claims: c.other_claims.clone(),
        told: c.told(&e.spec),
    }
}

/// `found` are the values of its first baseline.
pub fn site(s: &Site, found: Option<&Parameters>, spec: &ExperimentSpec) -> SiteView {
    let level = spec.confirm.clone().unwrap_or_default().level;
    SiteView {
        found: found.filter(|_| s.captured.is_some()).cloned(),
        baseline_runs: s.runs.clone(),
        drift: drift(level, &s.runs),
        pairs: s.pairs.iter().map(pair).collect(),
        out_of_use: s.out_of_use.clone(),
    }
}

fn pair(p: &PairRun) -> PairView {
    PairView {
        number: p.number,
        baseline_first: p.baseline_first,
        baseline: p.baseline,
        recommended: p.recommended,
        baseline_others: p.baseline_others.clone(),
        recommended_others: p.recommended_others.clone(),
        void: p.void.clone(),
    }
}

/// `name` is the experiment's.
pub fn trial(t: &Trial, name: &str) -> TrialView {
    let (state, epoch) = match &t.state {
        TrialState::Waiting { .. } => (TrialPhase::Waiting, None),
        TrialState::Running { epoch } => (TrialPhase::Running, Some(*epoch)),
        TrialState::Ended { .. } => (TrialPhase::Ended, None),
    };
    let (ended, outcome, reason) = match &t.state {
        TrialState::Ended { at, outcome, reason, .. } => (Some(*at), Some(*outcome), reason.clone()),
        TrialState::Waiting { .. } | TrialState::Running { .. } => (None, None, None),
    };
    TrialView {
        id: t.id,
        experiment: name.to_owned(),
        experiment_id: t.experiment,
        number: t.number,
        kind: t.kind,
        parameters: t.parameters.clone(),
        cluster: t.cluster.clone().or_else(|| measured_on(t)),
        ask: t.ask,
        note: t.note.clone(),
        again: t.again,
        pair: t.pair,
        submitted: t.submitted,
        state,
        epoch,
        ended,
        outcome,
        reason,
        objective: objective(&t.measurements),
        others: others(&t.measurements),
        metrics: metrics(&t.measurements),
        repeats: t.measurements.len().try_into().unwrap_or(u32::MAX),
    }
}

/// Where a trial that was bound to no cluster was measured.
fn measured_on(t: &Trial) -> Option<String> {
    match &t.state {
        TrialState::Ended { observation: Some(observation), .. } => Some(observation.cluster.clone()),
        _ => None,
    }
}

fn objective(measurements: &[Measurement]) -> Option<f64> {
    mean(measurements.iter().map(|m| m.objective))
}

fn others(measurements: &[Measurement]) -> Vec<f64> {
    let count = measurements.iter().map(|m| m.others.len()).min().unwrap_or(0);
    (0..count).filter_map(|i| mean(measurements.iter().map(|m| m.others[i]))).collect()
}

fn metrics(measurements: &[Measurement]) -> BTreeMap<String, f64> {
    let names = measurements.iter().flat_map(|m| m.metrics.keys());
    let of = |name: &String| mean(measurements.iter().filter_map(|m| m.metrics.get(name).copied()));
    names.filter_map(|name| Some((name.clone(), of(name)?))).collect()
}

fn mean(values: impl Iterator<Item = f64>) -> Option<f64> {
    let (sum, count) = values.fold((0.0, 0_u32), |(sum, count), value| (sum + value, count + 1));
    (count > 0).then(|| sum / f64::from(count))
}

pub(super) fn epoch(e: &Epoch) -> EpochView {
    let (state, since, until, worker) = match &e.progress {
        Progress::Handed { since } => (EpochPhase::Handed, *since, None, None),
        Progress::Leased { since, worker, .. } => (EpochPhase::Leased, *since, None, Some(worker.clone())),
        Progress::BackingOff { until } => (EpochPhase::BackingOff, e.started, Some(*until), None),
        Progress::Ended { at } => (EpochPhase::Ended, *at, None, None),
    };
    let step = e.step();
    EpochView {
        id: e.id,
        trial: e.trial,
        experiment_id: e.experiment,
        number: e.number,
        kind: e.kind,
        cluster: e.cluster.clone(),
        started: e.started,
        state,
        stage: step.map(|s| s.stage),
        action: step.map(|s| s.action),
        step: e.at,
        steps: e.plan.len().try_into().unwrap_or(u32::MAX),
        attempt: e.attempt,
        since,
        until,
        worker,
        outcome: e.verdict.as_ref().map(|v| v.outcome),
        reason: e.verdict.as_ref().and_then(|v| v.reason.clone()),
    }
}

/// `artifacts` are those of all its attempts.
pub fn epoch_detail(e: &Epoch, attempts: &[Attempt], artifacts: &[ArtifactEntry]) -> EpochDetail {
    EpochDetail {
        epoch: epoch(e),
        measurement: e.measurement.clone(),
        outputs: e.outputs.clone(),
        attempts: attempts.iter().map(|a| attempt(a, artifacts)).collect(),
    }
}

fn attempt(a: &Attempt, artifacts: &[ArtifactEntry]) -> AttemptView {
    let (ending, kind, reason) = match &a.ending {
        Ending::Done => (AttemptEnding::Done, None, None),
        Ending::Failed { kind, reason } => (AttemptEnding::Failed, Some(*kind), Some(reason.clone())),
        Ending::Superseded { reason } => (AttemptEnding::Superseded, None, Some(reason.clone())),
    };
    let own = artifacts.iter().filter(|entry| entry.step == a.step && entry.attempt == a.attempt);
    AttemptView {
        step: a.step,
        stage: a.stage,
        action: a.action,
        attempt: a.attempt,
        worker: a.worker.clone(),
        started: a.started,
        ended: a.ended,
        ending,
        kind,
        reason,
        outputs: a.outputs.clone(),
        artifacts: own.map(artifact).collect(),
    }
}

fn artifact(entry: &ArtifactEntry) -> ArtifactView {
    ArtifactView { name: entry.name.clone(), bytes: entry.bytes, truncated: entry.truncated }
}

fn leaked(l: &Leaked) -> LeakedView {
    let leaks = l.leaks.iter().map(|leak| LeakView { what: leak.to_string(), remedy: leak.remedy() });
    LeakedView { since: l.since, experiment: l.experiment.clone(), epoch: l.epoch, leaks: leaks.collect() }
}

pub(super) fn cluster(c: &Cluster, waiting: u32) -> ClusterView {
    let (health, failures, until, reason) = match &c.breaker {
        Breaker::Closed { failures } => (ClusterHealth::Healthy, *failures, None, None),
        Breaker::Open { until, reason } => (ClusterHealth::Paused, 0, Some(*until), Some(reason.clone())),
        Breaker::Trying { reason } => (ClusterHealth::Trying, 0, None, Some(reason.clone())),
    };
    ClusterView {
        name: c.name.clone(),
        health,
        failures,
        until,
        reason,
        leaked: c.leaked.as_ref().map(leaked),
        waiting,
        experiment_id: c.holder.map(|(experiment, _)| experiment),
        epoch: c.holder.map(|(_, epoch)| epoch),
    }
}
