//! What begins on a free cluster; `sharing` says whose it is.

use std::sync::Arc;

use autoopt_epoch::id::{EpochId, ExperimentId, TrialId};
use autoopt_epoch::message::{EventKind, TrialKind};
use serde_json::json;

use super::events::title;
use super::index::counts;
use super::leaks::LOOK;
use super::sharing::Wish;
use super::turn::Turn;
use super::{Breaker, Epoch, Experiment, Phase, Progress, Site, TrialState, plan};

impl Turn<'_> {
    /// Lets the best claim on a free cluster begin, once whoever has it has restored it.
    pub(super) fn fill(&mut self, cluster: &str) {
        if !self.world.index.idle.contains(cluster) {
            return;
        }
        let owner = self.world.index.owners.get(cluster).copied();
        let Some((experiment, wish)) = self.claim(cluster) else { return };
        let stranger = owner.filter(|owner| *owner != experiment);
        if let Wish::Now(trial) = wish
            && let Some(better) = self.better(experiment, trial, cluster, stranger.is_some())
        {
            self.fill(&better);
            self.free.insert(cluster.to_owned());
            return;
        }
        match (wish, stranger) {
            (_, Some(stranger)) => self.hand_over(cluster, stranger, experiment),
            (Wish::Now(trial), None) => {
                let trial = self.baseline_due(experiment, trial, cluster).unwrap_or(trial);
                self.begin(experiment, trial, cluster);
                // one that was to run here may run on another cluster
                if let Some((_, _, next)) =
                    self.world.index.queues.get(&experiment).and_then(|q| q.any.first())
                {
                    self.seek(experiment, *next);
                }
            }
            (Wish::Soon, None) => drop(self.curious.insert(experiment)),
        }
    }

    /// M9: a free cluster that somebody has a claim on and does nothing about; there is none once everything has settled.
    #[cfg(debug_assertions)]
    pub(super) fn overlooked(&self) -> Option<super::invariants::Broken> {
        let asked = |id| self.experiment(id).is_some_and(|experiment| experiment.ask.is_some());
        let mut claims =
            self.world.index.idle.iter().filter_map(|cluster| Some((cluster, self.claim(cluster)?)));
        let (cluster, claim) = claims.find(|(_, (id, wish))| *wish != Wish::Soon || !asked(*id))?;
        let what = format!("`{cluster}` stands idle, and {claim:?} waits");
        Some(super::invariants::Broken { rule: "M9", what })
    }

    /// The cluster on which a trial is to begin in place of `cluster`, where that would have to be restored first, or several are looked
    /// at in one turn.
    fn better(
        &self,
        experiment: ExperimentId,
        trial: TrialId,
        cluster: &str,
        restored: bool,
    ) -> Option<String> {
        if (self.free.is_empty() && !restored) || self.trial(experiment, trial)?.cluster.is_some() {
            return None;
        }
        self.open_cluster(self.experiment(experiment)?).filter(|open| *open != cluster).cloned()
    }

    /// The trial that would run there next.
    pub(super) fn next_for(&self, experiment: &Experiment, cluster: &str) -> Option<TrialId> {
        let queue = self.world.index.queues.get(&experiment.id)?;
        let pinned = queue.pinned.get(cluster).and_then(|q| q.first());
        let place = if experiment.sites.get(cluster).is_some_and(Site::usable) {
            pinned.into_iter().chain(queue.any.first()).min()?
        } else {
            let alone = |id: &TrialId| {
                let kind = experiment.trials.get(id).map(|t| t.kind);
                matches!(kind, Some(TrialKind::Baseline | TrialKind::Closing))
            };
            pinned.filter(|(_, _, id)| alone(id))?
        };
        let closing = experiment.trials.get(&place.2).is_some_and(|t| t.kind == TrialKind::Closing);
        (experiment.phase != Phase::Paused || closing).then_some(place.2)
    }

    /// Whether an experiment could begin a trial on a cluster now, or once that has been restored for it.
    fn open_to(&self, experiment: &Experiment, cluster: &str) -> bool {
        self.world.index.idle.contains(cluster)
            && experiment.sites.get(cluster).is_some_and(Site::usable)
            && self.claim(cluster).is_some_and(|(claimant, _)| claimant == experiment.id)
    }

    /// Whether an experiment could begin a trial on a free cluster now.
    pub(super) fn has_open_cluster(&self, experiment: &Experiment) -> bool {
        self.idle_sites(experiment).any(|(cluster, _)| self.open_to(experiment, cluster))
    }

    /// A free cluster on which an experiment could begin a trial now: one that it has, before one that nobody has, before one that is to be
    /// handed over. Of several the one that has begun the fewest of its trials: where trials are so short that all clusters wait for the next one, a
    /// fixed order would give all of them to the first.
    fn open_cluster<'w>(&'w self, experiment: &'w Experiment) -> Option<&'w String> {
        let foreign = |cluster: &String| match self.world.index.owners.get(cluster) {
            Some(owner) if *owner == experiment.id => 0,
            None => 1,
            Some(_) => 2,
        };
        let mut clusters: Vec<_> = self
            .idle_sites(experiment)
            .map(|(cluster, site)| (foreign(cluster), site.begun, cluster))
            .collect();
        clusters.sort_unstable();
        clusters.into_iter().map(|(_, _, cluster)| cluster).find(|cluster| self.open_to(experiment, cluster))
    }

    /// The clusters of an experiment that are free; found by way of all that are free, where those are fewer.
    fn idle_sites<'w>(
        &'w self,
        experiment: &'w Experiment,
    ) -> Box<dyn Iterator<Item = (&'w String, &'w Site)> + 'w> {
        let (idle, sites) = (&self.world.index.idle, &experiment.sites);
        if idle.len() < sites.len() {
            Box::new(idle.iter().filter_map(|cluster| sites.get_key_value(cluster)))
        } else {
            Box::new(sites.iter().filter(|(cluster, _)| idle.contains(*cluster)))
        }
    }

    /// Looks for a cluster for a trial that waits now.
    pub(super) fn seek(&mut self, experiment: ExperimentId, trial: TrialId) {
        let Some(found) = self.experiment(experiment) else { return };
        let Some(waiting) = found.trials.get(&trial) else { return };
        match waiting.cluster.as_ref().or_else(|| self.open_cluster(found)).cloned() {
            Some(cluster) => drop(self.free.insert(cluster)),
            // now that it waits, others may have a claim where nothing was to be begun
            None => self.seek_all(experiment),
        }
    }

    /// Looks at all free clusters of an experiment.
    pub(super) fn seek_all(&mut self, experiment: ExperimentId) {
        let Some(found) = self.world.experiments.get(&experiment) else { return };
        let idle: Vec<String> = self.idle_sites(found).map(|(cluster, _)| cluster.clone()).collect();
        self.free.extend(idle);
    }

    /// Looks at the free clusters that an experiment shares with others.
    pub(super) fn seek_shared(&mut self, experiment: ExperimentId) {
        let Some(found) = self.world.experiments.get(&experiment) else { return };
        let idle = self.idle_sites(found).map(|(cluster, _)| cluster);
        let shared: Vec<String> = idle.filter(|cluster| !self.alone(cluster)).cloned().collect();
        self.free.extend(shared);
    }

    /// A trial's back-off is over.
    pub(super) fn trial_due(&mut self, id: TrialId) {
        let Some(experiment) = self.world.index.trials.get(&id).copied() else { return };
        let Some(trial) = self.world.experiments.get(&experiment).and_then(|e| e.trials.get(&id)) else {
            return;
        };
        self.world.index.add_trial(trial, self.at);
        // clusters may have been kept for it that it does not need
        self.seek_all(experiment);
    }

    fn begin(&mut self, experiment_id: ExperimentId, trial_id: TrialId, cluster: &str) {
        let Some(experiment) = self.experiment(experiment_id) else { return };
        let (Some(trial), Some(site)) = (experiment.trials.get(&trial_id), experiment.sites.get(cluster))
        else {
            return;
        };
        let spec = Arc::clone(&experiment.spec);
        let kind = trial.kind;
        let leaked = self.world.clusters.get(cluster).is_some_and(|c| c.leaked.is_some());
        let steps = match kind {
            TrialKind::Closing => plan::closing(site, &spec, self.leaves_best(experiment, site, trial)),
            _ => leaked.then_some(LOOK).into_iter().chain(plan::measuring(trial, &spec)).collect(),
        };
        let count = trial.epochs + 1;
        let id = EpochId::derived(trial_id.0, &format!("epoch/{count}"));
        let epoch = Epoch {
            id,
            experiment: experiment_id,
            trial: trial_id,
            number: trial.number,
            kind,
            pair: trial.pair,
            cluster: cluster.to_owned(),
            started: self.at,
            plan: steps,
            at: 0,
            attempt: 1,
            progress: Progress::Handed { since: self.at },
            verdict: None,
            measurement: None,
            outputs: std::collections::BTreeMap::new(),
        };
        let taken = !site.occupied();
        let shared = self.world.index.users.get(cluster).is_some_and(|users| users.len() > 1);
        let title = title(kind, trial.number, trial.pair);
        let counted = count == 1 && counts(kind);
        if let Some(queue) = self.world.index.queues.get_mut(&experiment_id)
            && let Some(trial) =
                self.world.experiments.get(&experiment_id).and_then(|e| e.trials.get(&trial_id))
        {
            queue.remove(trial);
        }
        if let Some(trial) = self.trial_mut(experiment_id, trial_id) {
            trial.epochs = count;
            trial.state = TrialState::Running { epoch: id };
        }
        if taken {
            self.world.index.owners.insert(cluster.to_owned(), experiment_id);
            if let Some(site) = self.site_mut(experiment_id, cluster) {
                site.touched = true;
                site.closed = false;
            }
        }
        if counted && let Some(site) = self.site_mut(experiment_id, cluster) {
            site.begun += 1;
        }
        let mut tried = None;
        self.change_cluster(cluster, |c| {
            c.holder = Some((experiment_id, id));
            if taken {
                (c.turn, c.promised) = (0, None);
            }
            c.turn += u32::from(shared && kind != TrialKind::Closing);
            if let Breaker::Open { reason, .. } = &c.breaker {
                tried = Some(reason.clone());
                c.breaker = Breaker::Trying { reason: reason.clone() };
            }
        });
        let trying =
            tried.map(|r| format!(", trying out the cluster that was paused ({r})")).unwrap_or_default();
        let message = format!("{title} begins on `{cluster}`{trying}");
        let detail = json!({"epoch_of_trial": count, "parameters": self.trial(experiment_id, trial_id).map(|t| &t.parameters)});
        self.log_epoch(&epoch, EventKind::EpochStarted, message, detail);
        self.world.index.epochs.insert(id, experiment_id);
        if let Some(experiment) = self.world.experiments.get_mut(&experiment_id) {
            experiment.epochs.insert(id, epoch);
        }
        self.hand_out(experiment_id, id);
    }
}
