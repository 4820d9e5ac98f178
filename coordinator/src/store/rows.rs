//! Records as rows: the whole as JSON, and in columns what is searched for.

use autoopt_epoch::bus::Outgoing;
use autoopt_epoch::id::MessageId;
use autoopt_epoch::message::{Artifact, Event};
use autoopt_epoch::time::Timestamp;
use sea_orm::{NotSet, Set};
use serde::Serialize;

use super::StoreError;
use super::entity::{
    artifact, attempt, cluster, epoch, event, experiment, inbox, metric, outbox, site, trial,
};
use super::load::unreadable;
use crate::machine::{
    Attempt, Cluster, Ending, Epoch, Experiment, Phase, Progress, Record, Trial, TrialState,
};

/// Rows of every table that records go to.
#[derive(Default)]
pub(super) struct Rows {
    pub(super) experiments: Vec<experiment::ActiveModel>,
    pub(super) sites: Vec<site::ActiveModel>,
    pub(super) trials: Vec<trial::ActiveModel>,
    pub(super) epochs: Vec<epoch::ActiveModel>,
    pub(super) attempts: Vec<attempt::ActiveModel>,
    pub(super) metrics: Vec<metric::ActiveModel>,
    pub(super) artifacts: Vec<artifact::ActiveModel>,
    pub(super) clusters: Vec<cluster::ActiveModel>,
}

impl Rows {
    pub(super) fn add(&mut self, record: &Record) -> Result<(), StoreError> {
        match record {
            Record::Experiment(e) => self.experiments.push(experiment(e)?),
            Record::Site { experiment, cluster, site } => self.sites.push(site::ActiveModel {
                experiment: Set(experiment.to_string()),
                cluster: Set(cluster.clone()),
                state: Set(json("site", site)?),
            }),
            Record::Trial(t) => self.trials.push(trial(t)?),
            Record::Epoch(e) => {
                self.epochs.push(epoch(e)?);
                let metrics = e.measurement.iter().flat_map(|m| &m.metrics);
                self.metrics.extend(metrics.map(|(name, value)| metric::ActiveModel {
                    epoch: Set(e.id.to_string()),
                    trial: Set(e.trial.to_string()),
                    name: Set(name.clone()),
                    value: Set(*value),
                }));
            }
            Record::Attempt(a) => {
                self.attempts.push(attempt(a)?);
                for artifact in &a.artifacts {
                    let data = artifact.gzip().map_err(|e| unwritable("artifact", &e))?;
                    self.artifacts.push(artifact::ActiveModel {
                        epoch: Set(a.epoch.to_string()),
                        step: Set(a.step.into()),
                        attempt: Set(a.attempt.into()),
                        name: Set(artifact.name.clone()),
                        bytes: Set(i64::try_from(artifact.bytes).unwrap_or(i64::MAX)),
                        truncated: Set(artifact.truncated),
                        data: Set(data),
                    });
                }
            }
            Record::Cluster(c) => self.clusters.push(cluster(c)?),
        }
        Ok(())
    }
}

/// An artifact as it was reported.
pub(super) fn kept_artifact(row: &artifact::Model) -> Result<Artifact, StoreError> {
    let key = || format!("{}/{}/{}/{}", row.epoch, row.step, row.attempt, row.name);
    let bytes = u64::try_from(row.bytes).map_err(|e| unreadable("artifact", &key(), e))?;
    Ok(Artifact::from_gzip(&row.name, bytes, row.truncated, &row.data))
}

fn unwritable(table: &'static str, error: &dyn std::error::Error) -> StoreError {
    StoreError::Unwritable { table, reason: error.to_string() }
}

fn json<T: Serialize>(table: &'static str, value: &T) -> Result<String, StoreError> {
    serde_json::to_string(value).map_err(|e| unwritable(table, &e))
}

/// A worker's text for a text column: PostgreSQL takes no NUL there, and a program's last words may hold one.
fn text(from: &str) -> String {
    from.replace('\0', "\u{FFFD}")
}

fn experiment(e: &Experiment) -> Result<experiment::ActiveModel, StoreError> {
    Ok(experiment::ActiveModel {
        id: Set(e.id.to_string()),
        name: Set(e.spec.name.to_string()),
        phase: Set(phase(e.phase).into()),
        submitted: Set(e.submitted.as_millis()),
        ended: Set(e.ended.map(Timestamp::as_millis)),
        state: Set(json("experiment", e)?),
    })
}

/// The phase as it stands in the table.
pub(super) fn phase(phase: Phase) -> &'static str {
    match phase {
        Phase::Running => "running",
        Phase::Paused => "paused",
        Phase::Confirming => "confirming",
        Phase::Stopping => "stopping",
        Phase::Closing => "closing",
        Phase::Ended => "ended",
    }
}

fn trial(t: &Trial) -> Result<trial::ActiveModel, StoreError> {
    let (ended, outcome, observed) = match &t.state {
        TrialState::Ended { at, outcome, observation, .. } => {
            let objective = observation.as_ref().and_then(|o| o.objective);
            (Some(at.as_millis()), Some(outcome.as_str().into()), objective)
        }
        TrialState::Waiting { .. } | TrialState::Running { .. } => (None, None, None),
    };
    let measured = t.measurements.iter().map(|m| m.objective);
    let mean = (!t.measurements.is_empty()).then(|| measured.sum::<f64>() / t.measurements.len() as f64);
    Ok(trial::ActiveModel {
        id: Set(t.id.to_string()),
        experiment: Set(t.experiment.to_string()),
        number: Set(t.number.into()),
        kind: Set(t.kind.as_str().into()),
        outcome: Set(outcome),
        submitted: Set(t.submitted.as_millis()),
        ended: Set(ended),
        objective: Set(observed.or(mean)),
        state: Set(json("trial", t)?),
    })
}

fn epoch(e: &Epoch) -> Result<epoch::ActiveModel, StoreError> {
    let ended = match e.progress {
        Progress::Ended { at } => Some(at.as_millis()),
        Progress::Handed { .. } | Progress::Leased { .. } | Progress::BackingOff { .. } => None,
    };
    Ok(epoch::ActiveModel {
        id: Set(e.id.to_string()),
        trial: Set(e.trial.to_string()),
        experiment: Set(e.experiment.to_string()),
        cluster: Set(e.cluster.clone()),
        started: Set(e.started.as_millis()),
        ended: Set(ended),
        outcome: Set(e.verdict.as_ref().map(|v| v.outcome.as_str().into())),
        state: Set(json("epoch", e)?),
    })
}

fn attempt(a: &Attempt) -> Result<attempt::ActiveModel, StoreError> {
    let (ending, reason) = match &a.ending {
        Ending::Done => (DONE, None),
        Ending::Failed { reason, .. } => ("failed", Some(text(reason))),
        Ending::Superseded { reason } => ("superseded", Some(text(reason))),
    };
    // the artifacts have their own table
    let state = Attempt {
        artifacts: Vec::new(),
        worker: a.worker.clone(),
        ending: a.ending.clone(),
        outputs: a.outputs.clone(),
        ..*a
    };
    Ok(attempt::ActiveModel {
        epoch: Set(a.epoch.to_string()),
        step: Set(a.step.into()),
        attempt: Set(a.attempt.into()),
        stage: Set(a.stage.as_str().into()),
        action: Set(a.action.as_str().into()),
        worker: Set(a.worker.as_deref().map(text)),
        started: Set(a.started.map(Timestamp::as_millis)),
        ended: Set(a.ended.as_millis()),
        ending: Set(ending.into()),
        reason: Set(reason),
        state: Set(json("attempt", &state)?),
    })
}

/// How a successful attempt stands in the table.
pub(super) const DONE: &str = "done";

fn cluster(c: &Cluster) -> Result<cluster::ActiveModel, StoreError> {
    Ok(cluster::ActiveModel { name: Set(c.name.clone()), state: Set(json("cluster", c)?) })
}

pub(super) fn event(e: &Event) -> Result<event::ActiveModel, StoreError> {
    Ok(event::ActiveModel {
        seq: NotSet,
        at: Set(e.at.as_millis()),
        kind: Set(e.kind.as_str().into()),
        experiment: Set(e.experiment_id.map(|id| id.to_string())),
        trial: Set(e.trial.map(|id| id.to_string())),
        epoch: Set(e.epoch.map(|id| id.to_string())),
        body: Set(json("event", e)?),
    })
}

pub(super) fn outgoing(o: &Outgoing) -> Result<outbox::ActiveModel, StoreError> {
    Ok(outbox::ActiveModel {
        seq: NotSet,
        message: Set(o.id.to_string()),
        routing_key: Set(o.routing_key.clone()),
        kind: Set(o.kind.clone()),
        mandatory: Set(o.mandatory),
        headers: Set(json("outbox", &o.headers)?),
        body: Set(o.body.clone()),
    })
}

pub(super) fn inbox(id: MessageId, at: Timestamp) -> inbox::ActiveModel {
    inbox::ActiveModel { id: Set(id.to_string()), at: Set(at.as_millis()) }
}
