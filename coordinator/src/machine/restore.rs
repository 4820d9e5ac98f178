//! From rows to a world.

use autoopt_epoch::experiment::ExperimentSpec;
use autoopt_epoch::message::Stage;
use autoopt_epoch::time::Timestamp;

use super::index::Index;
use super::{Epoch, Progress, Stored, World, ask};

pub(super) fn world(stored: Stored, at: Timestamp) -> World {
    let mut world = World {
        experiments: stored.experiments.into_iter().map(|e| (e.id, e)).collect(),
        clusters: stored.clusters.into_iter().map(|c| (c.name.clone(), c)).collect(),
        index: Index::default(),
    };
    for (experiment, cluster, site) in stored.sites {
        if let Some(experiment) = world.experiments.get_mut(&experiment) {
            experiment.sites.insert(cluster, site);
        }
    }
    for trial in stored.trials {
        if let Some(experiment) = world.experiments.get_mut(&trial.experiment) {
            experiment.trials.insert(trial.id, trial);
        }
    }
    for (experiment, observation) in stored.results {
        if let Some(experiment) = world.experiments.get_mut(&experiment) {
            experiment.results.push(observation);
        }
    }
    for (experiment, trial, parameters) in stored.ended {
        if let Some(experiment) = world.experiments.get_mut(&experiment) {
            experiment.settled.insert(trial, parameters);
        }
    }
    for cluster in world.clusters.values_mut() {
        cluster.holder = None;
    }
    for mut epoch in stored.epochs {
        let Some(experiment) = world.experiments.get_mut(&epoch.experiment) else { continue };
        let stage = stage_of(&epoch);
        renew(&mut epoch.progress, &experiment.spec, stage, at);
        if let Some(cluster) = world.clusters.get_mut(&epoch.cluster) {
            cluster.holder = Some((epoch.experiment, epoch.id));
        }
        experiment.epochs.insert(epoch.id, epoch);
    }
    renew_asks(&mut world, at);
    world.index = Index::rebuild(&world.experiments, &world.clusters, at);
    world
}

/// As after a restart, for what is out.
pub(super) fn after_silence(world: &mut World, at: Timestamp) {
    for experiment in world.experiments.values_mut() {
        for epoch in experiment.epochs.values_mut() {
            let stage = stage_of(epoch);
            renew(&mut epoch.progress, &experiment.spec, stage, at);
        }
    }
    renew_asks(world, at);
    world.index = Index::rebuild(&world.experiments, &world.clusters, at);
}

fn stage_of(epoch: &Epoch) -> Stage {
    epoch.plan.get(epoch.at as usize).map_or(Stage::Apply, |s| s.stage)
}

/// An answer may have been waiting, too.
fn renew_asks(world: &mut World, at: Timestamp) {
    for open in world.experiments.values_mut().filter_map(|experiment| experiment.ask.as_mut()) {
        open.until = open.until.max(at.after(ask::SILENCE));
    }
}

/// Every step that is out is handed out once more, as its next attempt, by the next tick; so is every question.
pub(super) fn after_bus_loss(world: &mut World, at: Timestamp) {
    for experiment in world.experiments.values_mut() {
        for epoch in experiment.epochs.values_mut() {
            if matches!(epoch.progress, Progress::Handed { .. } | Progress::Leased { .. }) {
                epoch.attempt += 1;
                epoch.progress = Progress::BackingOff { until: at };
            }
        }
        if let Some(open) = &mut experiment.ask {
            open.until = at;
        }
    }
    world.index = Index::rebuild(&world.experiments, &world.clusters, at);
}

/// Reports may have been waiting for the coordinator, so nobody is late before a lease's length from now.
fn renew(progress: &mut Progress, spec: &ExperimentSpec, stage: Stage, at: Timestamp) {
    let lease = spec.stage(stage).lease.0;
    match progress {
        Progress::Leased { lease_until, timeout_at, .. } => {
            *lease_until = at.after(lease);
            *timeout_at = (*timeout_at).max(at.after(lease));
        }
        Progress::Handed { since } => *since = (*since).max(at),
        Progress::BackingOff { .. } | Progress::Ended { .. } => {}
    }
}
