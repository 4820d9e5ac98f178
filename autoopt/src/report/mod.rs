//! The report of an experiment: what is claimed, how to put it in force, and everything it rests on.

mod chart;
mod effects;
mod facts;
mod front;
mod page;
mod patch;

use std::collections::BTreeMap;

use autoopt_coordinator::api::view::{ExperimentDetail, TrialDetail, TrialView};
use autoopt_epoch::time::Timestamp;
use autoopt_optimizer::explain::Explanation;
use serde::Serialize;

use crate::model::explained;
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
    /// What the optimizer's model makes of the results; absent where there are too few for one.
    pub(crate) explanation: Option<Explanation>,
    /// Where each server landed.
    pub(crate) placements: Vec<Placement>,
    /// By cluster, what the stages told of the first baseline: the environment as it was found.
    pub(crate) captured: BTreeMap<String, serde_json::Value>,
    pub(crate) trials: Vec<TrialView>,
}

impl Report {
    /// `before` are the first baselines of the clusters, `after` is the recommended trial, each with its epochs.
    pub(crate) fn new(
        experiment: ExperimentDetail,
        mut trials: Vec<TrialView>,
        before: &[TrialDetail],
        after: Option<&TrialDetail>,
        written: Timestamp,
    ) -> Self {
        // ids of those that the experiment has by itself are in no order
        trials.sort_by_key(|trial| (trial.submitted, trial.number));
        let captured = captured(before);
        Self {
            written,
            version: env!("CARGO_PKG_VERSION"),
            patch: experiment.summary.recommended.as_ref().map(|r| patch(&experiment, r, &captured)),
            progress: progress(&experiment, &trials),
            explanation: explained(&experiment, &trials).ok(),
            placements: placements(before, after),
            captured,
            experiment,
            trials,
        }
    }
}
