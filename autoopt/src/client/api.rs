//! One function for each thing that is asked of the coordinator.

use std::time::Duration;

use autoopt_coordinator::api::view::{
    ClusterList, ClusterView, EventList, EventView, ExperimentDetail, ExperimentList, Health, NewTrial,
    Timeline, TrialDetail, TrialList, TrialView,
};
use autoopt_coordinator::machine::Change;
use serde_json::Value as Json;

use super::Client;
use crate::fault::Fault;

/// The largest page that the API gives out.
const PAGE: usize = 1000;
const NOTHING: Option<&Json> = None;

impl Client {
    pub(crate) async fn health(&self) -> Result<Health, Fault> {
        self.get_even_if_unwell(&["health"]).await
    }

    pub(crate) async fn experiments(&self) -> Result<ExperimentList, Fault> {
        self.get(&["v1", "experiments"], &[]).await
    }

    pub(crate) async fn experiment(&self, x: &str) -> Result<ExperimentDetail, Fault> {
        self.get(&["v1", "experiments", x], &[]).await
    }

    pub(crate) async fn submit(&self, spec: &Json) -> Result<ExperimentDetail, Fault> {
        self.post(&["v1", "experiments"], &[], Some(spec)).await
    }

    /// `verb` is `pause`, `resume`, `stop` or `cancel`.
    pub(crate) async fn wish(&self, x: &str, verb: &str) -> Result<ExperimentDetail, Fault> {
        self.post(&["v1", "experiments", x, verb], &[], NOTHING).await
    }

    pub(crate) async fn change(&self, x: &str, change: &Change) -> Result<ExperimentDetail, Fault> {
        self.post(&["v1", "experiments", x, "change"], &[], Some(change)).await
    }

    /// Every trial of an experiment, in the order of their numbers.
    pub(crate) async fn trials(&self, x: &str) -> Result<Vec<TrialView>, Fault> {
        let mut trials: Vec<TrialView> = Vec::new();
        loop {
            let after = trials.last().map(|trial| trial.id.to_string());
            let limit = PAGE.to_string();
            let mut query = vec![("limit", limit.as_str())];
            query.extend(after.as_deref().map(|id| ("after", id)));
            let page: TrialList = self.get(&["v1", "experiments", x, "trials"], &query).await?;
            let last = page.trials.len() < PAGE;
            trials.extend(page.trials);
            if last {
                return Ok(trials);
            }
        }
    }

    pub(crate) async fn new_trial(&self, x: &str, trial: &NewTrial) -> Result<TrialView, Fault> {
        self.post(&["v1", "experiments", x, "trials"], &[], Some(trial)).await
    }

    pub(crate) async fn trial(&self, id: &str) -> Result<TrialDetail, Fault> {
        self.get(&["v1", "trials", id], &[]).await
    }

    /// Raw output that an attempt of a step left.
    pub(crate) async fn artifact(
        &self,
        epoch: &str,
        step: u32,
        attempt: u32,
        name: &str,
    ) -> Result<Vec<u8>, Fault> {
        let (step, attempt) = (step.to_string(), attempt.to_string());
        self.bytes(&["v1", "epochs", epoch, "artifacts", &step, &attempt, name]).await
    }

    pub(crate) async fn cancel_trial(&self, id: &str) -> Result<Json, Fault> {
        self.post(&["v1", "trials", id, "cancel"], &[], NOTHING).await
    }

    pub(crate) async fn clusters(&self) -> Result<Vec<ClusterView>, Fault> {
        let list: ClusterList = self.get(&["v1", "clusters"], &[]).await?;
        Ok(list.clusters)
    }

    /// What ran within `back`, and what runs.
    pub(crate) async fn timeline(&self, back: Duration) -> Result<Timeline, Fault> {
        let seconds = back.as_secs().to_string();
        self.get(&["v1", "timeline"], &[("seconds", &seconds)]).await
    }

    pub(crate) async fn resume_cluster(&self, name: &str, keep_leaks: bool) -> Result<Json, Fault> {
        let query: &[(&str, &str)] = if keep_leaks { &[("keep_leaks", "true")] } else { &[] };
        self.post(&["v1", "clusters", name, "resume"], query, NOTHING).await
    }

    /// Gives what the log holds after `after` to `each`, oldest first; the position of the last of it.
    pub(crate) async fn history(
        &self,
        mut after: i64,
        experiment: Option<&str>,
        mut each: impl FnMut(EventView),
    ) -> Result<i64, Fault> {
        loop {
            let (from, limit) = (after.to_string(), PAGE.to_string());
            let mut query = vec![("after", from.as_str()), ("limit", limit.as_str())];
            query.extend(experiment.map(|x| ("experiment", x)));
            let page: EventList = self.get(&["v1", "events"], &query).await?;
            let last = page.events.len() < PAGE;
            after = page.events.last().map_or(after, |event| event.seq);
            page.events.into_iter().for_each(&mut each);
            if last {
                return Ok(after);
            }
        }
    }
}
