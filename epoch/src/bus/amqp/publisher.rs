//! Publishing with confirmation, across reconnections.

use std::collections::HashSet;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use lapin::options::{BasicPublishOptions, ConfirmSelectOptions};
use lapin::{Channel, Confirmation, PublisherConfirm};
use tokio::time::Instant;

use super::{Link, declare, properties, setup};
use crate::bus::{BusError, Confirm, Outgoing};
use crate::id::MessageId;

/// The longest routing key that AMQP can carry.
const LONGEST_KEY: usize = 255;

/// One channel in confirm mode, which everything is published on; cheap to clone.
#[derive(Clone)]
pub(super) struct Publisher {
    link: Arc<Link>,
    channel: Arc<Mutex<Channel>>,
    renewal: Arc<tokio::sync::Mutex<()>>,
    returned: Arc<Mutex<Returned>>,
    timeout: Duration,
}

/// Mandatory messages that came back for want of a queue.
///
/// The client library gives a message that came back to whichever confirmation is completed next, which need not be the message's own
/// one when several are under way. So each confirmation notes here what it was given, and then looks for its own message.
#[derive(Default)]
struct Returned {
    messages: HashSet<MessageId>,
    last: Option<Instant>,
}

/// So long after a message came back confirmations wait for each other, and how long.
const WARY: Duration = Duration::from_secs(10);
const LOOK: Duration = Duration::from_millis(2);

impl Publisher {
    /// Opens the channel and declares the exchanges.
    pub(super) async fn open(link: Arc<Link>, timeout: Duration) -> Result<Self, BusError> {
        let channel = Arc::new(Mutex::new(confirming_channel(&link).await?));
        Ok(Self { link, channel, renewal: Arc::default(), returned: Arc::default(), timeout })
    }

    /// Sends `message`; the returned [`Confirm`] sends it again if the connection breaks before its confirmation.
    pub(super) async fn publish(
        &self,
        exchange: &'static str,
        message: Outgoing,
    ) -> Result<Confirm, BusError> {
        if self.link.closed.is_cancelled() {
            return Err(BusError::Closed);
        }
        if message.routing_key.len() > LONGEST_KEY {
            return Err(BusError::Setup {
                action: "publishing".into(),
                reason: format!(
                    "the routing key `{}` has more than {LONGEST_KEY} bytes",
                    message.routing_key
                ),
            });
        }
        let deadline = Instant::now() + self.timeout;
        // sent here and not in the future returned, so that messages keep their order
        let first = self.send(exchange, &message, deadline).await?;
        let publisher = self.clone();
        Ok(Box::pin(async move { publisher.confirmed(exchange, message, first, deadline).await }))
    }

    async fn confirmed(
        &self,
        exchange: &'static str,
        message: Outgoing,
        first: PublisherConfirm,
        deadline: Instant,
    ) -> Result<(), BusError> {
        let key = || message.routing_key.clone();
        let mut pending = first;
        loop {
            match tokio::time::timeout_at(deadline, pending).await {
                Ok(Ok(Confirmation::Nack(_))) => return Err(BusError::Refused { routing_key: key() }),
                Ok(Ok(Confirmation::Ack(returned))) => {
                    self.note(returned.as_ref().and_then(|r| properties::id(&r.properties)));
                    return match message.mandatory && self.came_back(message.id).await {
                        true => Err(BusError::Unroutable { routing_key: key() }),
                        false => Ok(()),
                    };
                }
                Ok(Ok(Confirmation::NotRequested)) => return Ok(()),
                Ok(Err(error)) => {
                    tracing::debug!(%error, "publishing again");
                    pending = self.send(exchange, &message, deadline).await?;
                }
                Err(_) => {
                    return Err(BusError::Unconfirmed {
                        routing_key: key(),
                        seconds: self.timeout.as_secs(),
                    });
                }
            }
        }
    }

    fn note(&self, came_back: Option<MessageId>) {
        let Some(id) = came_back else { return };
        let mut returned = self.returned.lock().unwrap_or_else(PoisonError::into_inner);
        returned.messages.insert(id);
        returned.last = Some(Instant::now());
    }

    /// Whether this message, which is confirmed, came back. Whoever was given it was completed no later than this one, and has
    /// to be polled only.
    async fn came_back(&self, id: MessageId) -> bool {
        for _ in 0..3 {
            tokio::task::yield_now().await;
        }
        let returned = || self.returned.lock().unwrap_or_else(PoisonError::into_inner);
        if returned().last.is_some_and(|last| last.elapsed() < WARY) {
            tokio::time::sleep(LOOK).await;
        }
        returned().messages.remove(&id)
    }

    /// Hands the message to the client library, waiting for a usable channel until `deadline`.
    async fn send(
        &self,
        exchange: &'static str,
        message: &Outgoing,
        deadline: Instant,
    ) -> Result<PublisherConfirm, BusError> {
        let options = BasicPublishOptions { mandatory: message.mandatory, ..BasicPublishOptions::default() };
        loop {
            let channel = self.channel.lock().unwrap_or_else(PoisonError::into_inner).clone();
            let sending = channel.basic_publish(
                exchange.into(),
                message.routing_key.as_str().into(),
                options,
                &message.body,
                properties::outgoing(message),
            );
            let error: Box<dyn std::error::Error + Send + Sync> =
                match tokio::time::timeout_at(deadline, sending).await {
                    Ok(Ok(confirm)) => return Ok(confirm),
                    Ok(Err(error)) => Box::new(error),
                    Err(elapsed) => Box::new(elapsed),
                };
            if self.link.closed.is_cancelled() {
                return Err(BusError::Closed);
            }
            if Instant::now() >= deadline {
                return Err(BusError::Down(error));
            }
            // short naps instead of the library's notification, which never comes for a channel that is gone for good
            tokio::time::sleep(Duration::from_millis(50)).await;
            self.renew(deadline).await;
        }
    }

    /// Opens another channel if the present one was closed by the broker (say, after an exchange was deleted).
    async fn renew(&self, deadline: Instant) {
        let usable = || {
            let channel = self.channel.lock().unwrap_or_else(PoisonError::into_inner);
            let status = channel.status();
            status.connected() || status.reconnecting()
        };
        let _one_at_a_time = self.renewal.lock().await;
        if usable() || !self.link.is_up() {
            return;
        }
        match tokio::time::timeout_at(deadline, confirming_channel(&self.link)).await {
            Ok(Ok(channel)) => *self.channel.lock().unwrap_or_else(PoisonError::into_inner) = channel,
            Ok(Err(error)) => tracing::debug!(%error, "no channel to publish on yet"),
            Err(_) => {}
        }
    }
}

async fn confirming_channel(link: &Link) -> Result<Channel, BusError> {
    declare::common(&link.connection).await?;
    let channel =
        link.connection.create_channel().await.map_err(|error| setup("opening a channel", &error))?;
    channel
        .confirm_select(ConfirmSelectOptions::default())
        .await
        .map_err(|error| setup("asking for confirmations", &error))?;
    Ok(channel)
}
