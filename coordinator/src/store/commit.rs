//! Writing: everything that follows from one batch of messages, in one transaction.

use std::collections::BTreeMap;
use std::time::Duration;

use autoopt_epoch::bus::Outgoing;
use autoopt_epoch::id::{EpochId, ExperimentId, MessageId, TrialId};
use autoopt_epoch::message::Event;
use autoopt_epoch::time::Timestamp;
use sea_orm::sea_query::OnConflict;
use sea_orm::{
    ActiveModelTrait, ColumnTrait, ConnectionTrait, EntityTrait, Iterable, PrimaryKeyToColumn, QueryFilter,
};

use super::bulk::Bulk;
use super::entity::{
    artifact, attempt, cluster, epoch, event, experiment, inbox, metric, outbox, site, trial,
};
use super::rows::{self, Rows};
use super::session::Session;
use super::{Store, StoreError};
use crate::machine::Record;

/// A commit that takes longer is given up, and with it the session it ran on.
const LONGEST: Duration = Duration::from_secs(30);
/// Parameters of one statement; SQLite takes 32,766 of them.
const MAX_BINDS: usize = 30_000;

/// What belongs together.
#[derive(Clone, Debug, Default)]
pub struct Batch {
    /// When the messages were taken in.
    pub at: Timestamp,
    /// The messages this follows from; one that is there already is left alone.
    pub inbox: Vec<MessageId>,
    /// What changed; of several with one key the last counts.
    pub records: Vec<Record>,
    /// To append to the log; their `seq` is assigned here.
    pub events: Vec<Event>,
    /// To publish, in this order.
    pub outbox: Vec<Outgoing>,
    /// Rows of the outbox whose message is safe with the broker.
    pub sent: Vec<i64>,
}

/// What the database assigned.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Committed {
    /// Of each of [`Batch::events`].
    pub event_seqs: Vec<i64>,
    /// Of each of [`Batch::outbox`].
    pub outbox_seqs: Vec<i64>,
}

/// What makes two records the same row.
#[derive(PartialEq, Eq, PartialOrd, Ord)]
enum Key<'a> {
    Experiment(ExperimentId),
    Site(ExperimentId, &'a str),
    Trial(TrialId),
    Epoch(EpochId),
    Attempt(EpochId, u32, u32),
    Cluster(&'a str),
}

fn key(record: &Record) -> Key<'_> {
    match record {
        Record::Experiment(e) => Key::Experiment(e.id),
        Record::Site { experiment, cluster, .. } => Key::Site(*experiment, cluster),
        Record::Trial(t) => Key::Trial(t.id),
        Record::Epoch(e) => Key::Epoch(e.id),
        Record::Attempt(a) => Key::Attempt(a.epoch, a.step, a.attempt),
        Record::Cluster(c) => Key::Cluster(&c.name),
    }
}

impl Store {
    /// Keeps all of `batch`, or, on an error, nothing of it.
    pub async fn commit(&self, batch: &Batch) -> Result<Committed, StoreError> {
        let last: BTreeMap<Key<'_>, &Record> = batch.records.iter().map(|r| (key(r), r)).collect();
        let mut rows = Rows::default();
        for record in last.into_values() {
            rows.add(record)?;
        }
        let events = batch.events.iter().map(rows::event).collect::<Result<Vec<_>, _>>()?;
        let messages = batch.outbox.iter().map(rows::outgoing).collect::<Result<Vec<_>, _>>()?;
        let inbox = batch.inbox.iter().map(|id| rows::inbox(*id, batch.at)).collect();

        if self.is_sqlite() {
            // a dozen statements make a large future
            Box::pin(self.commit_steps(inbox, rows, events, messages, &batch.sent)).await
        } else {
            let mut bulk = Bulk::default();
            let gathered = bulk
                .insert_new(inbox)
                .and_then(|()| bulk.upsert(rows.experiments))
                .and_then(|()| bulk.upsert(rows.sites))
                .and_then(|()| bulk.upsert(rows.trials))
                .and_then(|()| bulk.upsert(rows.epochs))
                .and_then(|()| bulk.upsert(rows.attempts))
                .and_then(|()| bulk.upsert(rows.metrics))
                .and_then(|()| bulk.upsert(rows.artifacts))
                .and_then(|()| bulk.upsert(rows.clusters))
                .and_then(|()| bulk.delete_messages(&batch.sent))
                .and_then(|()| bulk.append_events(events))
                .and_then(|()| bulk.append_messages(messages));
            gathered.map_err(super::sql)?;
            self.commit_at_once(bulk).await
        }
    }

    async fn commit_at_once(&self, bulk: Bulk) -> Result<Committed, StoreError> {
        let Some(session) = self.session()? else {
            let pool = self.db.get_postgres_connection_pool();
            let mut connection = pool.acquire().await.map_err(super::sql)?;
            return bulk.execute(&mut connection).await.map_err(super::sql);
        };
        let mut held = session.held().await?;
        let Some(mut connection) = held.take() else { return Err(StoreError::Lapsed) };
        let done = tokio::time::timeout(LONGEST, bulk.execute(&mut connection)).await;
        let done = done.unwrap_or(Err(sqlx::Error::PoolTimedOut));
        // a refused statement leaves the session usable, anything else does not
        if done.is_ok() || Session::alive(&mut connection).await {
            held.put_back(connection);
        }
        done.map_err(super::sql)
    }

    async fn commit_steps(
        &self,
        inbox: Vec<inbox::ActiveModel>,
        rows: Rows,
        events: Vec<event::ActiveModel>,
        messages: Vec<outbox::ActiveModel>,
        sent: &[i64],
    ) -> Result<Committed, StoreError> {
        // dropped on an error, which rolls back
        let tx = self.begin().await?;
        insert_new::<inbox::Entity, _, _>(&tx, inbox).await?;
        // parents before children, for the foreign keys
        upsert::<experiment::Entity, _, _>(&tx, rows.experiments).await?;
        upsert::<site::Entity, _, _>(&tx, rows.sites).await?;
        upsert::<trial::Entity, _, _>(&tx, rows.trials).await?;
        upsert::<epoch::Entity, _, _>(&tx, rows.epochs).await?;
        upsert::<attempt::Entity, _, _>(&tx, rows.attempts).await?;
        upsert::<metric::Entity, _, _>(&tx, rows.metrics).await?;
        upsert::<artifact::Entity, _, _>(&tx, rows.artifacts).await?;
        upsert::<cluster::Entity, _, _>(&tx, rows.clusters).await?;
        for sent in sent.chunks(MAX_BINDS) {
            let sent = outbox::Column::Seq.is_in(sent.iter().copied());
            outbox::Entity::delete_many().filter(sent).exec(&tx).await?;
        }
        let event_seqs = append::<event::Entity, _, _>(&tx, events).await?;
        let outbox_seqs = append::<outbox::Entity, _, _>(&tx, messages).await?;
        tx.commit().await?;
        Ok(Committed { event_seqs, outbox_seqs })
    }
}

fn chunk<E: EntityTrait>() -> usize {
    MAX_BINDS / E::Column::iter().count().max(1)
}

async fn insert_new<E, A, C>(db: &C, rows: Vec<A>) -> Result<(), StoreError>
where
    E: EntityTrait,
    A: ActiveModelTrait<Entity = E> + Send,
    C: ConnectionTrait,
{
    for rows in chunks(rows, chunk::<E>()) {
        let keys = E::PrimaryKey::iter().map(PrimaryKeyToColumn::into_column);
        let ignore = OnConflict::columns(keys).do_nothing().to_owned();
        E::insert_many(rows).on_conflict(ignore).exec_without_returning(db).await?;
    }
    Ok(())
}

async fn upsert<E, A, C>(db: &C, rows: Vec<A>) -> Result<(), StoreError>
where
    E: EntityTrait,
    A: ActiveModelTrait<Entity = E> + Send,
    C: ConnectionTrait,
{
    for rows in chunks(rows, chunk::<E>()) {
        let keys = E::PrimaryKey::iter().map(PrimaryKeyToColumn::into_column);
        let replace = OnConflict::columns(keys).update_columns(E::Column::iter()).to_owned();
        E::insert_many(rows).on_conflict(replace).exec_without_returning(db).await?;
    }
    Ok(())
}

/// Inserts at the end and gives the positions, in the order of `rows`.
async fn append<E, A, C>(db: &C, rows: Vec<A>) -> Result<Vec<i64>, StoreError>
where
    E: EntityTrait,
    E::Model: sea_orm::IntoActiveModel<A>,
    E::PrimaryKey: sea_orm::PrimaryKeyTrait<ValueType = i64>,
    A: ActiveModelTrait<Entity = E> + Send,
    C: ConnectionTrait,
{
    let mut all = Vec::with_capacity(rows.len());
    for rows in chunks(rows, chunk::<E>()) {
        let mut seqs = E::insert_many(rows).exec_with_returning_keys(db).await?;
        // both databases number the rows of a statement in its order, but neither promises to return them in it
        seqs.sort_unstable();
        all.extend(seqs);
    }
    Ok(all)
}

fn chunks<A>(rows: Vec<A>, size: usize) -> impl Iterator<Item = Vec<A>> {
    let mut rest = rows.into_iter();
    std::iter::from_fn(move || {
        let chunk: Vec<A> = rest.by_ref().take(size).collect();
        (!chunk.is_empty()).then_some(chunk)
    })
}
