//! The outbox's way out: publishes in order, with many confirmations under way, and says which rows are safe.

use std::time::Duration;

use autoopt_epoch::bus::topology::event_key;
use autoopt_epoch::bus::{Bus, Outgoing};
use autoopt_epoch::id::MessageId;
use autoopt_epoch::message::{Event, EventKind};
use futures::StreamExt;
use futures::future::BoxFuture;
use futures::stream::FuturesUnordered;
use tokio::sync::mpsc;
use uuid::Uuid;

/// Between two tries of a message that could not be published.
const PAUSE: Duration = Duration::from_secs(1);

/// A message, and its row in the outbox if it has one.
type Item = (Option<i64>, Outgoing);
/// What came of publishing one: `None` when it is safe, or does not matter; the item again otherwise.
type Published = BoxFuture<'static, (Option<i64>, Option<Item>)>;

/// The sending half and the confirmations; the work is done by a task of its own.
pub(super) struct Relay {
    items: mpsc::UnboundedSender<Item>,
    confirmed: mpsc::UnboundedReceiver<i64>,
}

impl Relay {
    pub(super) fn start(bus: Bus) -> Self {
        let (items, to_publish) = mpsc::unbounded_channel();
        let (tell, confirmed) = mpsc::unbounded_channel();
        tokio::spawn(run(bus, to_publish, tell));
        Self { items, confirmed }
    }

    /// Publishes rows of the outbox.
    pub(super) fn publish(&self, rows: Vec<(i64, Outgoing)>) {
        for (seq, message) in rows {
            // the task ends only with this value
            let _ = self.items.send((Some(seq), message));
        }
    }

    /// Publishes an event for whoever listens; the log has it anyway. Events of single stages stay in the log.
    pub(super) fn announce(&self, event: &Event) {
        let of_stages = matches!(
            event.kind,
            EventKind::StageAccepted | EventKind::StageDone | EventKind::EpochStarted | EventKind::EpochEnded
        );
        if !of_stages {
            let id = MessageId::derived(Uuid::NAMESPACE_OID, &format!("event/{}", event.seq));
            let key = event_key(event.experiment.as_deref(), event.kind);
            let _ = self.items.send((None, Outgoing::new(key, id, event).optional()));
        }
    }

    /// The next row that is safe.
    pub(super) async fn confirmed(&mut self) -> Option<i64> {
        self.confirmed.recv().await
    }

    /// A row that is known to be safe already, if any.
    pub(super) fn confirmed_already(&mut self) -> Option<i64> {
        self.confirmed.try_recv().ok()
    }
}

async fn run(bus: Bus, mut items: mpsc::UnboundedReceiver<Item>, tell: mpsc::UnboundedSender<i64>) {
    let mut under_way: FuturesUnordered<Published> = FuturesUnordered::new();
    loop {
        tokio::select! {
            item = items.recv() => match item {
                Some(item) => {
                    let published = publish(&bus, item).await;
                    under_way.push(published);
                }
                None => return,
            },
            Some((safe, again)) = under_way.next() => {
                if let Some(seq) = safe && tell.send(seq).is_err() {
                    return;
                }
                if let Some(item) = again {
                    let published = publish(&bus, item).await;
                    under_way.push(published);
                }
            }
        }
    }
}

/// Hands a message over; the returned future waits for its confirmation.
async fn publish(bus: &Bus, (seq, message): Item) -> Published {
    let handed_over = bus.publish(message.clone()).await;
    Box::pin(async move {
        let result = match handed_over {
            Ok(confirm) => confirm.await,
            Err(error) => Err(error),
        };
        match (result, seq) {
            (Ok(()), _) => (seq, None),
            (Err(_), None) => (None, None),
            (Err(error), Some(_)) => {
                let key = message.routing_key.as_str();
                tracing::warn!(key, error = &error as &dyn std::error::Error, "not published; trying again");
                tokio::time::sleep(PAUSE).await;
                (None, Some((seq, message)))
            }
        }
    })
}
