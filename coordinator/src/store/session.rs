//! The PostgreSQL session that holds the claim, and that everything is committed on: whoever has lost the claim has
//! lost the session too, and cannot commit any more.

use std::str::FromStr;
use std::time::Duration;

use sqlx::postgres::{PgConnectOptions, PgConnection};
use sqlx::{ConnectOptions, Connection};
use tokio::sync::{Mutex, MutexGuard};
use tokio_util::sync::CancellationToken;

use super::StoreError;

/// The advisory lock's number: the ASCII codes of `autoopt`. It belongs to the database that one is connected to.
const LOCK: i64 = 0x61_75_74_6f_6f_70_74;
/// To connect, to take the lock, or to hear that the session is alive.
const ANSWER: Duration = Duration::from_secs(5);
/// After half a minute at most the server gives up the session, and with it the claim, of a host that vanished.
const KEEPALIVE: [(&str, &str); 3] =
    [("tcp_keepalives_idle", "10"), ("tcp_keepalives_interval", "5"), ("tcp_keepalives_count", "4")];

#[derive(Debug)]
pub(super) struct Session {
    options: PgConnectOptions,
    held: Mutex<Held>,
    /// Somebody else has the claim.
    pub(super) lost: CancellationToken,
}

#[derive(Debug)]
pub(super) struct Held {
    connection: Option<PgConnection>,
    /// The claim was away for a while. It is ours again, but others may have worked on the store meanwhile.
    lapsed: bool,
}

impl Held {
    /// The connection, out of which it is taken so that one that is abandoned half-way is not used again.
    pub(super) fn take(&mut self) -> Option<PgConnection> {
        self.connection.take()
    }

    pub(super) fn put_back(&mut self, connection: PgConnection) {
        self.connection = Some(connection);
    }
}

impl Session {
    /// The claim, if nobody else has it.
    pub(super) async fn claim(url: &str) -> Result<Option<Self>, sqlx::Error> {
        let options = PgConnectOptions::from_str(url)?.options(KEEPALIVE).disable_statement_logging();
        let Some(connection) = locked(&options).await? else { return Ok(None) };
        let held = Mutex::new(Held { connection: Some(connection), lapsed: false });
        Ok(Some(Self { options, held, lost: CancellationToken::new() }))
    }

    /// The connection, for a commit.
    pub(super) async fn held(&self) -> Result<MutexGuard<'_, Held>, StoreError> {
        let held = self.renewed().await?;
        if held.lapsed { Err(StoreError::Lapsed) } else { Ok(held) }
    }

    /// Before everything is read again: what others did meanwhile is then known.
    pub(super) async fn resume(&self) -> Result<(), StoreError> {
        self.watch().await;
        self.renewed().await?.lapsed = false;
        Ok(())
    }

    /// Finds out whether the session is still there; when it is not, its successor has to get the claim.
    pub(super) async fn watch(&self) {
        let mut held = self.held.lock().await;
        if let Some(mut connection) = held.take()
            && Self::alive(&mut connection).await
        {
            held.put_back(connection);
        }
        drop(held);
        if let Err(error) = self.renewed().await {
            tracing::debug!(error = &error as &dyn std::error::Error, "the claim is not renewed yet");
        }
    }

    pub(super) async fn alive(connection: &mut PgConnection) -> bool {
        tokio::time::timeout(ANSWER, connection.ping()).await.is_ok_and(|answer| answer.is_ok())
    }

    async fn renewed(&self) -> Result<MutexGuard<'_, Held>, StoreError> {
        let mut held = self.held.lock().await;
        if self.lost.is_cancelled() {
            return Err(StoreError::Lost);
        }
        if held.connection.is_none() {
            held.connection = locked(&self.options).await.map_err(super::sql)?;
            held.lapsed = true;
            if held.connection.is_none() {
                self.lost.cancel();
                return Err(StoreError::Lost);
            }
        }
        Ok(held)
    }
}

/// A new session with the lock, unless somebody else has it.
async fn locked(options: &PgConnectOptions) -> Result<Option<PgConnection>, sqlx::Error> {
    let connected = async {
        let mut connection = options.connect().await?;
        let free: bool = sqlx::query_scalar("select pg_try_advisory_lock($1)")
            .bind(LOCK)
            .fetch_one(&mut connection)
            .await?;
        Ok(free.then_some(connection))
    };
    tokio::time::timeout(ANSWER, connected).await.map_err(|_| sqlx::Error::PoolTimedOut)?
}
