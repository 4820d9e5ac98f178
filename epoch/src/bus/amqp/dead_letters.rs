//! Looking at dead letters, and giving them another chance.

use lapin::message::Delivery;
use lapin::options::{BasicAckOptions, BasicGetOptions, BasicNackOptions};
use lapin::types::AMQPValue;
use lapin::{BasicProperties, Channel, Connection};

use super::address::Address;
use super::publisher::Publisher;
use super::{AmqpSettings, connect, declare, open, properties, setup};
use crate::bus::topology::{DEAD_LETTERS, EXCHANGE, ORIGINAL_KEY_HEADER, REASON_HEADER};
use crate::bus::{BusError, DeadLetter};
use crate::id::MessageId;
use crate::time::Timestamp;

const NAME: &str = "autoopt dead-letters";

/// The dead letters, oldest first, `limit` of them at most; they stay where they are.
pub async fn list(url: &str, limit: usize) -> Result<Vec<DeadLetter>, BusError> {
    let connection = open(Address::of(url)?, NAME).await?;
    let letters = look(&connection, limit).await;
    let _ = connection.close(200, "done".into()).await;
    letters
}

/// Publishes dead letters again with their first routing key: the one with this [`DeadLetter::key`], or all that are there
/// now. Returns how many. Each gets a new message id, derived from the old one and the time of its failure; under the old
/// id its receiver would take it for a duplicate.
pub async fn requeue(url: &str, key: Option<MessageId>) -> Result<usize, BusError> {
    let bus = connect(AmqpSettings::new(url, NAME)).await?;
    let sent = bus.requeue_dead_letters(key).await;
    bus.close().await;
    sent.map(|letters| letters.len())
}

/// The same over a connection that is there.
pub(super) async fn look(connection: &Connection, limit: usize) -> Result<Vec<DeadLetter>, BusError> {
    let channel = channel(connection).await?;
    let mut letters = Vec::new();
    let mut last = None;
    while letters.len() < limit {
        let Some(delivery) = get(&channel).await? else { break };
        letters.push(letter(&delivery));
        last = Some(delivery);
    }
    give_back(last).await;
    let _ = channel.close(200, "done".into()).await;
    Ok(letters)
}

/// The same over a connection and a publisher that are there.
pub(super) async fn send_again(
    connection: &Connection,
    publisher: &Publisher,
    key: Option<MessageId>,
) -> Result<Vec<DeadLetter>, BusError> {
    let channel = channel(connection).await?;
    let mut sent = Vec::new();
    let mut kept = None;
    let mut result = Ok(());
    // what arrives from now on (a letter given back that fails again) is not looked at a second time
    let mut left = waiting(&channel).await?;
    while left > 0 {
        left -= 1;
        let Some(delivery) = get(&channel).await? else { break };
        let letter = letter(&delivery);
        if key.is_some_and(|key| letter.key() != key) {
            kept = Some(delivery);
            continue;
        }
        let published = match publisher.publish(EXCHANGE, letter.again()).await {
            Ok(confirm) => confirm.await,
            Err(error) => Err(error),
        };
        if let Err(error) = published {
            kept = Some(delivery);
            result = Err(error);
            break;
        }
        let _ = delivery.acker.ack(BasicAckOptions::default()).await;
        sent.push(letter);
        if key.is_some() {
            break;
        }
    }
    give_back(kept).await;
    let _ = channel.close(200, "done".into()).await;
    result.map(|()| sent)
}

async fn channel(connection: &Connection) -> Result<Channel, BusError> {
    declare::common(connection).await?;
    connection.create_channel().await.map_err(|error| setup("opening a channel", &error))
}

async fn get(channel: &Channel) -> Result<Option<Delivery>, BusError> {
    let got = channel.basic_get(DEAD_LETTERS.into(), BasicGetOptions::default()).await;
    Ok(got.map_err(|error| setup("reading the dead letters", &error))?.map(|message| message.delivery))
}

async fn waiting(channel: &Channel) -> Result<u32, BusError> {
    let options = lapin::options::QueueDeclareOptions { passive: true, ..Default::default() };
    channel
        .queue_declare(DEAD_LETTERS.into(), options, lapin::types::FieldTable::default())
        .await
        .map(|queue| queue.message_count())
        .map_err(|error| setup("counting the dead letters", &error))
}

/// Everything up to `last` goes back to its place in the queue.
async fn give_back(last: Option<Delivery>) {
    if let Some(last) = last {
        // closing the connection has the same effect, should this fail
        let _ = last.acker.nack(BasicNackOptions { multiple: true, requeue: true }).await;
    }
}

fn letter(delivery: &Delivery) -> DeadLetter {
    let mut headers = properties::headers(&delivery.properties);
    let death = first_death(&delivery.properties);
    let ours = headers.remove(REASON_HEADER);
    let seconds = death.at.or_else(|| ours.as_ref().and_then(|_| *delivery.properties.timestamp()));
    DeadLetter {
        id: properties::id(&delivery.properties),
        routing_key: headers
            .remove(ORIGINAL_KEY_HEADER)
            .unwrap_or_else(|| delivery.routing_key.as_str().to_owned()),
        reason: ours.unwrap_or_else(|| match death.reason.as_deref() {
            Some("delivery_limit") => "delivered too often without a verdict".into(),
            Some(other) => format!("set aside by the broker: {other}"),
            None => "unknown".into(),
        }),
        at: seconds
            .and_then(|seconds| i64::try_from(seconds).ok()?.checked_mul(1000))
            .map(Timestamp::from_millis),
        kind: properties::kind(&delivery.properties),
        body: delivery.data.clone(),
    }
}

struct Death {
    reason: Option<String>,
    /// Seconds since 1970.
    at: Option<u64>,
}

/// What the broker notes where it sets a message aside itself.
fn first_death(of: &BasicProperties) -> Death {
    let table = of.headers().as_ref().map(|headers| headers.inner());
    let field = |name: &str| table.and_then(|table| table.get(name));
    let newest = match field("x-death") {
        Some(AMQPValue::FieldArray(deaths)) => deaths.as_slice().first(),
        _ => None,
    };
    let at = match newest {
        Some(AMQPValue::FieldTable(death)) => match death.inner().get("time") {
            Some(AMQPValue::Timestamp(seconds)) => Some(*seconds),
            _ => None,
        },
        _ => None,
    };
    Death { reason: field("x-first-death-reason").and_then(properties::text), at }
}
