//! Declares exchanges and queues. The arguments work on RabbitMQ 3.10 and 4.x alike.

use lapin::options::{ExchangeDeclareOptions, QueueBindOptions, QueueDeclareOptions};
use lapin::types::{AMQPValue, FieldTable};
use lapin::{Channel, ExchangeKind};

use super::setup;
use crate::bus::BusError;
use crate::bus::topology::{DEAD_LETTERS, DELIVERY_LIMIT, EXCHANGE, Subscription};

/// What everybody needs: both exchanges, and the queue of dead letters.
pub(super) async fn common(channel: &Channel) -> Result<(), BusError> {
    let durable = ExchangeDeclareOptions { durable: true, ..ExchangeDeclareOptions::default() };
    for (name, kind) in [(EXCHANGE, ExchangeKind::Topic), (DEAD_LETTERS, ExchangeKind::Fanout)] {
        channel
            .exchange_declare(name.into(), kind, durable, FieldTable::default())
            .await
            .map_err(|error| setup(&format!("declaring the exchange `{name}`"), &error))?;
    }
    // a classic queue: looking at dead letters counts as a delivery, and a quorum queue of RabbitMQ 4 throws away
    // what was delivered 20 times
    let options = QueueDeclareOptions { durable: true, ..QueueDeclareOptions::default() };
    let doing = format!("declaring the queue `{DEAD_LETTERS}`");
    channel
        .queue_declare(DEAD_LETTERS.into(), options, FieldTable::default())
        .await
        .map_err(|error| setup(&doing, &error))?;
    bind(channel, DEAD_LETTERS, DEAD_LETTERS, "").await
}

/// A subscription's queue with its bindings; returns its name.
pub(super) async fn queue(channel: &Channel, subscription: &Subscription) -> Result<String, BusError> {
    let mut arguments = FieldTable::default();
    let mut options = QueueDeclareOptions::default();
    let name = if let Some(name) = &subscription.queue {
        let text = |value: &str| AMQPValue::LongString(value.into());
        options.durable = true;
        arguments.insert("x-queue-type".into(), text("quorum"));
        arguments.insert("x-delivery-limit".into(), AMQPValue::LongInt(DELIVERY_LIMIT));
        arguments.insert("x-dead-letter-exchange".into(), text(DEAD_LETTERS));
        // otherwise a dead letter can be lost on its way; it demands `reject-publish`
        arguments.insert("x-dead-letter-strategy".into(), text("at-least-once"));
        arguments.insert("x-overflow".into(), text("reject-publish"));
        name.clone()
    } else {
        options.exclusive = true;
        options.auto_delete = true;
        // named here and not by the broker, so that recovery declares the same one again
        format!("autoopt.own.{}", uuid::Uuid::now_v7())
    };
    let doing = format!("declaring the queue `{name}`");
    channel
        .queue_declare(name.as_str().into(), options, arguments)
        .await
        .map_err(|error| setup(&doing, &error))?;
    for pattern in &subscription.bindings {
        bind(channel, &name, EXCHANGE, pattern).await?;
    }
    Ok(name)
}

async fn bind(channel: &Channel, queue: &str, exchange: &str, pattern: &str) -> Result<(), BusError> {
    channel
        .queue_bind(
            queue.into(),
            exchange.into(),
            pattern.into(),
            QueueBindOptions::default(),
            FieldTable::default(),
        )
        .await
        .map_err(|error| setup(&format!("binding the queue `{queue}` to `{pattern}`"), &error))
}
