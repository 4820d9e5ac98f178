//! A new experiment.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use autoopt_epoch::experiment::{AtEnd, ExperimentSpec};
use autoopt_epoch::id::{ExperimentId, TrialId};
use autoopt_epoch::message::{self, EventKind};
use autoopt_epoch::problem::Problem;
use autoopt_epoch::space::{Parameters, Space};
use serde_json::json;

use super::sharing::shares;
use super::turn::Turn;
use super::{Experiment, Phase};

impl Turn<'_> {
    pub(super) fn submit(&mut self, id: ExperimentId, spec: Arc<ExperimentSpec>) {
        if let Some(open) = self.experiment(id) {
            if open.spec != spec {
                self.reject(format!("experiment {id} is open already, with another content"));
            }
            return;
        }
        if let Some(other) = self.world.index.names.get(&spec.name) {
            return self.reject(format!(
                "an experiment called `{0}` is open ({other}); choose another name, or end that one first (`autoopt stop {0}`)",
                spec.name
            ));
        }
        if spec.clusters.is_empty() {
            return self.reject("the experiment names no cluster");
        }
        let space = match Space::new(spec.parameters.clone(), &spec.constraints) {
            Ok(space) => space,
            Err(problems) => return self.reject(listed(&problems)),
        };
        let presets: Result<Vec<Parameters>, _> =
            spec.presets.iter().map(|preset| space.conform(&space.filled(preset))).collect();
        let presets = match presets {
            Ok(presets) => presets,
            Err(problems) => return self.reject(listed(&problems)),
        };
        let clusters: BTreeSet<&String> = spec.clusters.iter().collect();
        let experiment = Experiment {
            id,
            spec: Arc::clone(&spec),
            submitted: self.at,
            phase: Phase::Running,
            reason: None,
            ended: None,
            accepted: 0,
            outcomes: BTreeMap::new(),
            asked: 0,
            ask: None,
            refused: 0,
            ask_after: None,
            sites: BTreeMap::new(),
            best: None,
            front: Vec::new(),
            factors: BTreeMap::new(),
            outlook: None,
            compromise: None,
            calm: 0,
            cut_short: false,
            confirmation: None,
            trials: BTreeMap::new(),
            epochs: BTreeMap::new(),
            results: Vec::new(),
            settled: BTreeMap::new(),
        };
        self.world.index.add(&experiment);
        self.world.experiments.insert(id, experiment);
        self.experiment_mut(id);
        self.announce(id, &clusters);
        for cluster in clusters {
            self.open_site(id, cluster);
        }
        for (i, parameters) in presets.into_iter().enumerate() {
            let trial = TrialId::derived(id.0, &format!("preset/{i}"));
            let given = message::Trial {
                experiment: spec.name.clone(),
                trial: Some(trial),
                parameters: parameters.clone(),
                cluster: None,
                ask: None,
                note: Some(format!("preset {} of {}", i + 1, spec.presets.len())),
                outlook: None,
                compromise: None,
            };
            self.accept(id, trial, given, parameters);
        }
    }

    fn announce(&mut self, id: ExperimentId, clusters: &BTreeSet<&String>) {
        let index = &self.world.index;
        let waits: BTreeMap<&String, &Experiment> =
            clusters.iter().filter_map(|c| Some((*c, self.experiment(*index.owners.get(*c)?)?))).collect();
        let Some(spec) = self.experiment(id).map(|e| Arc::clone(&e.spec)) else { return };
        let mut message = format!(
            "submitted: {} trials over {} parameters on {}",
            spec.budget.trials,
            spec.parameters.len(),
            clusters.iter().map(|c| c.as_str()).collect::<Vec<_>>().join(", ")
        );
        let alone = spec.at_end != AtEnd::Restore;
        for (cluster, owner) in &waits {
            let name = &owner.spec.name;
            let waits = match alone || !shares(owner) {
                true => format!("it waits for `{cluster}` until experiment `{name}` has left it"),
                false => format!("it takes turns on `{cluster}` with experiment `{name}`"),
            };
            message.push_str(&format!("; {waits}"));
        }
        let waits: BTreeMap<&String, &str> =
            waits.into_iter().map(|(cluster, owner)| (cluster, owner.spec.name.as_str())).collect();
        let detail = json!({"clusters": clusters, "waits_for": waits});
        self.log_experiment(id, EventKind::ExperimentSubmitted, message, detail);
    }
}

fn listed(problems: &[Problem]) -> String {
    problems.iter().map(ToString::to_string).collect::<Vec<_>>().join("; ")
}
