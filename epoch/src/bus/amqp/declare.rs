//! Declares exchanges and queues. The arguments work on RabbitMQ 3.10 and 4.x alike.

use lapin::options::{ExchangeDeclareOptions, QueueBindOptions, QueueDeclareOptions};
use lapin::protocol::{AMQPErrorKind, AMQPSoftError};
use lapin::types::{AMQPValue, FieldTable};
use lapin::{Channel, Connection, ErrorKind, ExchangeKind};

use super::setup;
use crate::bus::BusError;
use crate::bus::topology::{
    DEAD_LETTERS, DELIVERY_LIMIT, EXCHANGE, LOG_BINDING, LOG_BYTES, LOG_SEGMENT_BYTES, LOG_STREAM,
    Subscription,
};

/// What everybody needs: both exchanges, and the queue of dead letters. What is there is not declared again: a user
/// that may only use it is enough.
pub(super) async fn common(connection: &Connection) -> Result<(), BusError> {
    if is_there(connection).await? {
        return Ok(());
    }
    let channel = open(connection).await?;
    let durable = ExchangeDeclareOptions { durable: true, ..ExchangeDeclareOptions::default() };
    // a classic queue: looking at dead letters counts as a delivery, and a quorum queue of RabbitMQ 4 throws away
    // what was delivered 20 times
    let options = QueueDeclareOptions { durable: true, ..QueueDeclareOptions::default() };
    let doing = format!("declaring the queue `{DEAD_LETTERS}`");
    channel
        .queue_declare(DEAD_LETTERS.into(), options, FieldTable::default())
        .await
        .map_err(|error| missing(&doing, &error))?;
    exchange(&channel, DEAD_LETTERS, ExchangeKind::Fanout, durable)
        .await
        .map_err(|error| missing(&format!("declaring the exchange `{DEAD_LETTERS}`"), &error))?;
    bind(&channel, DEAD_LETTERS, DEAD_LETTERS, "").await?;
    // the last one, so that where it is the others are as well
    exchange(&channel, EXCHANGE, ExchangeKind::Topic, durable)
        .await
        .map_err(|error| missing(&format!("declaring the exchange `{EXCHANGE}`"), &error))?;
    close(&channel).await;
    Ok(())
}

/// Whether all of it is there.
pub(super) async fn is_there(connection: &Connection) -> Result<bool, BusError> {
    let channel = open(connection).await?;
    let look = ExchangeDeclareOptions { passive: true, ..ExchangeDeclareOptions::default() };
    let looked = async {
        exchange(&channel, EXCHANGE, ExchangeKind::Topic, look).await?;
        exchange(&channel, DEAD_LETTERS, ExchangeKind::Fanout, look).await?;
        let options = QueueDeclareOptions { passive: true, ..QueueDeclareOptions::default() };
        channel.queue_declare(DEAD_LETTERS.into(), options, FieldTable::default()).await
    };
    match looked.await {
        Ok(_) => {
            close(&channel).await;
            Ok(true)
        }
        // the broker closes the channel with its answer
        Err(error) if answers(&error, AMQPSoftError::NOTFOUND) => Ok(false),
        Err(error) => Err(setup("looking for what all services need", &error)),
    }
}

/// How many records the log has; `None` where there is no log.
pub(super) async fn log_size(connection: &Connection) -> Result<Option<u32>, BusError> {
    let channel = open(connection).await?;
    let options = QueueDeclareOptions { passive: true, ..QueueDeclareOptions::default() };
    match channel.queue_declare(LOG_STREAM.into(), options, FieldTable::default()).await {
        Ok(queue) => {
            close(&channel).await;
            Ok(Some(queue.message_count()))
        }
        Err(error) if answers(&error, AMQPSoftError::NOTFOUND) => Ok(None),
        Err(error) => Err(setup("looking for the log", &error)),
    }
}

/// The log's stream, unless it is there, and its binding: whoever made the stream may have lost the connection before it was bound, and
/// what is not bound loses every record without a word.
pub(super) async fn log(connection: &Connection) -> Result<(), BusError> {
    let is_there = log_size(connection).await?.is_some();
    let channel = open(connection).await?;
    if !is_there {
        let options = QueueDeclareOptions { durable: true, ..QueueDeclareOptions::default() };
        let mut arguments = FieldTable::default();
        arguments.insert("x-queue-type".into(), AMQPValue::LongString("stream".into()));
        arguments.insert("x-max-length-bytes".into(), AMQPValue::LongLongInt(LOG_BYTES));
        arguments.insert("x-stream-max-segment-size-bytes".into(), AMQPValue::LongLongInt(LOG_SEGMENT_BYTES));
        channel
            .queue_declare(LOG_STREAM.into(), options, arguments)
            .await
            .map_err(|error| missing(&format!("declaring the log `{LOG_STREAM}`"), &error))?;
    }
    match queue_bind(&channel, LOG_STREAM, EXCHANGE, LOG_BINDING).await {
        // the definitions that made it have bound it, and the broker has closed the channel
        Err(error) if is_there && answers(&error, AMQPSoftError::ACCESSREFUSED) => return Ok(()),
        bound => bound.map_err(|error| setup(&format!("binding the log `{LOG_STREAM}`"), &error))?,
    }
    close(&channel).await;
    Ok(())
}

/// Whose an exclusive queue is.
pub(super) enum Exclusive {
    /// Nobody's; or ours, where it was declared.
    Free,
    /// Another connection's.
    Theirs,
    /// This user may not have it; the reason.
    Forbidden(String),
}

/// Makes the exclusive queue that is a claim, on a channel that is closed at once: the queue is its connection's.
pub(super) async fn claim(connection: &Connection, name: &str) -> Result<Exclusive, BusError> {
    let options = QueueDeclareOptions { exclusive: true, ..QueueDeclareOptions::default() };
    exclusive(connection, name, options).await
}

/// Whose such a queue is; makes none.
pub(super) async fn is_claimed(connection: &Connection, name: &str) -> Result<Exclusive, BusError> {
    let options = QueueDeclareOptions { passive: true, ..QueueDeclareOptions::default() };
    exclusive(connection, name, options).await
}

async fn exclusive(
    connection: &Connection,
    name: &str,
    options: QueueDeclareOptions,
) -> Result<Exclusive, BusError> {
    let channel = open(connection).await?;
    match channel.queue_declare(name.into(), options, FieldTable::default()).await {
        Ok(_) => {
            close(&channel).await;
            Ok(Exclusive::Free)
        }
        Err(error) if answers(&error, AMQPSoftError::NOTFOUND) => Ok(Exclusive::Free),
        Err(error) if answers(&error, AMQPSoftError::RESOURCELOCKED) => Ok(Exclusive::Theirs),
        Err(error) if answers(&error, AMQPSoftError::ACCESSREFUSED) => {
            Ok(Exclusive::Forbidden(error.to_string()))
        }
        Err(error) => Err(setup(&format!("declaring the queue `{name}`"), &error)),
    }
}

async fn exchange(
    channel: &Channel,
    name: &str,
    kind: ExchangeKind,
    options: ExchangeDeclareOptions,
) -> lapin::Result<()> {
    channel.exchange_declare(name.into(), kind, options, FieldTable::default()).await
}

async fn open(connection: &Connection) -> Result<Channel, BusError> {
    connection.create_channel().await.map_err(|error| setup("opening a channel", &error))
}

async fn close(channel: &Channel) {
    // if it does not work, it closes with its connection
    let _ = channel.close(200, "done".into()).await;
}

pub(super) fn answers(error: &lapin::Error, soft: AMQPSoftError) -> bool {
    matches!(error.kind(), ErrorKind::ProtocolError(error) if *error.kind() == AMQPErrorKind::Soft(soft))
}

/// An error of declaring what is not there.
fn missing(doing: &str, error: &lapin::Error) -> BusError {
    if answers(error, AMQPSoftError::ACCESSREFUSED) {
        let reason = format!(
            "{error}; it is not there, and this user may not make it: import the definitions that `autoopt deploy definitions` makes"
        );
        return BusError::Setup { action: doing.into(), reason };
    }
    setup(doing, error)
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
        // named here and not by the broker: the rights of the services' users are to such names
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
    queue_bind(channel, queue, exchange, pattern)
        .await
        .map_err(|error| setup(&format!("binding the queue `{queue}` to `{pattern}`"), &error))
}

async fn queue_bind(channel: &Channel, queue: &str, exchange: &str, pattern: &str) -> lapin::Result<()> {
    let options = QueueBindOptions::default();
    channel.queue_bind(queue.into(), exchange.into(), pattern.into(), options, FieldTable::default()).await
}
