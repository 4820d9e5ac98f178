//! The report of an experiment: what is claimed, how to put it in force, and everything it rests on.

mod chart;
mod facts;
mod page;
mod patch;

use autoopt_coordinator::api::view::{ExperimentDetail, TrialDetail, TrialView};
use autoopt_epoch::time::Timestamp;
use serde::Serialize;

use facts::{Placement, Progress, captured, placements, progress};
pub(crate) use page::page;
use patch::{Patch, patch};

/// All of it, for programs; [`page()`] is the same for people.
#[derive(Debug, Serialize)]
pub(crate) struct Report {
    pub(crate) written: Timestamp,
    pub(crate) version: &'static str,
    pub(crate) experiment: ExperimentDetail,
    /// How to put in force what is recommended.
    pub(crate) patch: Option<Patch>,
    /// The best objective so far, trial by trial.
    pub(crate) progress: Vec<Progress>,
    /// Where each server landed.
    pub(crate) placements: Vec<Placement>,
    /// What the stages told of the first baseline: the environment as it was found.
    pub(crate) captured: serde_json::Value,
    pub(crate) trials: Vec<TrialView>,
}

impl Report {
    /// `before` is the first baseline, `after` the recommended trial, each with its epochs.
    pub(crate) fn new(
        experiment: ExperimentDetail,
        trials: Vec<TrialView>,
        before: Option<&TrialDetail>,
        after: Option<&TrialDetail>,
        written: Timestamp,
    ) -> Self {
        let captured = captured(before);
        Self {
            written,
            version: env!("CARGO_PKG_VERSION"),
            patch: experiment.summary.recommended.as_ref().map(|r| patch(&experiment, r, &captured)),
            progress: progress(&experiment, &trials),
            placements: placements(before, after),
            captured,
            experiment,
            trials,
        }
    }
}
