//! What the coordinator remembers: SQLite or PostgreSQL, with the same tables.
//!
//! Everything that follows from a batch of messages goes in with one transaction ([`Store::commit`]): the ids of the
//! messages, the changed records, the events, and the messages to publish. After a crash either all of it is there or
//! nothing, and then the broker delivers the messages again.

mod bulk;
mod claim;
mod commit;
mod entity;
mod load;
mod migration;
mod overview;
mod prune;
mod query;
mod rows;
mod session;
mod settings;
mod timeline;

use std::path::PathBuf;
use std::sync::{Arc, Mutex, Weak};
use std::time::{Duration, Instant};

use sea_orm::{
    ConnectOptions, ConnectionTrait, Database, DatabaseConnection, DatabaseTransaction, DbBackend, DbErr,
    RuntimeErr, SqliteTransactionMode, TransactionOptions, TransactionTrait,
};
use sea_orm_migration::MigratorTrait;
use sqlx::sqlite::{SqliteJournalMode, SqliteSynchronous};

pub use claim::Claim;
pub use commit::{Batch, Committed};
pub use query::ArtifactEntry;
pub use settings::StoreSettings;
pub use timeline::{EpochEntry, TrialEntry};

use session::Session;

/// How long a connection waits for another one that writes.
const BUSY: Duration = Duration::from_secs(5);

/// The database, migrated; cheap to clone.
#[derive(Clone, Debug)]
pub struct Store {
    db: DatabaseConnection,
    url: Arc<str>,
    /// What commits go through once the store is claimed.
    session: Arc<Mutex<Option<Weak<Session>>>>,
}

/// Why the store could not do something.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// The URL names no database that is supported.
    #[error(
        "a store with the URL scheme `{scheme}` is not supported; use sqlite://PATH?mode=rwc or postgres://USER@HOST/NAME"
    )]
    Unsupported { scheme: String },
    /// The database cannot be reached or opened.
    #[error("the store at {at} cannot be opened; check the path or the server, and its permissions")]
    Open { at: String, source: DbErr },
    /// The schema could not be brought up to date.
    #[error("the store's schema cannot be brought up to date; was it written by a later version?")]
    Migrate(#[source] DbErr),
    /// The lock that keeps other processes away cannot be used.
    #[error("the lock file {at} cannot be used; check its permissions")]
    Lock { at: PathBuf, source: std::io::Error },
    /// The connection was away for a while, and others may have written meanwhile.
    #[error(
        "the claim on the store was away for a while; nothing was kept, and the store has to be read again"
    )]
    Lapsed,
    /// Somebody else has the claim.
    #[error("another coordinator has taken the store over; this one has to end")]
    Lost,
    /// A statement failed; its transaction changed nothing.
    #[error("the store failed; nothing of this transaction was kept")]
    Database(#[from] DbErr),
    /// A row does not hold what this program writes.
    #[error("the row `{key}` of the table `{table}` cannot be read: {reason}")]
    Unreadable { table: &'static str, key: String, reason: String },
    /// A value cannot be put into the form in which it is kept.
    #[error("a row for the table `{table}` cannot be written: {reason}")]
    Unwritable { table: &'static str, reason: String },
}

impl Store {
    /// Connects to `sqlite://PATH?mode=rwc` or `postgres://…` and brings the schema up to date.
    pub async fn open(url: &str) -> Result<Self, StoreError> {
        let scheme = url.split(':').next().unwrap_or_default();
        let mut options = ConnectOptions::new(url);
        options.sqlx_logging(false);
        match scheme {
            "sqlite" => {
                options.max_connections(4).map_sqlx_sqlite_opts(|sqlite| {
                    sqlite
                        .journal_mode(SqliteJournalMode::Wal)
                        .synchronous(SqliteSynchronous::Full)
                        .busy_timeout(BUSY)
                        .foreign_keys(true)
                });
            }
            "postgres" | "postgresql" => {
                options.max_connections(8).connect_timeout(Duration::from_secs(5));
            }
            other => return Err(StoreError::Unsupported { scheme: other.into() }),
        }
        let db =
            connect(options).await.map_err(|source| StoreError::Open { at: without_secret(url), source })?;
        let store = Self { db, url: url.into(), session: Arc::default() };
        store.migrate().await.map_err(StoreError::Migrate)?;
        Ok(store)
    }

    /// One at a time: two that start together would both find no tables.
    async fn migrate(&self) -> Result<(), DbErr> {
        let tx = self.begin().await?;
        if !self.is_sqlite() {
            tx.execute_unprepared("select pg_advisory_xact_lock(hashtext('autoopt.schema'))").await?;
        }
        migration::Migrator::up(&tx, None).await?;
        tx.commit().await
    }

    fn is_sqlite(&self) -> bool {
        self.db.get_database_backend() == DbBackend::Sqlite
    }

    /// Closes the connections.
    pub async fn close(self) -> Result<(), StoreError> {
        Ok(self.db.close().await?)
    }

    /// A transaction that may write. On SQLite it takes the write lock at once: one that began to read and then wants
    /// to write fails under contention, however long it would wait.
    async fn begin(&self) -> Result<DatabaseTransaction, DbErr> {
        let sqlite_transaction_mode = Some(SqliteTransactionMode::Immediate);
        self.db.begin_with_options(TransactionOptions { sqlite_transaction_mode, ..Default::default() }).await
    }
}

/// Connects. SQLite does not wait for a lock when it sets the journal mode of a new file, as it does for statements: of two
/// that open one at the same time, the slower one has to try again.
async fn connect(options: ConnectOptions) -> Result<DatabaseConnection, DbErr> {
    let deadline = Instant::now() + BUSY;
    loop {
        match Database::connect(options.clone()).await {
            Err(error) if is_locked(&error) && Instant::now() < deadline => {
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
            result => return result,
        }
    }
}

/// Whether it is SQLite's result code 5, `SQLITE_BUSY` (<https://sqlite.org/rescode.html#busy>).
fn is_locked(error: &DbErr) -> bool {
    let DbErr::Conn(RuntimeErr::SqlxError(error)) = error else { return false };
    error.as_database_error().and_then(|e| e.code()).is_some_and(|code| code == "5")
}

/// `url` without a user's password and without parameters, for messages.
fn without_secret(url: &str) -> String {
    let url = url.split('?').next().unwrap_or_default();
    match (url.split_once("://"), url.rsplit_once('@')) {
        (Some((scheme, _)), Some((_, rest))) => format!("{scheme}://{rest}"),
        _ => url.into(),
    }
}

fn sql(error: sqlx::Error) -> StoreError {
    StoreError::Database(DbErr::Exec(RuntimeErr::SqlxError(Arc::new(error))))
}
