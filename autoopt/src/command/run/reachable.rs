//! Whether the clouds of an experiment answer, asked before it begins.

use autoopt_cloud::Clouds;
use autoopt_epoch::command::Commands;
use autoopt_epoch::experiment::ExperimentSpec;
use autoopt_epoch::message::Stage;

use crate::fault::{Fault, Kind};

/// The backends that log in to a cloud.
const ON_A_CLOUD: [&str; 3] = ["openstack", "servers", "heat"];

/// Logs in to each cloud once. Later the workers would say the same, but only after the retries that a run of many hours wants.
pub(super) async fn check(spec: &ExperimentSpec, commands: &Commands) -> Result<(), Fault> {
    if !Stage::ALL.iter().any(|stage| ON_A_CLOUD.contains(&spec.stage(*stage).backend.as_str())) {
        return Ok(());
    }
    let clouds = Clouds::new(commands.openstack.clone());
    for cluster in &spec.clusters {
        if let Err(failure) = clouds.get(cluster).await {
            let next = "nothing has begun; `autoopt preflight FILE` checks the cloud, and with --simulate a simulated one takes its place";
            return Err(Fault::new(Kind::Unreachable, format!("`{cluster}`: {}", failure.reason)).next(next));
        }
    }
    Ok(())
}
