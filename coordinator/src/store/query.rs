//! Questions of the API and the command line; they change nothing and wait for nobody.

use autoopt_epoch::id::{EpochId, ExperimentId, TrialId};
use autoopt_epoch::message::{Artifact, Event};
use sea_orm::{
    ColumnTrait, Condition, DerivePartialModel, EntityTrait, PaginatorTrait, QueryFilter, QueryOrder,
    QuerySelect, Select,
};

use super::entity::{artifact, attempt, epoch, event, experiment, trial};
use super::load::{parse, unreadable};
use super::{Store, StoreError, rows};
use crate::machine::{Attempt, Epoch, Experiment, Trial};

/// Raw output that is kept, without its content.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ArtifactEntry {
    pub step: u32,
    pub attempt: u32,
    pub name: String,
    /// Length of the content before compression, in bytes.
    pub bytes: u64,
    /// Whether the program printed more than was kept.
    pub truncated: bool,
}

/// The columns of [`ArtifactEntry`].
#[derive(DerivePartialModel)]
#[sea_orm(entity = "artifact::Entity")]
struct ArtifactColumns {
    step: i64,
    attempt: i64,
    name: String,
    bytes: i64,
    truncated: bool,
}

/// The trials behind this one, by number and then by id.
pub(super) fn behind(number: i64, id: &str) -> Condition {
    let same = Condition::all().add(trial::Column::Number.eq(number)).add(trial::Column::Id.gt(id));
    Condition::any().add(trial::Column::Number.gt(number)).add(same)
}

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
            found = found.filter(behind(after.number, &after.id));
        }
        self.page_of_trials(found, limit).await
    }

    /// The first `limit` of these trials, by number and then by id.
    pub(super) async fn page_of_trials(
        &self,
        found: Select<trial::Entity>,
        limit: u64,
    ) -> Result<Vec<Trial>, StoreError> {
        let found = found.order_by_asc(trial::Column::Number).order_by_asc(trial::Column::Id).limit(limit);
        found.all(&self.db).await?.iter().map(|row| parse("trial", &row.id, &row.state)).collect()
    }

    /// The trial with this id, open or ended.
    pub async fn trial(&self, id: TrialId) -> Result<Option<Trial>, StoreError> {
        let found = trial::Entity::find_by_id(id.to_string()).one(&self.db).await?;
        found.map(|row| parse("trial", &row.id, &row.state)).transpose()
    }

    /// How many trials an experiment has, baselines and closings included.
    pub async fn trial_count(&self, experiment: ExperimentId) -> Result<u64, StoreError> {
        let found = trial::Entity::find().filter(trial::Column::Experiment.eq(experiment.to_string()));
        Ok(found.count(&self.db).await?)
    }

    /// The epoch with this id, open or ended.
    pub async fn epoch(&self, id: EpochId) -> Result<Option<Epoch>, StoreError> {
        let found = epoch::Entity::find_by_id(id.to_string()).one(&self.db).await?;
        found.map(|row| parse("epoch", &row.id, &row.state)).transpose()
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

    /// What the attempts of an epoch gave out, by step, attempt and name.
    pub async fn artifact_list(&self, epoch: EpochId) -> Result<Vec<ArtifactEntry>, StoreError> {
        let found = artifact::Entity::find().filter(artifact::Column::Epoch.eq(epoch.to_string()));
        let found = found.order_by_asc(artifact::Column::Step).order_by_asc(artifact::Column::Attempt);
        let found = found.order_by_asc(artifact::Column::Name).into_partial_model::<ArtifactColumns>();
        let entry = |row: ArtifactColumns| {
            let key = || format!("{epoch}/{}/{}/{}", row.step, row.attempt, row.name);
            let number = |n: i64| u32::try_from(n).map_err(|e| unreadable("artifact", &key(), e));
            Ok(ArtifactEntry {
                step: number(row.step)?,
                attempt: number(row.attempt)?,
                bytes: u64::try_from(row.bytes).map_err(|e| unreadable("artifact", &key(), e))?,
                truncated: row.truncated,
                name: row.name,
            })
        };
        found.all(&self.db).await?.into_iter().map(entry).collect()
    }

    /// One artifact with its content.
    pub async fn artifact(
        &self,
        epoch: EpochId,
        step: u32,
        attempt: u32,
        name: &str,
    ) -> Result<Option<Artifact>, StoreError> {
        let key = (epoch.to_string(), i64::from(step), i64::from(attempt), name.to_owned());
        let found = artifact::Entity::find_by_id(key).one(&self.db).await?;
        found.as_ref().map(rows::kept_artifact).transpose()
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
