//! Between our messages and the properties of AMQP ones.

use std::collections::BTreeMap;

use lapin::BasicProperties;
use lapin::types::{AMQPValue, FieldTable};

use crate::bus::Outgoing;
use crate::id::MessageId;
use crate::time::Timestamp;

pub(super) fn outgoing(message: &Outgoing) -> BasicProperties {
    let mut headers = FieldTable::default();
    for (name, value) in &message.headers {
        headers.insert(name.as_str().into(), AMQPValue::LongString(value.as_str().into()));
    }
    let seconds = u64::try_from(Timestamp::now().as_millis() / 1000).unwrap_or(0);
    let mut properties = BasicProperties::default()
        .with_delivery_mode(2) // kept on disk
        .with_content_type("application/json".into())
        .with_timestamp(seconds)
        .with_headers(headers);
    // what came without an id or a type goes to the dead letters without them
    if !message.id.0.is_nil() {
        properties = properties.with_message_id(message.id.to_string().into());
    }
    if !message.kind.is_empty() {
        properties = properties.with_type(message.kind.as_str().into());
    }
    properties
}

pub(super) fn id(properties: &BasicProperties) -> Option<MessageId> {
    properties.message_id().as_ref()?.as_str().parse().ok()
}

pub(super) fn kind(properties: &BasicProperties) -> Option<String> {
    properties.kind().as_ref().map(|kind| kind.as_str().to_owned())
}

/// The headers that are text, numbers or truth values; the broker's own tables are of no use to a receiver.
pub(super) fn headers(properties: &BasicProperties) -> BTreeMap<String, String> {
    let Some(table) = properties.headers() else { return BTreeMap::new() };
    table.inner().iter().filter_map(|(name, value)| Some((name.to_string(), text(value)?))).collect()
}

pub(super) fn text(value: &AMQPValue) -> Option<String> {
    Some(match value {
        AMQPValue::LongString(text) => String::from_utf8_lossy(text.as_bytes()).into_owned(),
        AMQPValue::ShortString(text) => text.to_string(),
        AMQPValue::Boolean(value) => value.to_string(),
        AMQPValue::ShortInt(value) => value.to_string(),
        AMQPValue::LongInt(value) => value.to_string(),
        AMQPValue::LongUInt(value) => value.to_string(),
        AMQPValue::LongLongInt(value) => value.to_string(),
        AMQPValue::Double(value) => value.to_string(),
        _ => return None,
    })
}
