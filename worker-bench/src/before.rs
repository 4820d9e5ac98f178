//! What the project had before an epoch's servers, kept in a file for an attempt that follows, and for removing them.

use std::path::PathBuf;

use autoopt_cloud::Cloud;
use autoopt_cloud::workload::Inventory;
use autoopt_epoch::failure::{Failure, FailureKind};
use autoopt_epoch::message::{Epoch, Stage};
use autoopt_epoch::worker::Context;
use serde::{Deserialize, Serialize};

#[derive(Serialize, Deserialize)]
struct Kept {
    epoch: String,
    before: Inventory,
}

/// As this worker found it when the epoch's benchmark first began here; now, if it has not.
pub(crate) async fn of(cloud: &Cloud, order: &Epoch, context: &Context) -> Result<Inventory, Failure> {
    if let Some(before) = kept(order, context) {
        return Ok(before);
    }
    let before = Inventory::take(cloud).await?;
    let file = file(order, context);
    let text = serde_json::to_vec(&Kept { epoch: order.epoch.to_string(), before: before.clone() });
    text.map_err(std::io::Error::other)
        .and_then(|text| std::fs::write(&file, text))
        .map_err(|error| Failure::new(FailureKind::Broken, format!("{}: {error}", file.display())))?;
    Ok(before)
}

/// As the finished benchmark told it, or as this worker found it; nothing, if neither is known.
pub(crate) fn known(order: &Epoch, context: &Context) -> Option<Inventory> {
    let told = order.outputs.get(&Stage::Bench).and_then(|bench| bench.get("before"));
    told.and_then(|before| serde_json::from_value(before.clone()).ok()).or_else(|| kept(order, context))
}

fn kept(order: &Epoch, context: &Context) -> Option<Inventory> {
    let kept: Kept = serde_json::from_slice(&std::fs::read(file(order, context)).ok()?).ok()?;
    (kept.epoch == order.epoch.to_string()).then_some(kept.before)
}

fn file(order: &Epoch, context: &Context) -> PathBuf {
    context.state_dir.join(format!("before-{}.json", order.cluster))
}
