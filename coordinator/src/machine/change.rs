//! A person changes an experiment while its search goes on: its budget, and the clusters it runs on.

use std::collections::BTreeSet;
use std::sync::Arc;

use autoopt_epoch::experiment::{ExperimentSpec, check};
use autoopt_epoch::id::ExperimentId;
use autoopt_epoch::message::{EventKind, TrialKind};
use autoopt_epoch::time::{Period, Timestamp};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::json;

use super::breaker::list;
use super::turn::Turn;
use super::{Breaker, Cluster, Experiment, Phase, Site, Trial};

/// What is to be different about an experiment whose search goes on, the body of `POST /v1/experiments/X/change`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Change {
    /// The budget's trials, those so far included.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub trials: Option<u32>,
    /// The budget's wall time, from the submission on.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub wall_time: Option<Period>,
    /// Beside other experiments on its clusters: higher first. Possible until it has ended.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub priority: Option<i32>,
    /// Clusters to run on as well; their baseline comes first.
    #[serde(skip_serializing_if = "BTreeSet::is_empty")]
    pub join: BTreeSet<String>,
    /// Clusters to leave as the experiment says, once what runs there has ended.
    #[serde(skip_serializing_if = "BTreeSet::is_empty")]
    pub leave: BTreeSet<String>,
}

impl Turn<'_> {
    pub(super) fn change(&mut self, id: ExperimentId, change: &Change) {
        let changed = match self.experiment(id) {
            Some(experiment) => changed(experiment, change, self.at),
            None => Err(format!("no open experiment has the id {id}; it may have ended already")),
        };
        let spec = match changed {
            Ok(spec) => spec,
            Err(reason) => return self.reject(reason),
        };
        let Some(experiment) = self.experiment_mut(id) else { return };
        let mut said = Vec::new();
        if experiment.spec.budget.trials != spec.budget.trials {
            said.push(format!("{} trials instead of {}", spec.budget.trials, experiment.spec.budget.trials));
        }
        if experiment.spec.budget.wall_time != spec.budget.wall_time
            && let Some(wall_time) = spec.budget.wall_time
        {
            said.push(format!("a wall time of {wall_time}"));
        }
        if experiment.spec.priority != spec.priority {
            said.push(format!("priority {} instead of {}", spec.priority, experiment.spec.priority));
        }
        said.extend(change.join.iter().map(|cluster| format!("`{cluster}` joins")));
        said.extend(change.leave.iter().map(|cluster| format!("`{cluster}` leaves")));
        if said.is_empty() {
            return;
        }
        experiment.spec = Arc::new(spec);
        let message = format!("changed by a person: {}", said.join(", "));
        self.log_experiment(id, EventKind::ExperimentChanged, message, json!(change));
        for cluster in &change.join {
            self.open_site(id, cluster);
        }
        for cluster in &change.leave {
            self.leave(id, cluster);
        }
        self.time_experiment(id);
        self.seek_all(id);
        self.due.insert(id);
        self.curious.insert(id);
    }

    /// Takes a cluster into an experiment: its baseline waits from now on.
    pub(super) fn open_site(&mut self, id: ExperimentId, cluster: &str) {
        let Some(queue) = self.world.index.queues.get(&id) else { return };
        let defaults = queue.space.defaults();
        if let Some(experiment) = self.world.experiments.get_mut(&id) {
            experiment.sites.entry(cluster.to_owned()).or_default();
        }
        self.site_mut(id, cluster);
        self.world.index.users.entry(cluster.to_owned()).or_default().insert(id);
        if !self.world.clusters.contains_key(cluster) {
            let breaker = Breaker::Closed { failures: 0 };
            let new = Cluster {
                name: cluster.to_owned(),
                holder: None,
                breaker,
                leaked: None,
                turn: 0,
                promised: None,
            };
            self.world.clusters.insert(cluster.to_owned(), new);
            self.change_cluster(cluster, |_| ());
        }
        let own = Experiment::first_baseline(cluster);
        self.add_trial(Trial::own(id, &own, TrialKind::Baseline, defaults, cluster, self.at));
    }

    fn leave(&mut self, id: ExperimentId, cluster: &str) {
        let Some(site) = self.site_mut(id, cluster) else { return };
        site.left = true;
        site.out_of_use.get_or_insert_with(|| LEFT.to_owned());
        let here = |t: &Trial| t.cluster.as_deref() == Some(cluster);
        self.end_waiting(id, here, &format!("`{cluster}` left the experiment"));
        self.close_if_left(id, cluster);
    }

    /// Begins the closing of a cluster that leaves, once nothing runs there.
    pub(super) fn close_if_left(&mut self, id: ExperimentId, cluster: &str) {
        let Some(experiment) = self.experiment(id) else { return };
        let leaves = experiment.sites.get(cluster).is_some_and(|site| site.left && site.occupied());
        let runs = || experiment.epochs.values().any(|epoch| epoch.cluster == cluster);
        if leaves && !runs() && !experiment.is_closing(cluster) {
            self.close_site(id, cluster);
        }
    }
}

/// Why nothing runs on a cluster that left.
const LEFT: &str = "it left the experiment";

/// The experiment's text after a change, or why it cannot be made.
fn changed(experiment: &Experiment, change: &Change, at: Timestamp) -> Result<ExperimentSpec, String> {
    let name = &experiment.spec.name;
    let priority_alone = *change == Change { priority: change.priority, ..Change::default() };
    let searches =
        experiment.confirmation.is_none() && matches!(experiment.phase, Phase::Running | Phase::Paused);
    if !searches && !priority_alone {
        return Err(format!(
            "the search of `{name}` is over, so it cannot be changed any more; submit another experiment to go on"
        ));
    }
    let staying = experiment.sites.iter().filter(|(_, site)| !site.left);
    let known: Vec<&str> = staying.map(|(cluster, _)| cluster.as_str()).collect();
    if let Some(again) = change.join.iter().find(|cluster| experiment.sites.contains_key(*cluster)) {
        return Err(match experiment.sites[again].left {
            true => format!("`{again}` has left `{name}`, and cannot join it a second time"),
            false => format!("`{again}` is a cluster of `{name}` already"),
        });
    }
    if let Some(stranger) = change.leave.iter().find(|cluster| !known.contains(&cluster.as_str())) {
        return Err(format!("`{stranger}` is no cluster of `{name}`; its clusters are: {}", list(&known)));
    }
    let mut spec = ExperimentSpec::clone(&experiment.spec);
    spec.budget.trials = change.trials.unwrap_or(spec.budget.trials);
    spec.budget.wall_time = change.wall_time.or(spec.budget.wall_time);
    spec.priority = change.priority.unwrap_or(spec.priority);
    if priority_alone {
        return Ok(spec);
    }
    spec.clusters.extend(change.join.iter().cloned());
    spec.clusters.retain(|cluster| !change.leave.contains(cluster));
    let stays =
        |cluster: &String| experiment.sites.get(cluster).is_none_or(|s: &Site| s.out_of_use.is_none());
    if !spec.clusters.iter().any(stays) {
        return Err(format!("no cluster would be left to run on; `autoopt stop {name}` ends the experiment"));
    }
    if spec.budget.trials < experiment.accepted {
        return Err(format!(
            "{} trials have been accepted already, so the budget cannot be {}; `autoopt stop {name}` ends the search",
            experiment.accepted, spec.budget.trials
        ));
    }
    if let Some(wall_time) = change.wall_time.filter(|time| experiment.submitted.after(time.0) <= at) {
        return Err(format!(
            "{wall_time} from the submission on are over already; `autoopt stop {name}` ends the search"
        ));
    }
    let problems = check(&spec);
    match problems.is_empty() {
        true => Ok(spec),
        false => Err(problems.iter().map(|p| p.message.clone()).collect::<Vec<_>>().join("; ")),
    }
}
