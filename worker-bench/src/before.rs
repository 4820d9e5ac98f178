//! What the project had before an epoch's servers, kept in a file for an attempt that follows, and for removing them.

use std::collections::BTreeSet;
use std::path::PathBuf;

use autoopt_cloud::Cloud;
use autoopt_cloud::workload::{Inventory, Owner};
use autoopt_epoch::failure::{Failure, FailureKind};
use autoopt_epoch::message::{Epoch, Stage};
use autoopt_epoch::worker::Context;
use serde::{Deserialize, Serialize};

#[derive(Serialize, Deserialize)]
struct Kept {
    epoch: String,
    before: Inventory,
    /// Servers of the epoch that were about to be deleted.
    #[serde(default)]
    doomed: BTreeSet<String>,
}

/// As this worker found it when the epoch's benchmark first began here; now, if it has not.
pub(crate) async fn of(cloud: &Cloud, order: &Epoch, context: &Context) -> Result<Inventory, Failure> {
    if let Some(kept) = kept(order, context) {
        return Ok(kept.before);
    }
    let before = Inventory::beside_others(cloud, &Owner::of(order)).await?;
    let kept = Kept { epoch: order.epoch.to_string(), before, doomed: BTreeSet::new() };
    keep(order, context, &kept)?;
    Ok(kept.before)
}

/// Notes servers before they are deleted, so that an attempt that follows knows of them. Returns all that were noted.
pub(crate) fn doomed(order: &Epoch, context: &Context, ids: Vec<String>) -> Result<Vec<String>, Failure> {
    let Some(mut kept) = kept(order, context) else { return Ok(ids) };
    kept.doomed.extend(ids);
    keep(order, context, &kept)?;
    Ok(kept.doomed.into_iter().collect())
}

/// As the finished benchmark told it, or as this worker found it; nothing, if neither is known.
pub(crate) fn known(order: &Epoch, context: &Context) -> Option<Inventory> {
    let told = order.outputs.get(&Stage::Bench).and_then(|bench| bench.get("before"));
    told.and_then(|before| serde_json::from_value(before.clone()).ok())
        .or_else(|| Some(kept(order, context)?.before))
}

fn kept(order: &Epoch, context: &Context) -> Option<Kept> {
    let kept: Kept = serde_json::from_slice(&std::fs::read(file(order, context)).ok()?).ok()?;
    (kept.epoch == order.epoch.to_string()).then_some(kept)
}

fn keep(order: &Epoch, context: &Context, kept: &Kept) -> Result<(), Failure> {
    let file = file(order, context);
    let text = serde_json::to_vec(kept).map_err(std::io::Error::other);
    text.and_then(|text| std::fs::write(&file, text))
        .map_err(|error| Failure::new(FailureKind::Broken, format!("{}: {error}", file.display())))
}

fn file(order: &Epoch, context: &Context) -> PathBuf {
    context.state_dir.join(format!("before-{}.json", order.cluster))
}
