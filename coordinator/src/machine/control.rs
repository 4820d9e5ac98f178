//! An experiment's phases, and a person's wishes about them.

use autoopt_epoch::failure::Outcome;
use autoopt_epoch::id::{EpochId, ExperimentId, TrialId};
use autoopt_epoch::message::{EventKind, TrialKind};
use serde_json::json;

use super::turn::Turn;
use super::{Control, Epoch, Phase, Trial, TrialState};

impl Turn<'_> {
    pub(super) fn control(&mut self, id: ExperimentId, control: Control) {
        let Some(phase) = self.experiment(id).map(|e| e.phase) else {
            return self.reject(format!("no open experiment has the id {id}; it may have ended already"));
        };
        match (control, phase) {
            (Control::Pause, Phase::Running | Phase::Confirming) => {
                self.set_phase(id, Phase::Paused);
                let message = "paused by a person: no new epoch begins, running ones go on";
                self.log_experiment(id, EventKind::ExperimentPaused, message, json!({}));
                self.seek_all(id);
            }
            (Control::Resume, Phase::Paused) => {
                let confirming = self.experiment(id).is_some_and(|e| e.confirmation.is_some());
                self.set_phase(id, if confirming { Phase::Confirming } else { Phase::Running });
                self.log_experiment(id, EventKind::ExperimentResumed, "resumed by a person", json!({}));
                self.seek_all(id);
                self.due.insert(id);
            }
            (Control::Pause, Phase::Paused) | (Control::Resume, Phase::Running | Phase::Confirming) => {}
            (Control::Pause | Control::Resume, _) => {
                self.reject("the experiment is ending; it can be neither paused nor resumed");
            }
            (Control::Stop, Phase::Running | Phase::Paused | Phase::Confirming) => {
                self.cut_short(id, "stopped by a person");
                self.stop(id, "stopped by a person");
            }
            (Control::Cancel, Phase::Running | Phase::Paused | Phase::Confirming | Phase::Stopping) => {
                self.cancel(id);
            }
            // leaving the clusters as the experiment says is not given up
            (Control::Stop | Control::Cancel, _) => {}
        }
    }

    pub(super) fn set_phase(&mut self, id: ExperimentId, phase: Phase) {
        if let Some(experiment) = self.experiment_mut(id) {
            experiment.phase = phase;
        }
        self.time_experiment(id);
    }

    /// No new trials; the running ones end, then the clusters are left.
    pub(super) fn stop(&mut self, id: ExperimentId, reason: &str) {
        let Some(experiment) = self.experiment_mut(id) else { return };
        experiment.reason = Some(reason.to_owned());
        experiment.ask = None;
        experiment.ask_after = None;
        self.set_phase(id, Phase::Stopping);
        let message = format!("{reason}: no new trial begins, running ones end");
        self.log_experiment(id, EventKind::ExperimentStopping, message, json!({"reason": reason}));
        // what is half measured is measured to its end
        self.end_waiting(id, |t| t.measurements.is_empty(), reason);
        self.seek_all(id);
        self.due.insert(id);
    }

    fn cancel(&mut self, id: ExperimentId) {
        let reason = "cancelled by a person";
        self.cut_short(id, reason);
        if self.experiment(id).is_some_and(|e| e.phase != Phase::Stopping) {
            self.stop(id, reason);
        }
        self.end_waiting(id, |_| true, reason);
        let of_search = |epoch: &&Epoch| epoch.kind != TrialKind::Closing;
        let running: Vec<EpochId> = self
            .experiment(id)
            .into_iter()
            .flat_map(|e| e.epochs.values())
            .filter(of_search)
            .map(|e| e.id)
            .collect();
        for epoch in running {
            self.abandon(id, epoch, "its experiment was cancelled");
        }
    }

    /// Ends trials that wait; a cluster that is being left is left all the same.
    pub(super) fn end_waiting(&mut self, id: ExperimentId, which: impl Fn(&Trial) -> bool, reason: &str) {
        let waiting: Vec<TrialId> = self
            .experiment(id)
            .into_iter()
            .flat_map(|e| e.trials.values())
            .filter(|t| {
                which(t) && t.kind != TrialKind::Closing && matches!(t.state, TrialState::Waiting { .. })
            })
            .map(|t| t.id)
            .collect();
        for trial in waiting {
            let reason = format!("given up while it was waiting: {reason}");
            self.end_trial(id, trial, Outcome::Abandoned, Some(reason), None);
        }
    }

    pub(super) fn wall_time_over(&mut self, id: ExperimentId) {
        if self.experiment(id).is_some_and(|e| e.phase == Phase::Running) {
            self.stop(id, "the wall time of the budget is over");
        }
    }

    /// Goes on to the next phase, if this one is over.
    pub(super) fn move_on(&mut self, id: ExperimentId) {
        let Some(experiment) = self.experiment(id) else { return };
        // a cluster that left in between and cannot be closed holds nobody up before the end
        let done = experiment.trials.values().all(|t| t.kind == TrialKind::Closing);
        let counted = self.world.index.queues.get(&id).map_or(0, |q| q.open);
        let unusable = experiment.sites.values().all(|s| s.out_of_use.is_some());
        match experiment.phase {
            Phase::Running => {
                if unusable {
                    let why =
                        experiment.sites.values().find_map(|s| s.out_of_use.as_deref()).unwrap_or_default();
                    let reason = format!("no cluster has a baseline ({why})");
                    self.stop(id, &reason);
                } else if experiment.accepted >= experiment.spec.budget.trials && counted == 0 {
                    if done {
                        self.conclude_search(id);
                    } else if experiment.spec.budget.trials > 0 {
                        self.end_waiting(id, |t| t.kind == TrialKind::Baseline, "the budget is used up");
                    }
                } else {
                    self.curious.insert(id);
                }
            }
            Phase::Confirming | Phase::Stopping if done => self.conclude_search(id),
            // not even what is half measured could be measured to its end
            Phase::Stopping if unusable => self.end_waiting(id, |_| true, "no cluster is left to run on"),
            Phase::Closing if done && !experiment.sites.values().any(super::Site::occupied) => {
                self.end_experiment(id);
            }
            Phase::Paused | Phase::Confirming | Phase::Stopping | Phase::Closing | Phase::Ended => {}
        }
    }
}
