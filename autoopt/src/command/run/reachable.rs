//! Whether the clouds of an experiment answer, asked before it begins.

use autoopt_cloud::Clouds;
use autoopt_epoch::command::Commands;
use autoopt_epoch::experiment::ExperimentSpec;

use crate::fault::{Fault, Kind};

/// Logs in to each cloud once. Later the workers would say the same, but only after the retries that a run of many hours wants.
pub(super) async fn check(spec: &ExperimentSpec, commands: &Commands) -> Result<(), Fault> {
    let clouds = Clouds::new(commands.openstack.clone());
    for cluster in spec.clusters.iter().filter(|cluster| commands.openstack.cluster.contains_key(*cluster)) {
        if let Err(failure) = clouds.get(cluster).await {
            let next = "nothing has begun; `autoopt preflight FILE` checks the cloud, and with --simulate a simulated one takes its place";
            return Err(Fault::new(Kind::Unreachable, format!("`{cluster}`: {}", failure.reason)).next(next));
        }
    }
    Ok(())
}
