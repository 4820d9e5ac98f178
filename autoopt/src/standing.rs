//! How an experiment stands: what is done, the best so far, the time left.

use std::time::Duration;

use autoopt_coordinator::api::view::{EpochPhase, EpochView, ExperimentSummary};
use autoopt_coordinator::machine::Phase;
use autoopt_epoch::experiment::ExperimentSpec;
use autoopt_epoch::failure::Outcome;
use autoopt_epoch::message::TrialKind;
use autoopt_epoch::time::Timestamp;

use crate::show::{change, figure, spell};

/// Of an open or an ended experiment.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Standing {
    /// Ended trials beside the baselines.
    pub(crate) done: u32,
    /// The budget.
    pub(crate) total: u32,
    /// Number and objective.
    pub(crate) best: Option<(u32, f64)>,
    /// Mean over the clusters.
    pub(crate) baseline: Option<f64>,
    /// By how much the best is better, as a part of the baseline.
    pub(crate) gain: Option<f64>,
    /// Of the confirmation, in words.
    pub(crate) confirmation: Option<String>,
    /// About how long it takes from now on.
    pub(crate) left: Option<Duration>,
}

impl Standing {
    pub(crate) fn of(summary: &ExperimentSummary, now: Timestamp) -> Self {
        let done = summary.outcomes.values().sum();
        let values = &summary.baseline;
        let baseline = (!values.is_empty()).then(|| values.values().sum::<f64>() / values.len() as f64);
        let wall = summary.budget.wall_time.map(|wall| summary.started.after(wall.0).since(now));
        Self {
            done,
            total: summary.budget.trials,
            best: summary.best.as_ref().map(|best| (best.number, best.objective)),
            baseline,
            gain: summary.gain,
            confirmation: summary.confirmation.as_ref().map(|c| c.told.clone()),
            left: left(done, summary.budget.trials, now.since(summary.started), wall),
        }
    }

    /// The best so far, in words.
    pub(crate) fn best(&self) -> String {
        match (self.best, self.gain, self.baseline) {
            (None, ..) => "nothing measured yet".into(),
            (Some((0, objective)), ..) => format!("best so far: the baseline, {}", figure(objective)),
            (Some((number, objective)), Some(gain), _) => {
                format!("best so far: trial {number}, {} ({})", figure(objective), change(gain))
            }
            (Some((number, objective)), None, _) => {
                format!("best so far: trial {number}, {}", figure(objective))
            }
        }
    }

    /// The confirmation, or the best so far, in words.
    pub(crate) fn result(&self) -> String {
        self.confirmation.clone().unwrap_or_else(|| self.best())
    }

    /// The time left, in words; empty while nobody can know.
    pub(crate) fn time(&self) -> String {
        self.left.map(|left| format!("about {} left", spell(left))).unwrap_or_default()
    }
}

/// By the pace so far; no longer than until the wall time is over.
fn left(done: u32, total: u32, elapsed: Duration, wall: Option<Duration>) -> Option<Duration> {
    let pace = (done > 0).then(|| elapsed.mul_f64(f64::from(total.saturating_sub(done)) / f64::from(done)));
    match (pace, wall) {
        (Some(pace), Some(wall)) => Some(pace.min(wall)),
        (pace, wall) => pace.or(wall),
    }
}

/// Whether anything was learned that can be used: a trial beside the baselines was measured, and a best one is known.
pub(crate) fn usable(summary: &ExperimentSummary) -> bool {
    summary.best.is_some() && summary.outcomes.get(&Outcome::Measured).is_some_and(|n| *n > 0)
}

/// With several clusters, in whose terms the front's values are.
pub(crate) fn in_terms(summary: &ExperimentSummary) -> Option<String> {
    let first = summary.factors.keys().next().filter(|_| summary.factors.len() > 1)?;
    Some(format!("in the terms of {first}: each beside the baseline of its own cluster"))
}

/// How the best trial was found to be better, if nothing was measured afresh, and why nothing was.
pub(crate) fn unconfirmed(summary: &ExperimentSummary, spec: &ExperimentSpec) -> String {
    let found = match summary.front.is_empty() {
        true => "the best of several single measurements",
        false => "a front of single measurements",
    };
    let over = matches!(summary.phase, Phase::Closing | Phase::Ended);
    let why = match &summary.recommended {
        None if over => "; the baseline itself is recommended, so there is nothing to confirm",
        _ if spec.confirm.is_none() => ", not confirmed (`[confirm]` in the experiment file)",
        _ if over => ", not confirmed: the experiment ended before that could be done",
        _ => ", not confirmed yet",
    };
    format!("{found}{why}")
}

/// How a trial is called.
pub(crate) fn title(kind: TrialKind, number: u32) -> String {
    match kind {
        TrialKind::Baseline => "baseline".into(),
        TrialKind::Recommended => "best values, afresh".into(),
        TrialKind::Closing => "closing".into(),
        TrialKind::Proposed | TrialKind::Manual => format!("trial {number}"),
    }
}

/// What an open epoch is at.
pub(crate) fn activity(epoch: &EpochView, now: Timestamp) -> String {
    let mut text = title(epoch.kind, epoch.number);
    if let (Some(stage), Some(action)) = (epoch.stage, epoch.action) {
        let step = epoch.step + 1;
        text.push_str(&format!(", {stage} {} (step {step} of {})", action.as_str(), epoch.steps));
    }
    let since = spell(now.since(epoch.since));
    match (epoch.state, &epoch.worker, epoch.until) {
        (EpochPhase::Handed, ..) => text.push_str(&format!(", waits for a worker since {since}")),
        (EpochPhase::Leased, Some(worker), _) => text.push_str(&format!(", {since} at worker {worker}")),
        (EpochPhase::BackingOff, _, Some(until)) => {
            text.push_str(&format!(", tried again in {}", spell(until.since(now))));
        }
        _ => text.push_str(&format!(", {since}")),
    }
    if epoch.attempt > 1 {
        text.push_str(&format!(", attempt {}", epoch.attempt));
    }
    text
}

#[cfg(test)]
mod tests {
    use autoopt_coordinator::api::view::RecommendedView;
    use autoopt_epoch::experiment::parse_toml;
    use autoopt_epoch::space::Parameters;
    use serde_json::json;

    use super::*;

    fn minutes(n: u64) -> Duration {
        Duration::from_secs(60 * n)
    }

    #[test]
    fn the_time_left_follows_the_pace_within_the_wall_time() {
        assert_eq!(left(0, 10, minutes(5), None), None);
        assert_eq!(left(0, 10, minutes(5), Some(minutes(9))), Some(minutes(9)));
        assert_eq!(left(5, 10, minutes(5), None), Some(minutes(5)));
        assert_eq!(left(5, 10, minutes(5), Some(minutes(2))), Some(minutes(2)));
        assert_eq!(left(12, 10, minutes(5), None), Some(minutes(0)));
    }

    #[test]
    fn the_best_is_told_with_its_gain() {
        let mut standing = Standing { best: Some((7, 1.5)), gain: Some(0.25), ..Standing::default() };
        assert_eq!(standing.best(), "best so far: trial 7, 1.5 (+25.0 %)");
        standing.best = Some((0, 1.2));
        assert_eq!(standing.best(), "best so far: the baseline, 1.2");
        standing.best = None;
        assert_eq!(standing.best(), "nothing measured yet");
    }

    #[test]
    fn what_was_not_measured_afresh_says_why() {
        let mut spec =
            parse_toml(include_str!("../../examples/quadratic.toml"), "quadratic.toml").expect("an example");
        let confirm = spec.confirm.clone();
        assert!(confirm.is_some());
        let id = "01a20d9d-7e75-75f2-be4a-a6cd05d1b65f";
        let mut summary: ExperimentSummary = serde_json::from_value(json!({
            "id": id, "name": "traded", "phase": "ended", "goal": "maximize", "budget": {"trials": 1}, "clusters": ["c"],
            "accepted": 1, "outcomes": {"measured": 1}, "baseline": {"c": 7.0}, "started": "2026-01-01T00:00:00Z",
            "front": [{"trial": id, "number": 1, "values": [6.0, 36.0], "parameters": {}}],
        }))
        .expect("a summary");
        let nothing = "a front of single measurements; the baseline itself is recommended, so there is nothing to confirm";
        assert_eq!(unconfirmed(&summary, &spec), nothing);
        spec.confirm = None;
        assert_eq!(unconfirmed(&summary, &spec), nothing, "nor would the table have helped");
        let recommended = RecommendedView { number: 1, parameters: Parameters::new() };
        summary.recommended = Some(recommended);
        assert!(unconfirmed(&summary, &spec).ends_with("not confirmed (`[confirm]` in the experiment file)"));
        spec.confirm = confirm;
        let told = unconfirmed(&summary, &spec);
        assert!(told.ends_with("not confirmed: the experiment ended before that could be done"), "{told}");
        (summary.phase, summary.recommended) = (Phase::Running, None);
        summary.front.clear();
        let told = unconfirmed(&summary, &spec);
        assert_eq!(told, "the best of several single measurements, not confirmed yet");
    }
}
