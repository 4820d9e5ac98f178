//! An experiment: its phase, its queue of trials, and what it knows of each cluster.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use autoopt_epoch::experiment::ExperimentSpec;
use autoopt_epoch::failure::Outcome;
use autoopt_epoch::id::{AskId, EpochId, ExperimentId, TrialId};
use autoopt_epoch::message::{Compromise, Observation, Outlook, Stage, TrialKind};
use autoopt_epoch::space::Parameters;
use autoopt_epoch::statistics::{Run, Terms};
use autoopt_epoch::time::Timestamp;
use serde::{Deserialize, Serialize};

use super::{Confirmation, Epoch, PairRun, Trial};

/// An open experiment.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Experiment {
    pub id: ExperimentId,
    pub spec: Arc<ExperimentSpec>,
    pub submitted: Timestamp,
    pub phase: Phase,
    /// Why it stopped.
    pub reason: Option<String>,
    pub ended: Option<Timestamp>,
    /// Trials accepted beside the baselines; the last one's number.
    pub accepted: u32,
    /// Ended trials beside the baselines, by outcome.
    pub outcomes: BTreeMap<Outcome, u32>,
    /// Questions asked so far, by which their ids are derived.
    pub asked: u32,
    pub ask: Option<OpenAsk>,
    /// Answers in a row that were no trial of this space.
    #[serde(default)]
    pub refused: u32,
    /// No question before then, after a refused answer.
    #[serde(default)]
    pub ask_after: Option<Timestamp>,
    /// The best feasible trial, the baseline included.
    pub best: Option<Best>,
    /// With several objectives: the feasible trials that no other is better than in everything, the baseline among them; by the first
    /// objective, best first.
    #[serde(default)]
    pub front: Vec<FrontTrial>,
    /// With several objectives and clusters: by cluster what its values of each objective are multiplied by to be in the front's terms,
    /// which are those of the first cluster here.
    #[serde(default)]
    pub factors: BTreeMap<String, Vec<f64>>,
    /// What the optimizer made of the results when it last answered.
    #[serde(default)]
    pub outlook: Option<Box<Outlook>>,
    /// With several objectives: what the optimizer would recommend when it last answered.
    #[serde(default)]
    pub compromise: Option<Box<Compromise>>,
    /// Answers in a row that expected less gain than `budget.stop_below`.
    #[serde(default)]
    pub calm: u32,
    /// A person ended it before its time: nothing is confirmed.
    #[serde(default)]
    pub cut_short: bool,
    /// The comparison of the best values with the baseline, from its beginning on.
    #[serde(default)]
    pub confirmation: Option<Box<Confirmation>>,
    /// By cluster; in the store each has its own row.
    #[serde(skip)]
    pub sites: BTreeMap<String, Site>,
    /// Open trials; in the store each has its own row.
    #[serde(skip)]
    pub trials: BTreeMap<TrialId, Trial>,
    /// Open epochs; in the store each has its own row.
    #[serde(skip)]
    pub epochs: BTreeMap<EpochId, Epoch>,
    /// What the optimizer is told; in the store it stands with the trials.
    #[serde(skip)]
    pub results: Vec<Observation>,
    /// The values of ended trials; in the store they stand with the trials.
    #[serde(skip)]
    pub settled: BTreeMap<TrialId, Parameters>,
}

impl Experiment {
    /// A copy without what has rows of its own.
    pub fn row(&self) -> Self {
        Self {
            id: self.id,
            spec: Arc::clone(&self.spec),
            submitted: self.submitted,
            phase: self.phase,
            reason: self.reason.clone(),
            ended: self.ended,
            accepted: self.accepted,
            outcomes: self.outcomes.clone(),
            asked: self.asked,
            ask: self.ask.clone(),
            refused: self.refused,
            ask_after: self.ask_after,
            best: self.best.clone(),
            front: self.front.clone(),
            factors: self.factors.clone(),
            outlook: self.outlook.clone(),
            compromise: self.compromise.clone(),
            calm: self.calm,
            cut_short: self.cut_short,
            confirmation: self.confirmation.clone(),
            sites: BTreeMap::new(),
            trials: BTreeMap::new(),
            epochs: BTreeMap::new(),
            results: Vec::new(),
            settled: BTreeMap::new(),
        }
    }

    /// What the first baseline of a cluster is called.
    pub(super) fn first_baseline(cluster: &str) -> String {
        format!("baseline/{cluster}")
    }

    /// The values that were found on a cluster, once its first baseline has ended.
    pub(super) fn found(&self, cluster: &str) -> Option<&Parameters> {
        self.settled.get(&TrialId::derived(self.id.0, &Self::first_baseline(cluster)))
    }

    /// The values to go on with and the number of a trial that had them: those that are or were confirmed; before that what the
    /// optimizer recommends, which sees through noise; the best measured ones where it recommends nothing. With several objectives they
    /// are a compromise. `None` while neither is better than the baseline.
    pub fn recommended(&self) -> Option<(u32, &Parameters)> {
        if let Some(confirmation) = &self.confirmation {
            return Some((confirmation.number, &confirmation.parameters));
        }
        let (by_model, measured) = match self.spec.other_objectives.is_empty() {
            true => (
                self.outlook.as_ref().map(|o| (o.recommended.number, &o.recommended.parameters)),
                self.best.as_ref().map(|b| (b.number, &b.parameters)),
            ),
            false => (
                self.compromise.as_ref().map(|c| (c.number, &c.parameters)),
                self.measured_compromise().map(|f| (f.number, &f.parameters)),
            ),
        };
        by_model.or(measured).filter(|(number, _)| *number > 0)
    }

    /// How values of its clusters compare in an objective, counted from 0: by the baselines' runs so far.
    pub(super) fn terms(&self, objective: usize) -> Terms<'_> {
        Terms::new(objective, self.sites.iter().map(|(cluster, site)| (cluster.as_str(), &site.runs[..])))
    }

    /// How many epochs of a trial are to be measured.
    pub fn repeats(&self, trial: &Trial) -> usize {
        if trial.again { 1 } else { self.spec.repeats as usize }
    }

    /// Whether a cluster is being left as the experiment says.
    pub(super) fn is_closing(&self, cluster: &str) -> bool {
        self.trials.values().any(|t| t.kind == TrialKind::Closing && t.cluster.as_deref() == Some(cluster))
    }

    /// When no new trial is begun any more, if the budget says so.
    pub fn wall_end(&self) -> Option<Timestamp> {
        self.spec.budget.wall_time.map(|w| self.submitted.after(w.0))
    }
}

/// Where an experiment is.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, schemars::JsonSchema,
)]
#[serde(rename_all = "snake_case")]
pub enum Phase {
    Running,
    Paused,
    /// The search is over; its best values are compared with the baseline.
    Confirming,
    /// No new trials; the running ones end.
    Stopping,
    /// Every cluster is being left as the experiment says.
    Closing,
    Ended,
}

/// A question that waits for its answer.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct OpenAsk {
    pub id: AskId,
    /// Asked again then.
    pub until: Timestamp,
    pub attempt: u32,
}

/// What an experiment knows of one of its clusters.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Site {
    /// What was in force before; the restore point.
    pub captured: Option<Parameters>,
    /// The baseline's metrics, once measured.
    pub baseline: Option<BTreeMap<String, f64>>,
    /// The baseline trial has ended (measured or not).
    pub baseline_ended: bool,
    /// Something was begun there, so it has to be closed.
    pub touched: bool,
    /// It has been left as the experiment says, or a person has given it up. The next epoch here begins anew.
    pub closed: bool,
    /// How often that was begun, by which the ids of closings are derived.
    #[serde(default)]
    pub closings: u32,
    /// When it was last left.
    #[serde(default)]
    pub parted: Option<Timestamp>,
    /// Stages that may have left something in force, for the closing to undo.
    #[serde(default)]
    pub dirty: BTreeSet<Stage>,
    /// Why nothing but the closing runs here any more.
    #[serde(default)]
    pub out_of_use: Option<String>,
    /// A person took it out of the experiment before that ended.
    #[serde(default)]
    pub left: bool,
    /// What the last epoch has left in force.
    #[serde(default)]
    pub in_force: Option<Parameters>,
    /// Trials begun here, and baselines begun again, where the experiment wants them again.
    #[serde(default)]
    pub begun: u32,
    #[serde(default)]
    pub again: u32,
    /// Every run of the baseline, in the order in which they ended.
    #[serde(default)]
    pub runs: Vec<Run>,
    /// Of the confirmation, in order; the last one may be under way.
    #[serde(default)]
    pub pairs: Vec<PairRun>,
}

impl Site {
    /// Whether trials may run here.
    pub const fn usable(&self) -> bool {
        self.baseline_ended && self.out_of_use.is_none()
    }

    /// Whether its cluster may not be touched by another experiment.
    pub const fn occupied(&self) -> bool {
        self.touched && !self.closed
    }
}

/// The best feasible trial so far, by the mean of its repeats; beside those of other clusters by its ratio to its own baseline.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Best {
    pub trial: TrialId,
    pub number: u32,
    /// Where it was measured; empty if that was not written down.
    #[serde(default)]
    pub cluster: String,
    pub objective: f64,
    pub parameters: Parameters,
}

/// A trial of the front of several objectives, by the means of its repeats.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct FrontTrial {
    pub trial: TrialId,
    pub number: u32,
    /// Where it was measured; empty if that was not written down.
    #[serde(default)]
    pub cluster: String,
    /// Of each objective, in their order; with several clusters in the terms of one of them.
    pub values: Vec<f64>,
    pub parameters: Parameters,
}
