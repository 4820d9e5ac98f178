//! The rules of the module's documentation, as far as one world shows them; each failure names its rule.

use std::collections::BTreeMap;

use super::{Experiment, Phase, Progress, TrialState, World, sharing};

/// A broken rule.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{rule}: {what}")]
pub struct Broken {
    /// `M1` to `M9`.
    pub rule: &'static str,
    pub what: String,
}

fn broken(rule: &'static str, what: impl Into<String>) -> Result<(), Broken> {
    Err(Broken { rule, what: what.into() })
}

/// Checks everything.
pub fn check(world: &World) -> Result<(), Broken> {
    for experiment in world.experiments.values() {
        open_trials_have_no_outcome(experiment)?;
        tokens_are_within_the_plan(experiment)?;
        changes_are_to_be_closed(experiment)?;
        open_experiments_have_not_ended(experiment)?;
        confirmations_go_pair_by_pair(experiment)?;
    }
    one_epoch_for_each_cluster(world)?;
    what_changes_hands_is_restored(world)?;
    one_experiment_for_each_cluster(world)
}

/// Whether a world is so small, as those of tests are, that it can be checked after every input.
#[cfg(debug_assertions)]
pub(super) fn is_small(world: &World) -> bool {
    world.experiments.values().map(|e| e.trials.len() + e.sites.len()).sum::<usize>() <= 100
}

/// M1: an open trial waits, or has exactly one epoch; an epoch belongs to an open trial.
fn open_trials_have_no_outcome(experiment: &Experiment) -> Result<(), Broken> {
    for trial in experiment.trials.values() {
        match &trial.state {
            TrialState::Ended { .. } => return broken("M1", format!("trial {} is open and ended", trial.id)),
            TrialState::Running { epoch } if !experiment.epochs.contains_key(epoch) => {
                return broken("M1", format!("trial {} runs in an epoch that is not open", trial.id));
            }
            TrialState::Running { .. } | TrialState::Waiting { .. } => {}
        }
        if experiment.settled.contains_key(&trial.id) {
            return broken("M1", format!("trial {} is open and has ended before", trial.id));
        }
    }
    for epoch in experiment.epochs.values() {
        let state = experiment.trials.get(&epoch.trial).map(|t| &t.state);
        if state != Some(&TrialState::Running { epoch: epoch.id }) {
            return broken("M1", format!("epoch {} is open, its trial is {state:?}", epoch.id));
        }
    }
    Ok(())
}

/// M2: a cluster's holder is the one open epoch there.
fn one_epoch_for_each_cluster(world: &World) -> Result<(), Broken> {
    let mut running = BTreeMap::new();
    for experiment in world.experiments.values() {
        for epoch in experiment.epochs.values() {
            if let Some(other) = running.insert(epoch.cluster.as_str(), (experiment.id, epoch.id)) {
                return broken(
                    "M2",
                    format!("epochs {} and {} both run on `{}`", epoch.id, other.1, epoch.cluster),
                );
            }
        }
    }
    for cluster in world.clusters.values() {
        if cluster.holder != running.remove(cluster.name.as_str()) {
            return broken(
                "M2",
                format!("`{}` has a holder that does not run there: {cluster:?}", cluster.name),
            );
        }
    }
    match running.pop_first() {
        Some((cluster, _)) => broken("M2", format!("an epoch runs on `{cluster}`, which is unknown")),
        None => Ok(()),
    }
}

/// M3: every open epoch waits for exactly one (step, attempt) of its plan.
fn tokens_are_within_the_plan(experiment: &Experiment) -> Result<(), Broken> {
    for epoch in experiment.epochs.values() {
        let ended = matches!(epoch.progress, Progress::Ended { .. });
        if ended || epoch.step().is_none() || epoch.attempt == 0 {
            return broken("M3", format!("open epoch {} waits for nothing: {epoch:?}", epoch.id));
        }
    }
    Ok(())
}

/// M4: where an epoch has begun, a closing will follow.
fn changes_are_to_be_closed(experiment: &Experiment) -> Result<(), Broken> {
    for epoch in experiment.epochs.values() {
        if !experiment.sites.get(&epoch.cluster).is_some_and(super::Site::occupied) {
            return broken("M4", format!("epoch {} runs where nothing will be closed", epoch.id));
        }
    }
    if experiment.phase == Phase::Closing {
        for (cluster, site) in experiment.sites.iter().filter(|(_, s)| s.occupied()) {
            if !experiment.trials.values().any(|t| t.cluster.as_ref() == Some(cluster)) {
                return broken("M4", format!("`{cluster}` is not being closed: {site:?}"));
            }
        }
    }
    Ok(())
}

/// M4: a cluster that one experiment has changed is not captured by another.
fn one_experiment_for_each_cluster(world: &World) -> Result<(), Broken> {
    let mut owners = BTreeMap::new();
    for experiment in world.experiments.values() {
        for (cluster, _) in experiment.sites.iter().filter(|(_, s)| s.occupied()) {
            if let Some(other) = owners.insert(cluster, experiment.id) {
                return broken("M4", format!("{other} and {} have both begun on `{cluster}`", experiment.id));
            }
        }
    }
    Ok(())
}

/// M8: who comes back finds what it captured.
fn what_changes_hands_is_restored(world: &World) -> Result<(), Broken> {
    let mut away = BTreeMap::new();
    for experiment in world.experiments.values() {
        for (cluster, site) in experiment.sites.iter().filter(|(c, _)| sharing::away(experiment, c)) {
            if !site.dirty.is_empty() {
                return broken("M8", format!("{} left `{cluster}` with {:?}", experiment.id, site.dirty));
            }
            away.insert(cluster, experiment.id);
        }
    }
    for experiment in world.experiments.values().filter(|e| !sharing::shares(e)) {
        for (cluster, _) in experiment.sites.iter().filter(|(_, s)| s.occupied()) {
            if let Some(other) = away.get(cluster) {
                return broken("M8", format!("{} has `{cluster}`, and {other} will be back", experiment.id));
            }
        }
    }
    Ok(())
}

/// M5: what is open has not ended; see [`ended_well`] for what has.
fn open_experiments_have_not_ended(experiment: &Experiment) -> Result<(), Broken> {
    if experiment.phase == Phase::Ended {
        return broken("M5", format!("experiment {} is open and ended", experiment.id));
    }
    Ok(())
}

/// M7: one run at a time on a cluster, one pair after the other, and an end before the experiment's.
fn confirmations_go_pair_by_pair(experiment: &Experiment) -> Result<(), Broken> {
    for (cluster, site) in &experiment.sites {
        let here = |t: &&super::Trial| t.pair.is_some() && t.cluster.as_ref() == Some(cluster);
        let under_way: Vec<_> = experiment.trials.values().filter(here).map(|t| t.pair).collect();
        let (last, before) = match site.pairs.split_last() {
            Some((last, before)) => (Some(last), before),
            None => (None, &[][..]),
        };
        if let Some(open) = before.iter().find(|p| !p.is_done() && p.void.is_none()) {
            return broken("M7", format!("pair {} on `{cluster}` was left for another one", open.number));
        }
        if under_way.len() > 1 || under_way.first().is_some_and(|n| *n != last.map(|p| p.number)) {
            return broken(
                "M7",
                format!("runs of pairs {under_way:?} are under way on `{cluster}`: {last:?}"),
            );
        }
    }
    match &experiment.confirmation {
        Some(c) if c.ended.is_none() && experiment.phase == Phase::Closing => {
            broken("M7", format!("experiment {} closes while it confirms", experiment.id))
        }
        None if experiment.phase == Phase::Confirming => {
            broken("M7", format!("experiment {} confirms nothing", experiment.id))
        }
        _ => Ok(()),
    }
}

/// M5: an ended experiment left nothing open. `open_trials` and `open_epochs`: how many rows of its say so.
pub fn ended_well(ended: &Experiment, open_trials: usize, open_epochs: usize) -> Result<(), Broken> {
    if open_trials + open_epochs > 0 {
        let what = format!("{} ended with {open_trials} open trials and {open_epochs} open epochs", ended.id);
        return broken("M5", what);
    }
    match ended.sites.iter().find(|(_, s)| s.occupied()) {
        Some((cluster, _)) => broken("M5", format!("{} ended without having left `{cluster}`", ended.id)),
        None => Ok(()),
    }
}
