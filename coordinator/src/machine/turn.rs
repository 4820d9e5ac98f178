//! One call of [`World::step`]: the world, the instant, and what has changed so far.

use std::collections::BTreeSet;

use autoopt_epoch::id::{EpochId, ExperimentId, TrialId};
use autoopt_epoch::time::Timestamp;

use super::index::{Timer, deadline};
use super::{Attempt, Effect, Epoch, Experiment, Record, Site, Trial, World};

pub(super) struct Turn<'a> {
    pub(super) world: &'a mut World,
    pub(super) at: Timestamp,
    /// Everything but rows, in the order in which it came about.
    pub(super) effects: Vec<Effect>,
    /// Clusters where something may begin.
    pub(super) free: BTreeSet<String>,
    /// Experiments that have, or are about to have, more or fewer clusters than before; which counts where they share others.
    reweighed: BTreeSet<ExperimentId>,
    /// Experiments whose phase may be over.
    pub(super) due: BTreeSet<ExperimentId>,
    /// Experiments that may have a question.
    pub(super) curious: BTreeSet<ExperimentId>,
    changed: Changed,
}

/// Rows to write, each once however often it changed.
#[derive(Default)]
struct Changed {
    clusters: BTreeSet<String>,
    experiments: BTreeSet<ExperimentId>,
    sites: BTreeSet<(ExperimentId, String)>,
    trials: BTreeSet<(ExperimentId, TrialId)>,
    epochs: BTreeSet<(ExperimentId, EpochId)>,
    ended_experiments: Vec<Experiment>,
    ended_trials: Vec<Trial>,
    ended_epochs: Vec<Epoch>,
    attempts: Vec<Attempt>,
}

impl<'a> Turn<'a> {
    pub(super) fn new(world: &'a mut World, at: Timestamp) -> Self {
        Self {
            world,
            at,
            effects: Vec::new(),
            free: BTreeSet::new(),
            reweighed: BTreeSet::new(),
            due: BTreeSet::new(),
            curious: BTreeSet::new(),
            changed: Changed::default(),
        }
    }

    pub(super) fn reject(&mut self, reason: impl Into<String>) {
        self.effects.push(Effect::Reject(reason.into()));
    }

    pub(super) fn experiment(&self, id: ExperimentId) -> Option<&Experiment> {
        self.world.experiments.get(&id)
    }

    /// For a change of the experiment's own row.
    pub(super) fn experiment_mut(&mut self, id: ExperimentId) -> Option<&mut Experiment> {
        self.changed.experiments.insert(id);
        self.world.experiments.get_mut(&id)
    }

    /// For a change of a site's row.
    pub(super) fn site_mut(&mut self, experiment: ExperimentId, cluster: &str) -> Option<&mut Site> {
        let site = self.world.experiments.get_mut(&experiment)?.sites.get_mut(cluster)?;
        self.changed.sites.insert((experiment, cluster.to_owned()));
        Some(site)
    }

    pub(super) fn trial(&self, experiment: ExperimentId, id: TrialId) -> Option<&Trial> {
        self.experiment(experiment)?.trials.get(&id)
    }

    /// For a change of a trial's row.
    pub(super) fn trial_mut(&mut self, experiment: ExperimentId, id: TrialId) -> Option<&mut Trial> {
        self.changed.trials.insert((experiment, id));
        self.world.experiments.get_mut(&experiment)?.trials.get_mut(&id)
    }

    pub(super) fn open_epoch(&self, experiment: ExperimentId, id: EpochId) -> Option<&Epoch> {
        self.experiment(experiment)?.epochs.get(&id)
    }

    /// For a change of an epoch's row; [`Self::watch_epoch`] has to follow when its progress changed.
    pub(super) fn epoch_mut(&mut self, experiment: ExperimentId, id: EpochId) -> Option<&mut Epoch> {
        self.changed.epochs.insert((experiment, id));
        self.world.experiments.get_mut(&experiment)?.epochs.get_mut(&id)
    }

    pub(super) fn watch_epoch(&mut self, experiment: ExperimentId, id: EpochId) {
        let due = self.open_epoch(experiment, id).and_then(deadline);
        self.world.index.timers.set(Timer::Epoch(id), due);
    }

    /// Changes a cluster and notes whether an epoch could begin there.
    pub(super) fn change_cluster(&mut self, name: &str, change: impl FnOnce(&mut super::Cluster)) {
        let Some(cluster) = self.world.clusters.get_mut(name) else { return };
        change(cluster);
        self.world.index.watch(cluster, self.at);
        self.reweighed.extend(self.world.index.count(cluster).into_iter().flatten());
        if cluster.holder.is_none() {
            self.reweighed.extend(cluster.promised);
        }
        self.changed.clusters.insert(name.to_owned());
        if self.world.index.idle.contains(name) {
            self.free.insert(name.to_owned());
        }
    }

    pub(super) fn time_experiment(&mut self, id: ExperimentId) {
        if let Some(experiment) = self.world.experiments.get(&id) {
            self.world.index.time(experiment);
        }
    }

    pub(super) fn record_attempt(&mut self, attempt: Attempt) {
        self.changed.attempts.push(attempt);
    }

    pub(super) fn record_ended_trial(&mut self, trial: Trial) {
        self.changed.ended_trials.push(trial);
    }

    pub(super) fn record_ended_epoch(&mut self, epoch: Epoch) {
        self.changed.ended_epochs.push(epoch);
    }

    pub(super) fn record_ended_experiment(&mut self, experiment: Experiment) {
        self.changed.ended_experiments.push(experiment);
    }

    /// Whatever is due by now, earliest first.
    pub(super) fn tick(&mut self) {
        while let Some(timer) = self.world.index.timers.pop(self.at) {
            match timer {
                Timer::Epoch(epoch) => self.epoch_due(epoch),
                Timer::Trial(trial) => self.trial_due(trial),
                Timer::Ask(experiment) => self.ask_due(experiment),
                Timer::WallTime(experiment) => self.wall_time_over(experiment),
                Timer::Cluster(cluster) => {
                    if let Some(cluster) = self.world.clusters.get(&cluster) {
                        self.world.index.watch(cluster, self.at);
                    }
                    self.free.insert(cluster);
                }
            }
        }
    }

    /// Draws the conclusions, until nothing follows any more.
    pub(super) fn settle(&mut self) {
        loop {
            if let Some(experiment) = self.due.pop_first() {
                self.move_on(experiment);
            } else if let Some(cluster) = self.free.pop_first() {
                self.fill(&cluster);
            } else if let Some(experiment) = self.reweighed.pop_first() {
                self.seek_shared(experiment);
            } else {
                break;
            }
        }
        while let Some(experiment) = self.curious.pop_first() {
            self.ask_if_idle(experiment);
        }
    }

    pub(super) fn finish(self) -> Vec<Effect> {
        let (world, changed) = (self.world, self.changed);
        let open = |id: &ExperimentId| world.experiments.get(id);
        let mut rows = Vec::with_capacity(8);
        rows.extend(
            changed.clusters.iter().filter_map(|c| world.clusters.get(c).cloned()).map(Record::Cluster),
        );
        rows.extend(changed.experiments.iter().filter_map(open).map(|e| Record::Experiment(e.row())));
        let ended = |id: &ExperimentId| changed.ended_experiments.iter().find(|e| e.id == *id);
        let site = |(experiment, cluster): &(ExperimentId, String)| {
            let found = open(experiment).or_else(|| ended(experiment))?;
            let site = found.sites.get(cluster)?.clone();
            Some(Record::Site { experiment: *experiment, cluster: cluster.clone(), site })
        };
        let sites: Vec<Record> = changed.sites.iter().filter_map(site).collect();
        rows.extend(changed.ended_experiments.into_iter().map(Record::Experiment));
        rows.extend(sites);
        let trial = |(e, t): &(ExperimentId, TrialId)| open(e)?.trials.get(t).cloned();
        rows.extend(changed.trials.iter().filter_map(trial).map(Record::Trial));
        rows.extend(changed.ended_trials.into_iter().map(Record::Trial));
        let epoch = |(x, e): &(ExperimentId, EpochId)| open(x)?.epochs.get(e).cloned();
        rows.extend(changed.epochs.iter().filter_map(epoch).map(Record::Epoch));
        rows.extend(changed.ended_epochs.into_iter().map(Record::Epoch));
        rows.extend(changed.attempts.into_iter().map(Record::Attempt));
        let (rejected, others): (Vec<_>, Vec<_>) =
            self.effects.into_iter().partition(|e| matches!(e, Effect::Reject(_)));
        rejected.into_iter().chain(rows.into_iter().map(Effect::Save)).chain(others).collect()
    }
}
