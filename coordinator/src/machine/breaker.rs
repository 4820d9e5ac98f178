//! The circuit breaker: keeps epochs away from a cluster that fails, and lets one try it out after a while.

use autoopt_epoch::failure::Outcome;
use autoopt_epoch::id::ExperimentId;
use autoopt_epoch::message::EventKind;
use serde_json::json;

use super::Breaker;
use super::events::seconds;
use super::turn::Turn;

impl Turn<'_> {
    /// Keeps epochs away for a while. Once more within one epoch changes nothing.
    pub(super) fn open_breaker(&mut self, cluster: &str, experiment: ExperimentId, reason: &str) {
        let Some(pause) = self.experiment(experiment).map(|e| e.spec.retry.breaker_pause.0) else { return };
        if self.world.clusters.get(cluster).is_none_or(|c| matches!(c.breaker, Breaker::Open { .. })) {
            return;
        }
        let until = self.at.after(pause);
        self.change_cluster(cluster, |c| c.breaker = Breaker::Open { until, reason: reason.to_owned() });
        let message = format!(
            "`{cluster}` is paused for {}: {reason}; once it is healthy, `resume` it to go on at once",
            seconds(pause)
        );
        let mut detail = json!({"until": until});
        if let Some(leaked) = self.world.clusters.get(cluster).and_then(|c| c.leaked.as_ref()) {
            detail["leaks"] = json!(leaked.leaks);
        }
        self.log_cluster(experiment, cluster, EventKind::ClusterPaused, message, detail);
    }

    /// Takes in how an epoch ended there.
    pub(super) fn judge(&mut self, cluster: &str, experiment: ExperimentId, outcome: Outcome, reason: &str) {
        let Some(limit) = self.experiment(experiment).map(|e| e.spec.retry.breaker_after) else { return };
        let Some(breaker) = self.world.clusters.get(cluster).map(|c| c.breaker.clone()) else { return };
        let failed = matches!(outcome, Outcome::Transient | Outcome::Invalid | Outcome::Broken);
        match breaker {
            // opened while this epoch was being undone
            Breaker::Open { .. } => {}
            Breaker::Trying { reason } if outcome == Outcome::Abandoned => {
                let until = self.at;
                self.change_cluster(cluster, |c| c.breaker = Breaker::Open { until, reason });
            }
            Breaker::Closed { .. } if outcome == Outcome::Abandoned => {}
            Breaker::Trying { .. } if failed => self.open_breaker(cluster, experiment, reason),
            Breaker::Trying { .. } => {
                self.change_cluster(cluster, |c| c.breaker = Breaker::Closed { failures: 0 });
                let message = format!("`{cluster}` works again");
                self.log_cluster(experiment, cluster, EventKind::ClusterResumed, message, json!({}));
            }
            Breaker::Closed { failures } if failed => {
                let failures = failures + 1;
                if outcome == Outcome::Broken {
                    self.open_breaker(cluster, experiment, reason);
                } else if failures >= limit {
                    let reason = format!("{failures} epochs in a row failed, the last one because {reason}");
                    self.open_breaker(cluster, experiment, &reason);
                } else {
                    self.change_cluster(cluster, |c| c.breaker = Breaker::Closed { failures });
                }
            }
            Breaker::Closed { failures } if failures > 0 => {
                self.change_cluster(cluster, |c| c.breaker = Breaker::Closed { failures: 0 });
            }
            Breaker::Closed { .. } => {}
        }
    }

    /// A person says that it is healthy.
    pub(super) fn resume_cluster(&mut self, cluster: &str, keep_leaks: bool) {
        if keep_leaks && let Some(leaked) = self.world.clusters.get(cluster).and_then(|c| c.leaked.clone()) {
            self.change_cluster(cluster, |c| c.leaked = None);
            let message =
                format!("what epoch {} left behind on `{cluster}` stays, says a person", leaked.epoch);
            let detail = json!({"cluster": cluster, "leaks": leaked.leaks});
            self.log(EventKind::ClusterResumed, message, detail);
        }
        match self.world.clusters.get(cluster).map(|c| &c.breaker) {
            None => {
                let known: Vec<&str> = self.world.clusters.keys().map(String::as_str).collect();
                self.reject(format!("no cluster is called `{cluster}`; known are: {}", list(&known)));
            }
            Some(Breaker::Closed { .. }) => {}
            Some(Breaker::Open { .. } | Breaker::Trying { .. }) => {
                self.change_cluster(cluster, |c| c.breaker = Breaker::Closed { failures: 0 });
                let message = format!("`{cluster}` was declared healthy by a person");
                self.log(EventKind::ClusterResumed, message, json!({"cluster": cluster}));
            }
        }
    }
}

/// Names in a sentence.
pub(super) fn list(names: &[&str]) -> String {
    if names.is_empty() {
        return "none".into();
    }
    names.iter().map(|n| format!("`{n}`")).collect::<Vec<_>>().join(", ")
}
