//! Questions about spans of time, for whoever draws them.

use autoopt_epoch::id::{ExperimentId, TrialId};
use autoopt_epoch::time::Timestamp;
use sea_orm::sea_query::Query;
use sea_orm::{
    ColumnTrait, Condition, DerivePartialModel, EntityTrait, QueryFilter, QueryOrder, QuerySelect,
};

use super::entity::{attempt, epoch, event, trial};
use super::load::parse;
use super::query::behind;
use super::{Store, StoreError};
use crate::machine::{Attempt, Epoch, Trial};

/// When and where an epoch began.
#[derive(Clone, Debug, PartialEq, Eq, DerivePartialModel)]
#[sea_orm(entity = "epoch::Entity")]
pub struct EpochEntry {
    /// The trial's id, as text.
    pub trial: String,
    pub cluster: String,
    /// Milliseconds since 1970.
    pub started: i64,
}

/// What is told of a trial without its record being read.
#[derive(Clone, Debug, PartialEq, DerivePartialModel)]
#[sea_orm(entity = "trial::Entity")]
pub struct TrialEntry {
    pub id: String,
    pub number: i64,
    pub kind: String,
    pub outcome: Option<String>,
    /// Milliseconds since 1970, as is `ended`.
    pub submitted: i64,
    pub ended: Option<i64>,
    pub objective: Option<f64>,
}

impl Store {
    /// The trials of an experiment in short, by number.
    pub async fn trial_entries(&self, experiment: ExperimentId) -> Result<Vec<TrialEntry>, StoreError> {
        let found = trial::Entity::find().filter(trial::Column::Experiment.eq(experiment.to_string()));
        let found = found.order_by_asc(trial::Column::Number).order_by_asc(trial::Column::Id);
        Ok(found.into_partial_model::<TrialEntry>().all(&self.db).await?)
    }

    /// Where and when each epoch of an experiment began, the oldest first.
    pub async fn epoch_entries(&self, experiment: ExperimentId) -> Result<Vec<EpochEntry>, StoreError> {
        let found = epoch::Entity::find().filter(epoch::Column::Experiment.eq(experiment.to_string()));
        let found = found.order_by_asc(epoch::Column::Started).order_by_asc(epoch::Column::Id);
        Ok(found.into_partial_model::<EpochEntry>().all(&self.db).await?)
    }

    /// The same of some trials.
    pub async fn epoch_entries_of(&self, trials: &[Trial]) -> Result<Vec<EpochEntry>, StoreError> {
        let named = epoch::Column::Trial.is_in(trials.iter().map(|trial| trial.id.to_string()));
        let found = epoch::Entity::find().filter(named);
        let found = found.order_by_asc(epoch::Column::Started).order_by_asc(epoch::Column::Id);
        Ok(found.into_partial_model::<EpochEntry>().all(&self.db).await?)
    }

    /// At most `limit` epochs of an experiment that are open or ended since, the ones that began last first.
    pub async fn recent_epochs(
        &self,
        experiment: ExperimentId,
        since: Timestamp,
        limit: u64,
    ) -> Result<Vec<Epoch>, StoreError> {
        let ended = epoch::Column::Ended;
        let found = epoch::Entity::find().filter(epoch::Column::Experiment.eq(experiment.to_string()));
        let found = found.filter(Condition::any().add(ended.is_null()).add(ended.gte(since.as_millis())));
        let found = found.order_by_desc(epoch::Column::Started).order_by_asc(epoch::Column::Id).limit(limit);
        found.all(&self.db).await?.iter().map(|row| parse("epoch", &row.id, &row.state)).collect()
    }

    /// What became of each handing-out of these epochs, by epoch, step and attempt; without artifacts.
    pub async fn attempts_of(&self, epochs: &[Epoch]) -> Result<Vec<Attempt>, StoreError> {
        let found = attempt::Entity::find();
        let found =
            found.filter(attempt::Column::Epoch.is_in(epochs.iter().map(|epoch| epoch.id.to_string())));
        let found = found.order_by_asc(attempt::Column::Epoch).order_by_asc(attempt::Column::Step);
        let found = found.order_by_asc(attempt::Column::Attempt).all(&self.db).await?;
        found.iter().map(|row| parse("attempt", &row.epoch, &row.state)).collect()
    }

    /// The trials of an experiment that the log says something of after the position `after`: at most `limit`, by number,
    /// those after the trial `last`.
    pub async fn changed_trials(
        &self,
        experiment: ExperimentId,
        after: i64,
        last: Option<(u32, TrialId)>,
        limit: u64,
    ) -> Result<Vec<Trial>, StoreError> {
        let told = Query::select()
            .column(event::Column::Trial)
            .from(event::Entity)
            .and_where(event::Column::Experiment.eq(experiment.to_string()))
            .and_where(event::Column::Seq.gt(after))
            .and_where(event::Column::Trial.is_not_null())
            .take();
        let mut found = trial::Entity::find().filter(trial::Column::Id.in_subquery(told));
        if let Some((number, id)) = last {
            found = found.filter(behind(number.into(), &id.to_string()));
        }
        self.page_of_trials(found, limit).await
    }
}
