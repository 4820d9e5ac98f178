//! Whether what the apply stage put in force was in force all the time: what a person changed since was not measured.

use autoopt_cloud::{Cloud, Place};
use autoopt_epoch::command::Cluster;
use autoopt_epoch::failure::{Failure, FailureKind};
use autoopt_epoch::message::{Epoch, Stage};
use serde_json::{Map, Value, json};

/// Compares the aggregate and the schedulers' files with what the apply stage left; a difference is `invalid`.
pub(crate) async fn none(cloud: &Cloud, cluster: &Cluster, order: &Epoch) -> Result<(), Failure> {
    let Some(applied) = order.outputs.get(&Stage::Apply) else { return Ok(()) };
    aggregate(cloud, applied).await?;
    files(cluster, applied).await
}

async fn aggregate(cloud: &Cloud, applied: &Map<String, Value>) -> Result<(), Failure> {
    let Some(applied) = applied.get("aggregate") else { return Ok(()) };
    let Some(name) = applied["name"].as_str() else { return Ok(()) };
    let now = cloud.aggregate(name).await?;
    if json!(now.metadata) == applied["metadata"] && json!(now.hosts) == applied["hosts"] {
        return Ok(());
    }
    Err(Failure::new(
        FailureKind::Invalid,
        format!(
            "host aggregate `{name}` was changed by somebody else while this was measured: it had {} with hosts {}, and now has \
             {} with hosts {}",
            applied["metadata"],
            applied["hosts"],
            json!(now.metadata),
            json!(now.hosts)
        ),
    ))
}

async fn files(cluster: &Cluster, applied: &Map<String, Value>) -> Result<(), Failure> {
    let Some(applied) = applied.get("files").and_then(Value::as_array) else { return Ok(()) };
    for (scheduler, applied) in cluster.scheduler.iter().zip(applied) {
        if json!(Place::of(scheduler).fingerprint(scheduler).await?) != *applied {
            let on = scheduler.ssh.as_ref().map(|host| format!(" on {host}")).unwrap_or_default();
            let files: Vec<String> = scheduler
                .config
                .iter()
                .chain([&scheduler.snippet])
                .map(|p| p.display().to_string())
                .collect();
            let reason = format!(
                "nova-scheduler's configuration{on} was changed by somebody else while this was measured: one of {}",
                files.join(", ")
            );
            return Err(Failure::new(FailureKind::Invalid, reason));
        }
    }
    Ok(())
}
