//! What changes cost: which values are in force on a cluster, and how long an epoch took beside them.

use autoopt_epoch::experiment::ExperimentSpec;
use autoopt_epoch::failure::Outcome;
use autoopt_epoch::space::Parameters;

use super::turn::Turn;
use super::{Epoch, Experiment};

impl Turn<'_> {
    /// An epoch has ended: notes what is in force on its cluster now. How long it took in seconds, less what its changes cost.
    pub(super) fn note_values(&mut self, epoch: &Epoch, outcome: Outcome) -> f64 {
        let took = self.at.since(epoch.started).as_secs_f64();
        let Some(experiment) = self.experiment(epoch.experiment) else { return took };
        let (Some(site), Some(trial)) =
            (experiment.sites.get(&epoch.cluster), experiment.trials.get(&epoch.trial))
        else {
            return took;
        };
        let changes =
            site.in_force.as_ref().map_or(0.0, |before| seconds(&experiment.spec, before, &trial.parameters));
        // of other outcomes what was applied has been undone
        let stays = matches!(outcome, Outcome::Measured | Outcome::Invalid);
        let now = if stays { Some(trial.parameters.clone()) } else { site.captured.clone() };
        // a row that nobody will read is not written for every epoch
        if priced(&experiment.spec)
            && let Some(site) = self.site_mut(epoch.experiment, &epoch.cluster)
        {
            site.in_force = now;
        }
        (took - changes).max(0.0)
    }

    /// The values in force on the clusters where a trial could begin now; on all that are in use while none is free. Empty where
    /// no change costs anything.
    pub(super) fn in_force(&self, experiment: &Experiment) -> Vec<Parameters> {
        if !priced(&experiment.spec) {
            return Vec::new();
        }
        let of = |free: bool| -> Vec<Parameters> {
            let sites = experiment.sites.iter().filter(|(cluster, site)| {
                site.usable() && (!free || self.world.index.idle.contains(*cluster))
            });
            sites.filter_map(|(_, site)| site.in_force.clone()).collect()
        };
        let free = of(true);
        if free.is_empty() { of(false) } else { free }
    }
}

/// Whether any change costs anything.
fn priced(spec: &ExperimentSpec) -> bool {
    spec.parameters.iter().any(|p| p.change_cost.is_some())
}

/// How long it takes to change `before` into `after`.
fn seconds(spec: &ExperimentSpec, before: &Parameters, after: &Parameters) -> f64 {
    let changed = spec.parameters.iter().filter(|p| before.get(&p.name) != after.get(&p.name));
    changed.filter_map(|p| p.change_cost).map(|cost| cost.0.as_secs_f64()).sum()
}
