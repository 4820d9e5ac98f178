//! After the search: what it found is compared with the baseline, by fresh runs in pairs.
//!
//! On each cluster one pair follows the other, and the two runs of a pair follow each other, so that a drift hardly comes between
//! them. Which is first is drawn by lot for each two pairs, and turned round in the second of them. A run that fails for good makes its
//! pair void, and another one takes its place, until more than half as many as are wanted are void. If the values that are to be
//! confirmed prove infeasible, or break a constraint, that is the result.

use autoopt_epoch::experiment::ExperimentSpec;
use autoopt_epoch::failure::Outcome;
use autoopt_epoch::id::ExperimentId;
use autoopt_epoch::message::{EventKind, TrialKind};
use serde_json::json;

use super::again::lot;
use super::conclude::{mean, mean_others};
use super::turn::Turn;
use super::{Confirmation, PairRun, Phase, Trial};

impl Turn<'_> {
    /// All trials have ended: on to the confirmation, or from it to the end.
    pub(super) fn conclude_search(&mut self, id: ExperimentId) {
        match self.experiment(id).map(|e| e.confirmation.as_ref().map(|c| c.ended.is_some())) {
            Some(None) if self.begin_confirmation(id) => return,
            Some(Some(false)) => self.end_confirmation(id),
            _ => {}
        }
        self.close(id);
    }

    /// Whether there is something to confirm, somewhere to do so, and nobody against it.
    fn begin_confirmation(&mut self, id: ExperimentId) -> bool {
        let at = self.at;
        let Some(experiment) = self.experiment(id).filter(|e| !e.cut_short) else { return false };
        let (Some(confirm), Some((number, values))) = (&experiment.spec.confirm, experiment.recommended())
        else {
            return false;
        };
        let pairs = confirm.pairs;
        let usable = experiment.sites.iter().filter(|(_, s)| s.usable() && s.captured.is_some());
        let clusters: Vec<String> = usable.map(|(c, _)| c.clone()).collect();
        if clusters.is_empty() {
            return false;
        }
        let count = u32::try_from(clusters.len()).unwrap_or(u32::MAX);
        let confirmation = Confirmation {
            number,
            parameters: values.clone(),
            began: at,
            ended: None,
            clusters: count,
            done: 0,
            wanted: count.saturating_mul(pairs),
            void: 0,
            stopped: None,
            claim: None,
            other_claims: Vec::new(),
        };
        let what = match experiment.spec.other_objectives.is_empty() {
            true => "the values",
            false => "a compromise, the values",
        };
        let message = format!(
            "{what} of trial {number} are compared with the baseline: {pairs} pairs of fresh runs on {}",
            clusters.join(", ")
        );
        let detail = json!({"number": number, "parameters": values, "clusters": clusters, "pairs": pairs});
        if let Some(experiment) = self.experiment_mut(id) {
            experiment.confirmation = Some(Box::new(confirmation));
            experiment.ask = None;
            experiment.ask_after = None;
        }
        self.set_phase(id, Phase::Confirming);
        self.log_experiment(id, EventKind::ConfirmationStarted, message, detail);
        for cluster in clusters {
            self.go_on_confirming(id, &cluster);
        }
        true
    }

    /// Begins what is next on a cluster: the other run of its pair, another pair, or nothing.
    fn go_on_confirming(&mut self, id: ExperimentId, cluster: &str) {
        let at = self.at;
        let Some(experiment) = self.experiment(id) else { return };
        let (Some(confirm), Some(confirmation)) = (&experiment.spec.confirm, &experiment.confirmation) else {
            return;
        };
        let Some(site) = experiment.sites.get(cluster) else { return };
        if confirmation.stopped.is_some() {
            return;
        }
        let (best, found) = (confirmation.parameters.clone(), experiment.found(cluster).cloned());
        let open = site.pairs.last().filter(|p| p.void.is_none() && !p.is_done()).cloned();
        let pair = match open {
            Some(open) => open,
            None => {
                let objectives = 1 + experiment.spec.other_objectives.len();
                let wanted = site.pairs_wanted(confirm, objectives, confirmation.clusters) as usize;
                let done = site.pairs.iter().filter(|p| p.is_done()).count();
                if done >= wanted || site.pairs.len() - done > wanted.div_ceil(2) {
                    return;
                }
                let number = u32::try_from(site.pairs.len() + 1).unwrap_or(u32::MAX);
                let baseline_first = baseline_first(&experiment.spec, cluster, number);
                let new = PairRun::new(number, baseline_first);
                if let Some(site) = self.site_mut(id, cluster) {
                    site.pairs.push(new.clone());
                }
                new
            }
        };
        let baseline = pair.baseline.is_none() && (pair.baseline_first || pair.recommended.is_some());
        let (kind, values) = match baseline {
            true => (TrialKind::Baseline, found.unwrap_or_default()),
            false => (TrialKind::Recommended, best),
        };
        let own = format!("pair/{cluster}/{}/{}", pair.number, kind.as_str());
        let trial = Trial::own(id, &own, kind, values, cluster, at);
        self.add_trial(Trial { again: true, pair: Some(pair.number), ..trial });
    }

    /// A run of a pair has ended.
    pub(super) fn conclude_half(&mut self, trial: &Trial, outcome: Outcome, reason: Option<&str>) {
        let (Some(number), Some(cluster)) = (trial.pair, &trial.cluster) else { return };
        let id = trial.experiment;
        let baseline = trial.kind == TrialKind::Baseline;
        // what the baseline breaks, it broke before: it is what there is to compare with
        let counts = outcome == Outcome::Measured || (baseline && outcome == Outcome::Violated);
        let objectives: Vec<f64> = trial.measurements.iter().map(|m| m.objective).collect();
        let (value, others) = (mean(&objectives).filter(|_| counts), mean_others(&trial.measurements));
        let why = || reason.map(|r| format!(": {r}")).unwrap_or_default();
        let Some(site) = self.site_mut(id, cluster) else { return };
        let Some(pair) = site.pairs.iter_mut().rfind(|p| p.number == number) else { return };
        match (value, baseline) {
            (Some(value), true) => (pair.baseline, pair.baseline_others) = (Some(value), others),
            (Some(value), false) => (pair.recommended, pair.recommended_others) = (Some(value), others),
            (None, _) => pair.void = Some(format!("{} ended {outcome}{}", trial.kind.as_str(), why())),
        }
        let (done, void) = (pair.is_done(), pair.void.is_some());
        let fails = !baseline && matches!(outcome, Outcome::Violated | Outcome::Infeasible);
        let wanted = self.more_wanted(id, cluster).filter(|_| done).unwrap_or(0);
        let Some(confirmation) = self.experiment_mut(id).and_then(|e| e.confirmation.as_mut()) else {
            return;
        };
        confirmation.done += u32::from(done);
        confirmation.void += u32::from(void);
        confirmation.wanted += wanted;
        if fails && confirmation.stopped.is_none() {
            confirmation.stopped = Some(format!("they ended {outcome} on `{cluster}`{}", why()));
        }
        self.go_on_confirming(id, cluster);
    }

    /// How many more pairs than the first ones a cluster wants, at the moment when that is known.
    fn more_wanted(&self, id: ExperimentId, cluster: &str) -> Option<u32> {
        let experiment = self.experiment(id)?;
        let (confirm, site) = (experiment.spec.confirm.as_ref()?, experiment.sites.get(cluster)?);
        let clusters = experiment.confirmation.as_ref()?.clusters;
        let objectives = 1 + experiment.spec.other_objectives.len();
        let known = site.pairs.iter().filter(|p| p.is_done()).count() == confirm.pairs as usize;
        known.then(|| site.pairs_wanted(confirm, objectives, clusters).saturating_sub(confirm.pairs))
    }

    /// A person has had enough: no further pair begins.
    pub(super) fn cut_short(&mut self, id: ExperimentId, reason: &str) {
        let Some(experiment) = self.experiment_mut(id) else { return };
        experiment.cut_short = true;
        if let Some(confirmation) = experiment.confirmation.as_mut().filter(|c| c.ended.is_none()) {
            confirmation.stopped.get_or_insert_with(|| format!("it was {reason}"));
        }
    }

    fn end_confirmation(&mut self, id: ExperimentId) {
        let at = self.at;
        let Some(experiment) = self.experiment(id) else { return };
        let (Some(confirm), Some(confirmation)) = (&experiment.spec.confirm, &experiment.confirmation) else {
            return;
        };
        let mut confirmation = confirmation.clone();
        confirmation.ended = Some(at);
        confirmation.conclude(&experiment.spec.goals(), &experiment.sites, confirm);
        let message = confirmation.told(&experiment.spec);
        let detail = json!({
            "claim": confirmation.claim, "other_claims": confirmation.other_claims, "pairs": confirmation.done, "void": confirmation.void, "reason": confirmation.stopped,
        });
        if let Some(experiment) = self.experiment_mut(id) {
            experiment.confirmation = Some(confirmation);
        }
        self.log_experiment(id, EventKind::ConfirmationEnded, message, detail);
    }
}

/// By lot for each two pairs; the second of them the other way round.
fn baseline_first(spec: &ExperimentSpec, cluster: &str, number: u32) -> bool {
    let (two, second) = ((number - 1) / 2, number.is_multiple_of(2));
    lot(spec, &format!("pair/{cluster}/{two}")).is_multiple_of(2) != second
}
