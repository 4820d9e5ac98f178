//! What a user may do on the broker, tried without leaving anything behind: for the command line.

use lapin::options::{BasicPublishOptions, ConfirmSelectOptions, QueueBindOptions, QueueDeclareOptions};
use lapin::protocol::AMQPSoftError;
use lapin::types::{AMQPValue, FieldTable};
use lapin::{BasicProperties, Channel, Connection};

use super::address::Address;
use super::declare::{answers, is_there};
use super::{open, setup};
use crate::bus::BusError;
use crate::bus::topology::EXCHANGE;

/// A connection as one user.
pub struct Probe(Connection);

impl Probe {
    /// Connects; waits for a broker that is not there yet.
    pub async fn open(url: &str) -> Result<Self, BusError> {
        Ok(Self(open(Address::of(url)?, "autoopt deploy check").await?))
    }

    /// Whether both exchanges and the queue of dead letters are there.
    pub async fn has_common(&self) -> Result<bool, BusError> {
        is_there(&self.0).await
    }

    /// Whether the queue is there.
    pub async fn has_queue(&self, name: &str) -> Result<bool, BusError> {
        let channel = self.channel().await?;
        let options = QueueDeclareOptions { passive: true, ..QueueDeclareOptions::default() };
        match channel.queue_declare(name.into(), options, FieldTable::default()).await {
            Ok(_) => Ok(true),
            Err(error) if answers(&error, AMQPSoftError::NOTFOUND) => Ok(false),
            Err(error) => Err(setup(&format!("looking for the queue `{name}`"), &error)),
        }
    }

    /// Whether it may publish with this routing key. Nothing is published: the message says that another user sent it,
    /// which the broker refuses after it has looked at the rights.
    pub async fn may_publish(&self, key: &str) -> Result<bool, BusError> {
        let channel = self.channel().await?;
        let doing = format!("trying to publish with `{key}`");
        channel
            .confirm_select(ConfirmSelectOptions::default())
            .await
            .map_err(|error| setup(&doing, &error))?;
        let properties = BasicProperties::default().with_user_id("autoopt-nobody".into());
        let options = BasicPublishOptions::default();
        let sent = channel.basic_publish(EXCHANGE.into(), key.into(), options, b"", properties).await;
        let answer = match sent {
            Ok(confirm) => confirm.await.map(|_| ()),
            Err(error) => Err(error),
        };
        match answer {
            Err(error) if answers(&error, AMQPSoftError::ACCESSREFUSED) => Ok(false),
            Err(error) if answers(&error, AMQPSoftError::PRECONDITIONFAILED) => Ok(true),
            Err(error) => Err(setup(&doing, &error)),
            // a user with the tag `impersonator`
            Ok(()) => Ok(true),
        }
    }

    /// Whether it may hear what is published with this routing key, by a queue of its own, which goes with the channel's
    /// connection.
    pub async fn may_hear(&self, key: &str) -> Result<bool, BusError> {
        let channel = self.channel().await?;
        let doing = format!("trying to hear `{key}`");
        let name = format!("autoopt.own.{}", uuid::Uuid::now_v7());
        let options = QueueDeclareOptions { exclusive: true, auto_delete: true, ..Default::default() };
        channel
            .queue_declare(name.as_str().into(), options, FieldTable::default())
            .await
            .map_err(|error| setup(&doing, &error))?;
        let options = QueueBindOptions::default();
        match channel
            .queue_bind(name.as_str().into(), EXCHANGE.into(), key.into(), options, FieldTable::default())
            .await
        {
            Ok(()) => Ok(true),
            Err(error) if answers(&error, AMQPSoftError::ACCESSREFUSED) => Ok(false),
            Err(error) => Err(setup(&doing, &error)),
        }
    }

    /// Whether it may have the claim `name`. Nobody gets it: the queue is declared with an argument that the broker refuses after
    /// it has looked at the rights.
    pub async fn may_claim(&self, name: &str) -> Result<bool, BusError> {
        let channel = self.channel().await?;
        let options = QueueDeclareOptions { exclusive: true, ..QueueDeclareOptions::default() };
        let mut arguments = FieldTable::default();
        arguments.insert("x-expires".into(), AMQPValue::LongInt(0));
        match channel.queue_declare(name.into(), options, arguments).await {
            Err(error) if answers(&error, AMQPSoftError::ACCESSREFUSED) => Ok(false),
            Err(error) if answers(&error, AMQPSoftError::PRECONDITIONFAILED) => Ok(true),
            // a coordinator works
            Err(error) if answers(&error, AMQPSoftError::RESOURCELOCKED) => Ok(true),
            Err(error) => Err(setup(&format!("trying to declare `{name}`"), &error)),
            Ok(_) => Ok(true),
        }
    }

    /// Ends the connection.
    pub async fn close(self) {
        let _ = self.0.close(200, "done".into()).await;
    }

    async fn channel(&self) -> Result<Channel, BusError> {
        self.0.create_channel().await.map_err(|error| setup("opening a channel", &error))
    }
}
