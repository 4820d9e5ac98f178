//! The receiving end: a consumer on a channel of its own, set up again whenever the broker ends it.

use std::sync::Arc;
use std::time::Duration;

use futures::future::BoxFuture;
use futures::{FutureExt, StreamExt};
use lapin::options::{BasicConsumeOptions, BasicQosOptions};
use lapin::types::FieldTable;
use tokio_util::sync::{CancellationToken, DropGuard};

use super::acks::{Acks, Ticket};
use super::publisher::Publisher;
use super::{Link, NAP, declare, properties, setup};
use crate::bus::topology::{DEAD_LETTERS, ORIGINAL_KEY_HEADER, REASON_HEADER, Subscription};
use crate::bus::{BusError, Delivery, Incoming, Outgoing, Verdict};
use crate::id::MessageId;

/// How much of a reason goes into a header; headers have to fit one frame.
const LONGEST_REASON: usize = 4000;
/// How long one attempt at setting a consumer up may take.
const SETUP_TIMEOUT: Duration = Duration::from_secs(10);
/// How often a silent consumer's channel is looked at.
const CHECK_EVERY: Duration = Duration::from_secs(3);

pub(super) struct Consumer {
    link: Arc<Link>,
    publisher: Publisher,
    subscription: Subscription,
    /// `None` between a consumer's end and the next one.
    running: Option<Running>,
    /// The next one while it is being set up: kept here, as whoever waits for a delivery may wait for other things too, and
    /// give up and begin again in between.
    starting: Option<BoxFuture<'static, Option<Running>>>,
    /// How often in succession the channel was found dead on a live connection.
    dead_looks: u32,
}

struct Running {
    stream: lapin::Consumer,
    channel: lapin::Channel,
    acks: Arc<Acks>,
    /// Ends the acknowledging task, and with it the channel.
    _ended: DropGuard,
}

impl Consumer {
    pub(super) async fn start(
        link: Arc<Link>,
        publisher: Publisher,
        subscription: Subscription,
    ) -> Result<Self, BusError> {
        let running = Some(Running::start(&link, &subscription).await?);
        Ok(Self { link, publisher, subscription, running, starting: None, dead_looks: 0 })
    }

    fn wrap(&self, acks: &Arc<Acks>, delivery: lapin::message::Delivery) -> Delivery {
        let ticket = acks.arrived(delivery.delivery_tag, delivery.acker);
        let (id, kind) = (properties::id(&delivery.properties), properties::kind(&delivery.properties));
        let headers = properties::headers(&delivery.properties);
        let body = Arc::new(delivery.data);
        let routing_key = delivery.routing_key.to_string();
        Delivery {
            routing_key: routing_key.clone(),
            id,
            kind: kind.clone(),
            headers,
            body: body.as_ref().clone(),
            redelivered: delivery.redelivered,
            verdict: Box::new(Settle {
                acks: acks.clone(),
                ticket,
                publisher: self.publisher.clone(),
                routing_key,
                id,
                kind,
                body,
            }),
        }
    }

    /// Whether the channel stayed dead while the connection is up: nobody would tell us.
    fn stuck(&mut self) -> bool {
        let dead =
            self.link.is_up() && self.running.as_ref().is_some_and(|r| !r.channel.status().connected());
        self.dead_looks = if dead { self.dead_looks + 1 } else { 0 };
        self.dead_looks >= 3
    }
}

impl Running {
    /// Sets a consumer up again; `None` if it does not work yet. Nothing is begun while the connection is away: where the client library
    /// recovers a connection that broke while a channel was being opened on it, its thread can wait for a lock that it has itself, for
    /// ever (seen with lapin 4.12.3).
    async fn again(link: Arc<Link>, subscription: Subscription) -> Option<Self> {
        while !link.is_up() {
            tokio::time::sleep(NAP).await;
        }
        let failed = match tokio::time::timeout(SETUP_TIMEOUT, Self::start(&link, &subscription)).await {
            Ok(Ok(running)) => return Some(running),
            failed => failed,
        };
        if let Ok(Err(error)) = failed {
            tracing::warn!(%error, "the consumer cannot be set up again yet");
        }
        tokio::time::sleep(Duration::from_millis(500)).await;
        None
    }

    async fn start(link: &Arc<Link>, subscription: &Subscription) -> Result<Self, BusError> {
        let claimed = link.claims.connection().await?;
        let own = match (&claimed, &subscription.queue) {
            (None, None) => Some(link.own().await?),
            _ => None,
        };
        let connection = own.as_ref().or(claimed.as_deref()).unwrap_or(&link.connection);
        declare::common(connection).await?;
        let channel =
            connection.create_channel().await.map_err(|error| setup("opening a channel", &error))?;
        let queue = declare::queue(&channel, subscription).await?;
        let doing = format!("consuming the queue `{queue}`");
        channel
            .basic_qos(subscription.prefetch.max(1), BasicQosOptions::default())
            .await
            .map_err(|error| setup(&doing, &error))?;
        let stream = channel
            .basic_consume(
                queue.as_str().into(),
                "".into(),
                BasicConsumeOptions::default(),
                FieldTable::default(),
            )
            .await
            .map_err(|error| setup(&doing, &error))?;
        let ended = CancellationToken::new();
        let acks = Acks::start(link, ended.clone(), channel.clone(), own);
        Ok(Self { stream, channel, acks, _ended: ended.drop_guard() })
    }
}

#[async_trait::async_trait]
impl Incoming for Consumer {
    async fn next(&mut self) -> Option<Delivery> {
        let closed = self.link.closed.clone();
        loop {
            if closed.is_cancelled() {
                return None;
            }
            let Some(running) = self.running.as_mut() else {
                let again = || Running::again(self.link.clone(), self.subscription.clone()).boxed();
                let starting = self.starting.get_or_insert_with(again);
                tokio::select! {
                    () = closed.cancelled() => return None,
                    started = starting => self.running = started,
                }
                self.starting = None;
                continue;
            };
            let item = tokio::select! {
                () = closed.cancelled() => return None,
                () = tokio::time::sleep(CHECK_EVERY) => {
                    if self.stuck() {
                        tracing::warn!("the consumer's channel is gone; setting it up again");
                        self.running = None;
                    }
                    continue;
                }
                item = running.stream.next() => item,
            };
            match item {
                // what was buffered before a reconnection comes again
                Some(Ok(delivery)) if !delivery.acker.usable() => {}
                Some(Ok(delivery)) => {
                    let acks = running.acks.clone();
                    return Some(self.wrap(&acks, delivery));
                }
                Some(Err(error)) => tracing::debug!(%error, "the consumer was interrupted"),
                None => {
                    tracing::warn!("the broker ended the consumer; setting it up again");
                    self.running = None;
                }
            }
        }
    }

    fn ready(&mut self) -> Option<Delivery> {
        if self.link.closed.is_cancelled() {
            return None;
        }
        loop {
            let running = self.running.as_mut()?;
            match running.stream.next().now_or_never()? {
                Some(Ok(delivery)) if !delivery.acker.usable() => {}
                Some(Ok(delivery)) => {
                    let acks = running.acks.clone();
                    return Some(self.wrap(&acks, delivery));
                }
                Some(Err(_)) => {}
                None => self.running = None,
            }
        }
    }
}

struct Settle {
    acks: Arc<Acks>,
    ticket: Ticket,
    publisher: Publisher,
    routing_key: String,
    id: Option<MessageId>,
    kind: Option<String>,
    body: Arc<Vec<u8>>,
}

#[async_trait::async_trait]
impl Verdict for Settle {
    async fn ack(&self) -> bool {
        self.acks.ack(self.ticket)
    }

    async fn requeue(&self) -> bool {
        self.acks.requeue(self.ticket).await
    }

    async fn dead_letter(&self, reason: &str) -> Result<(), BusError> {
        let copy = Outgoing {
            routing_key: self.routing_key.clone(),
            id: self.id.unwrap_or(MessageId(uuid::Uuid::nil())),
            kind: self.kind.clone().unwrap_or_default(),
            body: self.body.as_ref().clone(),
            mandatory: true,
            headers: [
                (REASON_HEADER.to_owned(), reason.chars().take(LONGEST_REASON).collect()),
                (ORIGINAL_KEY_HEADER.to_owned(), self.routing_key.clone()),
            ]
            .into(),
        };
        self.publisher.publish(DEAD_LETTERS, copy).await?.await?;
        // `false` would mean that it comes again and is set aside twice, which does no harm
        self.acks.ack(self.ticket);
        Ok(())
    }
}
