//! A claim: an exclusive queue, which the broker gives to one connection at a time.
//!
//! It has a connection of its own, on which its owner consumes as well: the broker cannot end the one and not the other. The
//! client library does not recover that connection: it would consume again before the claim is back, and would give up for
//! good where the broker has not noticed yet that the connection before is gone, and keeps the claim for that.

use std::sync::Arc;
use std::time::Duration;

use lapin::Connection;
use tokio::sync::{Mutex, watch};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::address::Address;
use super::declare::{self, Exclusive};
use super::{HEARTBEAT, NAP, open_once};
use crate::bus::{BusError, Claimed};

/// Between two tries to get a claim back.
const RETRY: Duration = Duration::from_secs(1);
/// Within three heartbeats the broker gives up the claim of a connection that is gone. Who has it this much later is another.
const BEYOND_HEARTBEATS: Duration = Duration::from_secs(10);

/// A bus's claim, once it has one.
pub(super) struct Claims {
    address: Address,
    connection_name: String,
    /// Fires when the bus is closed.
    closed: CancellationToken,
    /// Whether another connection had it when that was looked at last.
    theirs: Mutex<bool>,
    line: Arc<watch::Sender<Line>>,
}

/// The connection that has the claim.
#[derive(Clone)]
enum Line {
    Unclaimed,
    Up(Arc<Connection>),
    /// It broke, and the claim is to be got back.
    Away,
    /// Somebody else has the claim.
    Lost,
}

impl Line {
    /// Whether there is nothing to wait for.
    fn is_settled(&self) -> bool {
        match self {
            Self::Up(connection) => connection.status().connected(),
            Self::Away => false,
            Self::Unclaimed | Self::Lost => true,
        }
    }
}

impl Claims {
    pub(super) fn new(address: Address, name: &str, closed: CancellationToken) -> Self {
        Self {
            address,
            connection_name: format!("{name} (claim)"),
            closed,
            theirs: Mutex::default(),
            line: Arc::new(watch::Sender::new(Line::Unclaimed)),
        }
    }

    /// Tries to get the claim `name`; looks over `connection` whether another one has it. Where that was so, it has to be free
    /// twice in a row: whoever had it gets it back after a broken connection.
    pub(super) async fn claim(&self, connection: &Connection, name: &str) -> Result<Claimed, BusError> {
        let mut theirs = self.theirs.lock().await;
        if !matches!(*self.line.borrow(), Line::Unclaimed) {
            return Ok(Claimed::Ours);
        }
        match declare::is_claimed(connection, name).await? {
            Exclusive::Free if std::mem::take(&mut *theirs) => return Ok(Claimed::Theirs),
            Exclusive::Free => {}
            Exclusive::Theirs => {
                *theirs = true;
                return Ok(Claimed::Theirs);
            }
            Exclusive::Forbidden(reason) => return Ok(Claimed::Forbidden(reason)),
        }
        let own = open_once(self.address.clone(), &self.connection_name).await?;
        match declare::claim(&own, name).await? {
            Exclusive::Free => {
                self.line.send_replace(Line::Up(Arc::new(own)));
                tokio::spawn(self.keeper(name).keep());
                Ok(Claimed::Ours)
            }
            Exclusive::Theirs => {
                *theirs = true;
                Ok(Claimed::Theirs)
            }
            Exclusive::Forbidden(reason) => Ok(Claimed::Forbidden(reason)),
        }
    }

    /// The connection to consume on, where there is a claim; waits until it is back.
    pub(super) async fn connection(&self) -> Result<Option<Arc<Connection>>, BusError> {
        let mut line = self.line.subscribe();
        let settled = line.wait_for(Line::is_settled).await;
        match settled.as_deref() {
            Ok(Line::Unclaimed) => Ok(None),
            Ok(Line::Up(connection)) => Ok(Some(Arc::clone(connection))),
            Ok(Line::Away | Line::Lost) | Err(_) => Err(BusError::Closed),
        }
    }

    /// Whether nothing is missing: the claim is there, or none was wanted.
    pub(super) fn is_up(&self) -> bool {
        match &*self.line.borrow() {
            Line::Unclaimed => true,
            Line::Up(connection) => connection.status().connected(),
            Line::Away | Line::Lost => false,
        }
    }

    /// Resolves when the claim is somebody else's.
    pub(super) async fn lost(&self) {
        if self.line.subscribe().wait_for(|line| matches!(line, Line::Lost)).await.is_err() {
            std::future::pending::<()>().await;
        }
    }

    /// Gives the claim up.
    pub(super) async fn close(&self) {
        let line = self.line.borrow().clone();
        if let Line::Up(connection) = line {
            // one that is broken has nobody to say goodbye to
            let _ = connection.close(200, "done".into()).await;
        }
    }

    fn keeper(&self, name: &str) -> Keeper {
        let heartbeat = self.address.uri.query.heartbeat.unwrap_or(HEARTBEAT);
        Keeper {
            address: self.address.clone(),
            connection_name: self.connection_name.clone(),
            name: name.to_owned(),
            closed: self.closed.clone(),
            patience: 3 * Duration::from_secs(heartbeat.into()) + BEYOND_HEARTBEATS,
            line: Arc::clone(&self.line),
        }
    }
}

/// Gets a claim back whenever its connection breaks.
struct Keeper {
    address: Address,
    connection_name: String,
    name: String,
    closed: CancellationToken,
    /// How long the broker may take to give up the claim of a connection that is gone.
    patience: Duration,
    line: Arc<watch::Sender<Line>>,
}

impl Keeper {
    async fn keep(self) {
        let closed = self.closed.clone();
        tokio::select! {
            () = closed.cancelled() => {}
            () = self.renew() => {}
        }
    }

    async fn renew(&self) {
        loop {
            while matches!(&*self.line.borrow(), Line::Up(own) if own.status().connected()) {
                tokio::time::sleep(NAP).await;
            }
            self.line.send_replace(Line::Away);
            tracing::warn!("the connection that had the claim `{}` is gone; getting it back", self.name);
            let Some(connection) = self.again().await else {
                self.line.send_replace(Line::Lost);
                return;
            };
            tracing::info!("the claim `{}` is back", self.name);
            self.line.send_replace(Line::Up(Arc::new(connection)));
        }
    }

    /// A new connection with the claim; `None` where somebody else has it by now.
    async fn again(&self) -> Option<Connection> {
        let mut since = None;
        loop {
            let opened = open_once(self.address.clone(), &self.connection_name).await;
            let failed = match opened {
                Ok(connection) => match self.on(&connection, &mut since).await {
                    Ok(true) => return Some(connection),
                    Ok(false) => return None,
                    Err(error) => error,
                },
                Err(error) => error,
            };
            tracing::warn!(error = &failed as &dyn std::error::Error, "the claim is not back yet");
            tokio::time::sleep(RETRY).await;
        }
    }

    /// Whether the claim can be had over `connection`; `since` is when it was first seen to be taken.
    async fn on(&self, connection: &Connection, since: &mut Option<Instant>) -> Result<bool, BusError> {
        loop {
            match declare::claim(connection, &self.name).await? {
                Exclusive::Free => return Ok(true),
                Exclusive::Forbidden(reason) => {
                    let action = format!("declaring the queue `{}`", self.name);
                    return Err(BusError::Setup { action, reason });
                }
                Exclusive::Theirs if since.get_or_insert_with(Instant::now).elapsed() < self.patience => {}
                Exclusive::Theirs => return Ok(false),
            }
            tokio::time::sleep(RETRY).await;
        }
    }
}
