//! Keeps the store from growing for ever.

use std::time::Duration;

use autoopt_epoch::time::Timestamp;

use crate::store::{Store, StoreError};

/// Between two rounds.
const EVERY: Duration = Duration::from_secs(3600);
const DAY: Duration = Duration::from_secs(24 * 3600);
/// A message comes again when a worker or a broker has come back that had it: hosts that were away for a month are set up anew.
const INBOX_DAYS: u32 = 30;

/// Removes what is old, at once and every hour, for as long as it is polled. Raw output is kept for ever, if not for `raw_days`.
pub async fn run(store: &Store, raw_days: Option<u32>) -> std::convert::Infallible {
    loop {
        if let Err(error) = round(store, raw_days).await {
            tracing::warn!(%error, "what is old could not be removed from the store; it is tried again in an hour");
        }
        tokio::time::sleep(EVERY).await;
    }
}

async fn round(store: &Store, raw_days: Option<u32>) -> Result<(), StoreError> {
    let before = |days: u32| Timestamp::now().before(DAY * days);
    store.prune_inbox(before(INBOX_DAYS)).await?;
    if let Some(days) = raw_days {
        let pieces = store.prune_raw(before(days)).await?;
        if pieces > 0 {
            tracing::info!(pieces, days, "raw output of experiments that have ended was deleted");
        }
    }
    Ok(())
}
