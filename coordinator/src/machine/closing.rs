//! The end of an experiment: every cluster is left as the experiment says, however long that takes.

use autoopt_epoch::experiment::AtEnd;
use autoopt_epoch::failure::Outcome;
use autoopt_epoch::id::ExperimentId;
use autoopt_epoch::message::{Action, EventKind, Stage, TrialKind};
use serde_json::json;

use super::events::seconds;
use super::turn::Turn;
use super::{Epoch, Experiment, Phase, Site, Trial, TrialState, Verdict, plan};

impl Turn<'_> {
    /// All trials have ended.
    pub(super) fn close(&mut self, id: ExperimentId) {
        let Some(experiment) = self.experiment_mut(id) else { return };
        experiment.phase = Phase::Closing;
        experiment.ask = None;
        experiment.ask_after = None;
        let how = match experiment.spec.at_end {
            AtEnd::Restore => "the clusters are left as they were found",
            AtEnd::Best => "the clusters are left with the best values",
            AtEnd::Keep => "the clusters are left with the last values",
        };
        let why = experiment.reason.clone().unwrap_or_else(|| "the budget is used up".into());
        let clusters: Vec<String> =
            experiment.sites.iter().filter(|(_, s)| s.occupied()).map(|(c, _)| c.clone()).collect();
        let closing = |cluster: &String| experiment.is_closing(cluster);
        let begun: Vec<String> = clusters.iter().filter(|c| closing(c)).cloned().collect();
        self.time_experiment(id);
        let detail = json!({"reason": why, "clusters": clusters});
        self.log_experiment(id, EventKind::ExperimentClosing, format!("{why}; {how}"), detail);
        for cluster in clusters.iter().filter(|cluster| !begun.contains(cluster)) {
            self.close_site(id, cluster);
        }
        self.due.insert(id);
    }

    pub(super) fn close_site(&mut self, id: ExperimentId, cluster: &str) {
        let Some(experiment) = self.experiment(id) else { return };
        let Some(site) = experiment.sites.get(cluster) else { return };
        let captured = site.captured.clone();
        let best = experiment.recommended().map(|(_, values)| values.clone());
        let own = match site.closings {
            0 => format!("closing/{cluster}"),
            n => format!("closing/{cluster}/{n}"),
        };
        let kind = TrialKind::Closing;
        let mut trial = Trial::own(id, &own, kind, captured.unwrap_or_default(), cluster, self.at);
        let leaves_best = self.leaves_best(experiment, site, &trial);
        if plan::closing(site, &experiment.spec, leaves_best).is_empty() {
            return self.site_closed(id, cluster);
        }
        if let Some(best) = best.filter(|_| leaves_best) {
            trial.parameters = best;
        }
        if let Some(site) = self.site_mut(id, cluster) {
            site.closings += 1;
        }
        self.add_trial(trial);
    }

    /// Whether a closing puts the best values in force: where they beat the baseline, were confirmed if that was to be, the
    /// cluster is in use, and they have not proved impossible there.
    pub(super) fn leaves_best(&self, experiment: &Experiment, site: &Site, closing: &Trial) -> bool {
        experiment.spec.at_end == AtEnd::Best
            && experiment.recommended().is_some()
            && experiment.confirmation.as_ref().is_none_or(|c| c.shown())
            && site.usable()
            && closing.invalid == 0
    }

    /// A closing epoch has ended: the cluster is left, or it is tried again once the breaker lets it.
    pub(super) fn conclude_closing(&mut self, epoch: &Epoch, verdict: &Verdict) {
        let (id, cluster) = (epoch.experiment, &epoch.cluster);
        if verdict.outcome == Outcome::Measured {
            self.end_trial(id, epoch.trial, Outcome::Measured, None, None);
            return self.site_closed(id, cluster);
        }
        if self.trial(id, epoch.trial).is_none() {
            // given up
            return;
        }
        let at = self.at;
        let captured =
            self.experiment(id).and_then(|e| e.sites.get(cluster)).and_then(|s| s.captured.clone());
        let applying = epoch.step_before() == Some(plan::step(Stage::Apply, Action::Run));
        let impossible = applying && !matches!(verdict.outcome, Outcome::Transient | Outcome::Broken);
        if let Some(trial) = self.trial_mut(id, epoch.trial) {
            trial.state = TrialState::Waiting { not_before: at };
            if impossible {
                trial.invalid += 1;
                trial.parameters = captured.unwrap_or_default();
            } else {
                trial.broken += 1;
            }
        }
        let reason = verdict.reason.as_deref().unwrap_or("no reason given");
        let next = if impossible { "it is to be left as it was found instead" } else { "it is tried again" };
        let message = format!("`{cluster}` could not be left as the experiment says: {reason}; {next}");
        self.log_epoch(epoch, EventKind::EpochEnded, message, json!({"outcome": verdict.outcome}));
        self.wait(id, epoch.trial);
    }

    /// A person gives a cluster up that cannot be left as the experiment says, for example because its host is gone.
    pub(super) fn give_up_closing(&mut self, trial: &Trial) {
        let (id, Some(cluster)) = (trial.experiment, &trial.cluster) else { return };
        let reason = format!("given up by a person: `{cluster}` was not left as the experiment says");
        self.end_trial(id, trial.id, Outcome::Abandoned, Some(reason.clone()), None);
        if let TrialState::Running { epoch } = trial.state {
            self.abandon_closing(id, epoch, &reason);
        }
        // it was not left for good, but what runs there now would not be what it says
        if self.experiment(id).is_some_and(|e| e.phase != Phase::Closing) {
            if let Some(site) = self.site_mut(id, cluster) {
                site.out_of_use.get_or_insert_with(|| reason.clone());
            }
            self.end_waiting(id, |t| t.cluster.as_ref() == Some(cluster), &reason);
        }
        self.site_closed(id, cluster);
    }

    fn site_closed(&mut self, id: ExperimentId, cluster: &str) {
        let at = self.at;
        if let Some(site) = self.site_mut(id, cluster) {
            site.closed = true;
            site.parted = Some(at);
            // what an experiment finds that comes back to a cluster it has shared
            site.in_force = site.in_force.take().and_then(|_| site.captured.clone());
        }
        self.world.index.owners.remove(cluster);
        self.change_cluster(cluster, |_| ());
        self.free.insert(cluster.to_owned());
        self.due.insert(id);
    }

    /// Every cluster has been left.
    pub(super) fn end_experiment(&mut self, id: ExperimentId) {
        let Some(experiment) = self.world.experiments.remove(&id) else { return };
        let mut row = experiment.row();
        row.phase = Phase::Ended;
        row.ended = Some(self.at);
        self.world.index.forget(&row);
        let took = seconds(self.at.since(row.submitted));
        let trials = row.outcomes.values().sum::<u32>();
        let (sentence, gain) = summary(&experiment);
        let why = row.reason.as_ref().map(|r| format!(" ({r})")).unwrap_or_default();
        let detail = json!({
            "best": row.best, "gain": gain, "outcomes": row.outcomes, "reason": row.reason, "trials": trials,
            "claim": row.confirmation.as_ref().and_then(|c| c.claim.as_ref()),
            "other_claims": row.confirmation.as_ref().map(|c| &c.other_claims),
        });
        let confirmed = experiment.confirmation.as_ref().map(|c| format!("; {}", c.told(&experiment.spec)));
        let confirmed = confirmed.unwrap_or_default();
        self.world.experiments.insert(id, experiment);
        let message = format!("ended after {trials} trials in {took}{why}; {sentence}{confirmed}");
        self.log_experiment(id, EventKind::ExperimentEnded, message, detail);
        self.world.experiments.remove(&id);
        self.record_ended_experiment(row);
    }
}

impl Epoch {
    /// The last step that was begun, of an epoch whose plan is done.
    fn step_before(&self) -> Option<super::Step> {
        self.plan.last().copied()
    }
}

/// The best value beside the baseline of its own cluster, and the relative gain; positive is better. Of several objectives, the front.
fn summary(experiment: &Experiment) -> (String, Option<f64>) {
    if !experiment.front.is_empty() {
        let several = experiment.sites.len() > 1;
        let each = experiment.front.iter().map(|f| match f.number {
            0 if several => format!("the baseline of `{}`", f.cluster),
            0 => "the baseline".to_owned(),
            number => format!("trial {number}"),
        });
        let each: Vec<String> = each.collect();
        return (format!("nothing is better in everything than {}", each.join(", ")), None);
    }
    let Some(best) = &experiment.best else { return ("nothing was measured".into(), None) };
    let of = |id| experiment.results.iter().find(|r| r.trial == id);
    let cluster = of(best.trial).map(|r| r.cluster.as_str());
    let baseline = experiment
        .results
        .iter()
        .find(|r| r.kind == TrialKind::Baseline && Some(r.cluster.as_str()) == cluster)
        .and_then(|r| r.objective);
    let Some(baseline) = baseline else {
        return (format!("the best is trial {} with {}", best.number, best.objective), None);
    };
    if best.number == 0 {
        return (format!("no trial beat the baseline's {baseline}"), Some(0.0));
    }
    let sign = experiment.spec.objective.goal().sign();
    let gain = sign * (best.objective - baseline) / baseline.abs();
    let gain = Some(gain).filter(|g| g.is_finite());
    let percent = gain.map(|g| format!(", {:.1} % better", g * 100.0)).unwrap_or_default();
    let number = best.number;
    (format!("the best is trial {number} with {} (baseline {baseline}{percent})", best.objective), gain)
}
