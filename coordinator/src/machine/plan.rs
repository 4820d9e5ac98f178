//! Plans: what an epoch does, and what undoes it.

use autoopt_epoch::experiment::{AtEnd, ExperimentSpec, KeepLoad};
use autoopt_epoch::failure::{FailureKind, Outcome};
use autoopt_epoch::message::{Action, Stage, TrialKind};

use super::{Epoch, Step};

const fn step(stage: Stage, action: Action) -> Step {
    Step { stage, action }
}

/// The plan of an epoch that goes well.
pub(super) fn plan(spec: &ExperimentSpec, kind: TrialKind, has_better: bool) -> Vec<Step> {
    if kind == TrialKind::Closing {
        let mut plan = vec![step(Stage::Load, Action::Undo)];
        match spec.at_end {
            AtEnd::Best if has_better => plan.push(step(Stage::Apply, Action::Run)),
            AtEnd::Best | AtEnd::Restore => plan.push(step(Stage::Apply, Action::Undo)),
            AtEnd::Keep => {}
        }
        return plan;
    }
    let apply = if kind == TrialKind::Baseline { Action::Capture } else { Action::Run };
    let mut plan = vec![
        step(Stage::Apply, apply),
        step(Stage::Load, Action::Run),
        step(Stage::Bench, Action::Run),
        step(Stage::Collect, Action::Run),
    ];
    if spec.load.keep == Some(KeepLoad::Epoch) {
        plan.push(step(Stage::Load, Action::Undo));
    }
    plan
}

/// What undoes an epoch that failed with `outcome` at its current step.
pub(super) fn undo(spec: &ExperimentSpec, epoch: &Epoch, outcome: Outcome) -> Vec<Step> {
    let begun =
        |stage, action| epoch.plan.iter().take(epoch.at as usize + 1).any(|s| *s == step(stage, action));
    let mut undo = Vec::new();
    if begun(Stage::Bench, Action::Run) {
        undo.push(step(Stage::Bench, Action::Undo));
    }
    if spec.load.keep == Some(KeepLoad::Epoch) && begun(Stage::Load, Action::Run) {
        undo.push(step(Stage::Load, Action::Undo));
    }
    // an invalid measurement says nothing against the values: the next epoch measures them again
    if outcome != Outcome::from(FailureKind::Invalid) && begun(Stage::Apply, Action::Run) {
        undo.push(step(Stage::Apply, Action::Undo));
    }
    undo
}
