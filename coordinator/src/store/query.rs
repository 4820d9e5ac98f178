//! Questions of the API and the command line; they change nothing and wait for nobody.

use autoopt_epoch::id::{EpochId, ExperimentId, TrialId};
use autoopt_epoch::message::Event;
use sea_orm::Condition;
use sea_orm::{ColumnTrait, EntityTrait, QueryFilter, QueryOrder, QuerySelect};

use super::entity::{attempt, epoch, event, experiment, trial};
use super::load::parse;
use super::{Store, StoreError};
use crate::machine::{Attempt, Epoch, Experiment, Trial};

impl Store {
    /// Every experiment, the ended ones too, in the order of submission. Their open parts are not filled in.
    pub async fn experiments(&self) -> Result<Vec<Experiment>, StoreError> {
        let found = experiment::Entity::find().order_by_asc(experiment::Column::Submitted);
        let found = found.order_by_asc(experiment::Column::Id).all(&self.db).await?;
        found.iter().map(|row| parse("experiment", &row.id, &row.state)).collect()
    }

    /// The experiment with this id.
    pub async fn experiment(&self, id: ExperimentId) -> Result<Option<Experiment>, StoreError> {
        let found = experiment::Entity::find_by_id(id.to_string()).one(&self.db).await?;
        found.map(|row| parse("experiment", &row.id, &row.state)).transpose()
    }

    /// At most `limit` trials of an experiment by number (baselines first), those after the trial `after`.
    pub async fn trials(
        &self,
        experiment: ExperimentId,
        after: Option<TrialId>,
        limit: u64,
    ) -> Result<Vec<Trial>, StoreError> {
        let mut found = trial::Entity::find().filter(trial::Column::Experiment.eq(experiment.to_string()));
        if let Some(after) = after {
            let Some(after) = trial::Entity::find_by_id(after.to_string()).one(&self.db).await? else {
                return Ok(Vec::new());
            };
            let same = Condition::all()
                .add(trial::Column::Number.eq(after.number))
                .add(trial::Column::Id.gt(after.id));
            found = found.filter(Condition::any().add(trial::Column::Number.gt(after.number)).add(same));
        }
        let found = found.order_by_asc(trial::Column::Number).order_by_asc(trial::Column::Id).limit(limit);
        found.all(&self.db).await?.iter().map(|row| parse("trial", &row.id, &row.state)).collect()
    }

    /// The trial with this id, open or ended.
    pub async fn trial(&self, id: TrialId) -> Result<Option<Trial>, StoreError> {
        let found = trial::Entity::find_by_id(id.to_string()).one(&self.db).await?;
        found.map(|row| parse("trial", &row.id, &row.state)).transpose()
    }

    /// The epochs of a trial, in the order in which they began.
    pub async fn epochs(&self, trial: TrialId) -> Result<Vec<Epoch>, StoreError> {
        let found = epoch::Entity::find().filter(epoch::Column::Trial.eq(trial.to_string()));
        let found =
            found.order_by_asc(epoch::Column::Started).order_by_asc(epoch::Column::Id).all(&self.db).await?;
        found.iter().map(|row| parse("epoch", &row.id, &row.state)).collect()
    }

    /// What became of each handing-out of each step of an epoch; without artifacts.
    pub async fn attempts(&self, epoch: EpochId) -> Result<Vec<Attempt>, StoreError> {
        let found = attempt::Entity::find().filter(attempt::Column::Epoch.eq(epoch.to_string()));
        let found = found.order_by_asc(attempt::Column::Step).order_by_asc(attempt::Column::Attempt);
        found.all(&self.db).await?.iter().map(|row| parse("attempt", &row.epoch, &row.state)).collect()
    }

    /// At most `limit` events after the position `after`, of one experiment or of all.
    pub async fn events(
        &self,
        experiment: Option<ExperimentId>,
        after: i64,
        limit: u64,
    ) -> Result<Vec<Event>, StoreError> {
        let mut found = event::Entity::find().filter(event::Column::Seq.gt(after));
        if let Some(experiment) = experiment {
            found = found.filter(event::Column::Experiment.eq(experiment.to_string()));
        }
        let found = found.order_by_asc(event::Column::Seq).limit(limit).all(&self.db).await?;
        let whole = |row: &event::Model| {
            let event: Event = parse("event", &row.seq.to_string(), &row.body)?;
            Ok(Event { seq: row.seq, ..event })
        };
        found.iter().map(whole).collect()
    }

    /// The position of the last event; 0 before the first.
    pub async fn last_event(&self) -> Result<i64, StoreError> {
        let last = event::Entity::find().order_by_desc(event::Column::Seq).one(&self.db).await?;
        Ok(last.map_or(0, |row| row.seq))
    }
}
