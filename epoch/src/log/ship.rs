//! Hands collected records to the bus, for as long as the service runs.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

use super::{Level, Origin, Record};
use crate::bus::{Bus, BusError, Outgoing};

/// Records handed over at once.
const BATCH: usize = 64;
/// After a failure, before the next attempt.
const PAUSE: Duration = Duration::from_secs(5);
/// For the last records of a service that ends.
const FAREWELL: Duration = Duration::from_secs(2);

/// The receiving end of a service's records.
pub struct Records {
    origin: Origin,
    waiting: mpsc::Receiver<Record>,
    lost: Arc<AtomicU64>,
}

impl Records {
    pub(super) const fn new(origin: Origin, waiting: mpsc::Receiver<Record>, lost: Arc<AtomicU64>) -> Self {
        Self { origin, waiting, lost }
    }

    /// Hands everything to `bus` until `stop` fires, then what is left, if that is quick.
    pub async fn ship(mut self, bus: Bus, stop: CancellationToken) {
        tokio::select! {
            () = self.ship_on(&bus) => return,
            () = stop.cancelled() => {}
        }
        self.waiting.close();
        // the broker may be gone; standard error has these as well
        let _ = tokio::time::timeout(FAREWELL, self.ship_on(&bus)).await;
    }

    /// Until there is nothing more to come.
    async fn ship_on(&mut self, bus: &Bus) {
        let mut taken = Vec::new();
        let mut told = false;
        while self.waiting.recv_many(&mut taken, BATCH).await > 0 {
            taken.extend(self.loss());
            let mut batch: Vec<Outgoing> = taken.drain(..).map(|record| record.outgoing()).collect();
            while let Err(error) = bus.log(&mut batch).await {
                if matches!(error, BusError::Closed) {
                    return;
                }
                if !told && matches!(error, BusError::Setup { .. } | BusError::Refused { .. }) {
                    tracing::warn!("`autoopt logs` does not show this service: {error}");
                }
                told = true;
                tokio::time::sleep(PAUSE).await;
            }
            told = false;
        }
    }

    /// A record about those that did not fit since the last one.
    fn loss(&self) -> Option<Record> {
        let lost = self.lost.swap(0, Ordering::Relaxed);
        (lost > 0).then(|| {
            let message = format!("{lost} records did not fit here; standard error has them");
            self.origin.record(Level::Warn, module_path!(), message, BTreeMap::new())
        })
    }

    /// What waits, and how many records did not fit.
    #[cfg(test)]
    pub(super) fn taken(&mut self) -> (Vec<Record>, u64) {
        let records = std::iter::from_fn(|| self.waiting.try_recv().ok()).collect();
        (records, self.lost.load(Ordering::Relaxed))
    }
}
