//! One coordinator works on a broker's vhost: two would each take half of the messages. The store's claim does not tell, as the
//! other one may have a store of its own.

use std::time::Duration;

use autoopt_epoch::bus::topology::COORDINATOR_CLAIM;
use autoopt_epoch::bus::{Bus, BusError, Claimed};
use autoopt_epoch::service::systemd;

/// How often one that stands by looks whether the claim is free; each look is a line in the broker's log.
const LOOK: Duration = Duration::from_secs(3);
/// So often it looks sooner, and says nothing: whoever has just given up the store gives up the vhost within seconds.
const AT_FIRST: u32 = 4;
const SOON: Duration = Duration::from_secs(1);

/// Waits until the vhost is this coordinator's to work on; says once in the log, and to systemd, that it waits.
///
/// A user of the broker whose rights are from before there was a claim works without one, and says so.
///
/// # Errors
/// The bus was closed.
pub async fn vhost(bus: &Bus) -> Result<(), BusError> {
    let mut looks = 0_u32;
    loop {
        match bus.claim(COORDINATOR_CLAIM).await {
            Ok(Claimed::Ours) => {
                tracing::info!("the broker's vhost is this coordinator's");
                systemd::status("works on the store");
                return Ok(());
            }
            Ok(Claimed::Forbidden(reason)) => {
                tracing::warn!(
                    reason,
                    "the broker's rights are older than this coordinator: a second one with another store would not be \
                     noticed; `autoopt deploy check` says what to do; then start this coordinator again"
                );
                systemd::status("works on the store; the broker's rights are too old, see its log");
                return Ok(());
            }
            Ok(Claimed::Theirs) if looks == AT_FIRST => {
                tracing::warn!(
                    "another coordinator, which has another store, works on this vhost of the broker (or one whose host is \
                     gone, which the broker notices within half a minute); standing by until it ends. Stop it, or give \
                     this one the same store, or another vhost in `bus.url`"
                );
                systemd::status(
                    "stands by: another coordinator, with another store, works on the broker's vhost",
                );
            }
            Ok(Claimed::Theirs) => {}
            Err(error @ BusError::Closed) => return Err(error),
            Err(error) => {
                tracing::warn!(error = &error as &dyn std::error::Error, "the vhost cannot be claimed");
            }
        }
        tokio::time::sleep(if looks < AT_FIRST { SOON } else { LOOK }).await;
        looks = looks.saturating_add(1);
    }
}
