//! Asks the coordinator for all that is drawn.

use std::time::Duration;

use autoopt_coordinator::api::view::{ClusterView, ExperimentDetail, ExperimentSummary, Health, Timeline};
use autoopt_epoch::id::ExperimentId;

use crate::client::Client;
use crate::fault::Fault;

/// How far back the first look goes: what steps usually take is learned from it.
pub(crate) const DAY: Duration = Duration::from_secs(24 * 60 * 60);

/// What the coordinator said, all at about one time.
#[derive(Clone, Debug)]
pub(crate) struct Seen {
    pub(crate) health: Health,
    /// Newest first.
    pub(crate) experiments: Vec<ExperimentSummary>,
    pub(crate) clusters: Vec<ClusterView>,
    pub(crate) timeline: Timeline,
    /// The one that is looked at.
    pub(crate) detail: Option<ExperimentDetail>,
}

/// Asks for everything, for what ran within `back`, and for the experiment that is looked at.
pub(crate) async fn seen(
    client: &Client,
    back: Duration,
    detail: Option<ExperimentId>,
) -> Result<Seen, Fault> {
    let detail = async {
        match detail {
            Some(id) => client.experiment(&id.to_string()).await.map(Some),
            None => Ok(None),
        }
    };
    let (health, experiments, clusters, timeline, detail) = tokio::try_join!(
        client.health(),
        client.experiments(),
        client.clusters(),
        client.timeline(back),
        detail
    )?;
    Ok(Seen { health, experiments: experiments.experiments, clusters, timeline, detail })
}
