//! What an epoch does, and what undoes it.

use autoopt_epoch::experiment::{AtEnd, ExperimentSpec, KeepLoad};
use autoopt_epoch::failure::Outcome;
use autoopt_epoch::message::{Action, Stage, TrialKind};

use super::{Site, Step, Trial};

pub(super) const fn step(stage: Stage, action: Action) -> Step {
    Step { stage, action }
}

fn load_per_epoch(spec: &ExperimentSpec) -> bool {
    spec.load.keep == Some(KeepLoad::Epoch)
}

/// The plan of a trial that is measured.
///
/// The first baseline is what is found; a later one is that again, put back as at the end of an experiment.
pub(super) fn measuring(trial: &Trial, spec: &ExperimentSpec) -> Vec<Step> {
    let first = match (trial.kind, trial.again) {
        (TrialKind::Baseline, false) => Action::Capture,
        (TrialKind::Baseline, true) => Action::Undo,
        _ => Action::Run,
    };
    let mut plan = vec![
        step(Stage::Apply, first),
        step(Stage::Load, Action::Run),
        step(Stage::Bench, Action::Run),
        step(Stage::Collect, Action::Run),
    ];
    if load_per_epoch(spec) {
        plan.push(step(Stage::Load, Action::Undo));
    }
    plan
}

/// What follows once the verdict is set while `begun` (the last one included) has been begun.
///
/// A measured epoch leaves its values in force for the next trial to replace. `invalid` is measured again under the same
/// values. An epoch that only captured has changed nothing. A finished benchmark has nothing left to remove.
pub(super) fn undoing(begun: &[Step], verdict: Outcome, measured: bool, spec: &ExperimentSpec) -> Vec<Step> {
    let ran = |stage| begun.contains(&step(stage, Action::Run));
    let mut plan = Vec::new();
    if ran(Stage::Bench) && !measured {
        plan.push(step(Stage::Bench, Action::Undo));
    }
    if ran(Stage::Load) && load_per_epoch(spec) {
        plan.push(step(Stage::Load, Action::Undo));
    }
    let keep = matches!(verdict, Outcome::Measured | Outcome::Invalid);
    if ran(Stage::Apply) && !keep {
        plan.push(step(Stage::Apply, Action::Undo));
    }
    plan
}

/// How a cluster is left. `best`: whether values better than the baseline's are to be put in force.
pub(super) fn closing(site: &Site, spec: &ExperimentSpec, best: bool) -> Vec<Step> {
    let mut plan = Vec::new();
    for stage in [Stage::Bench, Stage::Load] {
        if site.dirty.contains(&stage) {
            plan.push(step(stage, Action::Undo));
        }
    }
    if best {
        plan.push(step(Stage::Apply, Action::Run));
    } else if site.dirty.contains(&Stage::Apply) && spec.at_end != AtEnd::Keep {
        plan.push(step(Stage::Apply, Action::Undo));
    }
    plan
}
