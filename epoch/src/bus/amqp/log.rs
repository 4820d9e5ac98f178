//! The log that all services share: a stream of the broker, which forgets its oldest part when it is full.
//!
//! It is written on a connection of its own: the broker closes a channel on which a user publishes what it may not, and the
//! whole connection where two services make the stream at the same time (seen with 3.10). Neither may happen to reports
//! and trials.

use std::time::Duration;

use futures::StreamExt;
use lapin::options::{
    BasicAckOptions, BasicConsumeOptions, BasicPublishOptions, BasicQosOptions, ConfirmSelectOptions,
};
use lapin::protocol::AMQPSoftError;
use lapin::types::{AMQPValue, FieldTable};
use lapin::{Channel, Confirmation, Connection};
use tokio_util::sync::CancellationToken;

use super::address::Address;
use super::{declare, open_once, properties, setup};
use crate::bus::topology::{EXCHANGE, LOG_STREAM};
use crate::bus::{BusError, Outgoing};
use crate::log::Record;
use crate::time::Timestamp;

/// For one batch of records.
const PATIENCE: Duration = Duration::from_secs(10);
/// Records on their way to a reader.
const PREFETCH: u16 = 500;
/// The header in which the broker tells a record's position.
const OFFSET: &str = "x-stream-offset";
/// A chunk of records arrives as one; what is silent for this long after its first one has no more.
const CHUNK: Duration = Duration::from_millis(300);

/// After a reader's connection broke, before it opens another one.
const PAUSE: Duration = Duration::from_secs(1);

/// The writing end.
pub(super) struct Log {
    address: Address,
    name: String,
    /// Fires when the bus is closed.
    closed: CancellationToken,
    open: tokio::sync::Mutex<Option<Open>>,
}

struct Open {
    connection: Connection,
    channel: Channel,
}

impl Log {
    pub(super) fn new(address: Address, name: &str, closed: CancellationToken) -> Self {
        Self { address, name: format!("{name} (log)"), closed, open: tokio::sync::Mutex::default() }
    }

    /// Appends `records` and takes away those that are safe; after an error the others are left.
    pub(super) async fn append(&self, records: &mut Vec<Outgoing>) -> Result<(), BusError> {
        let mut open = self.open.lock().await;
        let mut safe = 0;
        let appended = tokio::time::timeout(PATIENCE, self.append_on(&mut open, records, &mut safe)).await;
        records.drain(..safe);
        let result = appended.unwrap_or_else(|_| {
            let seconds = PATIENCE.as_secs();
            Err(BusError::Unconfirmed { routing_key: "log".into(), seconds })
        });
        if result.is_err() {
            end(&mut open).await;
        }
        result
    }

    /// Ends the connection.
    pub(super) async fn close(&self) {
        end(&mut *self.open.lock().await).await;
    }

    async fn append_on(
        &self,
        open: &mut Option<Open>,
        records: &[Outgoing],
        safe: &mut usize,
    ) -> Result<(), BusError> {
        let channel = match open {
            Some(open) => &open.channel,
            None => &open.insert(self.open().await?).channel,
        };
        let failed = |error: lapin::Error| match declare::answers(&error, AMQPSoftError::ACCESSREFUSED) {
            true => BusError::Setup {
                action: "adding to the log".into(),
                reason: format!("{error}; import the definitions that `autoopt deploy definitions` makes"),
            },
            false => BusError::Down(Box::new(error)),
        };
        let mut confirms = Vec::with_capacity(records.len());
        for record in records {
            let sending = channel.basic_publish(
                EXCHANGE.into(),
                record.routing_key.as_str().into(),
                BasicPublishOptions::default(),
                &record.body,
                properties::outgoing(record),
            );
            confirms.push(sending.await.map_err(failed)?);
        }
        for confirm in confirms {
            if let Confirmation::Nack(_) = confirm.await.map_err(failed)? {
                return Err(BusError::Refused { routing_key: "log".into() });
            }
            *safe += 1;
        }
        Ok(())
    }

    async fn open(&self) -> Result<Open, BusError> {
        if self.closed.is_cancelled() {
            return Err(BusError::Closed);
        }
        let connection = open_once(self.address.clone().with_small_frames(), &self.name).await?;
        declare::log(&connection).await?;
        let channel = channel(&connection).await?;
        channel
            .confirm_select(ConfirmSelectOptions::default())
            .await
            .map_err(|error| setup("asking for confirmations", &error))?;
        Ok(Open { connection, channel })
    }
}

async fn end(open: &mut Option<Open>) {
    if let Some(open) = open.take() {
        // one that is broken has nobody to say goodbye to
        let _ = tokio::time::timeout(PAUSE, open.connection.close(200, "done".into())).await;
    }
}

/// Where a reader begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum From {
    /// With the oldest record that is still there.
    Start,
    /// With what was appended at this time; records of the same chunk may be a little older.
    Time(Timestamp),
    /// With what comes from now on.
    Now,
}

/// Hands every record to `each`: up to what is there now, or with `follow` for ever, over broken connections.
///
/// # Errors
/// If the broker refuses the user, or there is no log.
pub async fn read(url: &str, from: From, follow: bool, mut each: impl FnMut(Record)) -> Result<(), BusError> {
    let mut start = match from {
        From::Start => AMQPValue::LongString("first".into()),
        From::Time(at) => AMQPValue::Timestamp(u64::try_from(at.as_millis() / 1000).unwrap_or(0)),
        From::Now => AMQPValue::LongString("next".into()),
    };
    let mut has_read = false;
    loop {
        let connection = open_once(Address::of(url)?, "autoopt logs").await?;
        let done = read_on(&connection, &mut start, follow, &mut has_read, &mut each).await;
        let _ = tokio::time::timeout(PAUSE, connection.close(200, "done".into())).await;
        match done {
            // a broker that starts has its streams a little later
            Err(error) if follow && has_read => tracing::debug!(%error, "the log is not there yet"),
            Ok(()) if follow => {}
            done => return done,
        }
        tokio::time::sleep(PAUSE).await;
    }
}

/// Reads on one connection until it ends; `start` is where to go on.
async fn read_on(
    connection: &Connection,
    start: &mut AMQPValue,
    follow: bool,
    has_read: &mut bool,
    each: &mut impl FnMut(Record),
) -> Result<(), BusError> {
    let end = if follow { Some(i64::MAX) } else { last(connection).await? };
    let channel = channel(connection).await?;
    let mut records = consume(&channel, start.clone()).await?;
    *has_read = true;
    let Some(end) = end else { return Ok(()) };
    while let Some(Ok(delivery)) = records.next().await {
        let offset = offset(&delivery);
        if let Ok(mut record) = serde_json::from_slice::<Record>(&delivery.data) {
            if let Some(service) = delivery.routing_key.as_str().split('.').nth(1) {
                record.service = service.to_owned();
            }
            each(record);
        }
        *start = AMQPValue::LongLongInt(offset + 1);
        if offset >= end {
            break;
        }
        // the broker sends no more than PREFETCH ahead of what is acknowledged
        let _ = delivery.acker.ack(BasicAckOptions::default()).await;
    }
    Ok(())
}

/// The newest record's position; `None` where there is no record.
async fn last(connection: &Connection) -> Result<Option<i64>, BusError> {
    if declare::log_size(connection).await?.is_none_or(|records| records == 0) {
        return Ok(None);
    }
    let channel = channel(connection).await?;
    let mut records = consume(&channel, AMQPValue::LongString("last".into())).await?;
    let mut found = None;
    let mut patience = PATIENCE;
    while let Ok(Some(Ok(delivery))) = tokio::time::timeout(patience, records.next()).await {
        found = Some(offset(&delivery));
        patience = CHUNK;
    }
    let _ = channel.close(200, "done".into()).await;
    Ok(found)
}

fn offset(delivery: &lapin::message::Delivery) -> i64 {
    let headers = delivery.properties.headers().as_ref();
    match headers.and_then(|table| table.inner().get(OFFSET)) {
        Some(AMQPValue::LongLongInt(offset)) => *offset,
        _ => 0,
    }
}

/// Why there is nothing to read.
const ABSENT: &str = "it is not there; a service makes it at its start, or import the definitions that `autoopt deploy \
                      definitions` makes";

async fn consume(channel: &Channel, start: AMQPValue) -> Result<lapin::Consumer, BusError> {
    let failed = |error| match declare::answers(&error, AMQPSoftError::NOTFOUND) {
        true => BusError::Setup { action: "reading the log".into(), reason: ABSENT.into() },
        false => setup("reading the log", &error),
    };
    channel.basic_qos(PREFETCH, BasicQosOptions::default()).await.map_err(failed)?;
    let mut arguments = FieldTable::default();
    arguments.insert(OFFSET.into(), start);
    channel
        .basic_consume(LOG_STREAM.into(), "".into(), BasicConsumeOptions::default(), arguments)
        .await
        .map_err(failed)
}

async fn channel(connection: &Connection) -> Result<Channel, BusError> {
    connection.create_channel().await.map_err(|error| setup("opening a channel", &error))
}
