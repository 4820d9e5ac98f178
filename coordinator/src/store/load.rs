//! Reading back what has to go on after a start.

use std::collections::HashSet;

use autoopt_epoch::bus::Outgoing;
use autoopt_epoch::id::{EpochId, MessageId};
use autoopt_epoch::message::{Artifact, Stage};
use sea_orm::sea_query::Query;
use sea_orm::{ColumnTrait, EntityTrait, QueryFilter, QueryOrder};
use serde::de::DeserializeOwned;

use super::entity::{artifact, attempt, cluster, epoch, experiment, inbox, outbox, site, trial};
use super::{Store, StoreError, rows};
use crate::machine::{Cluster, Epoch, Experiment, Phase, Stored, Trial, TrialState};

/// Values in one `IN (…)`.
const MAX_IN: usize = 10_000;

/// The JSON of a row.
pub(super) fn parse<T: DeserializeOwned>(
    table: &'static str,
    key: &str,
    text: &str,
) -> Result<T, StoreError> {
    serde_json::from_str(text).map_err(|e| unreadable(table, key, e))
}

pub(super) fn unreadable(table: &'static str, key: &str, reason: impl ToString) -> StoreError {
    StoreError::Unreadable { table, key: key.into(), reason: reason.to_string() }
}

impl Store {
    /// Which of `ids` were taken in already.
    pub async fn seen(&self, ids: &[MessageId]) -> Result<HashSet<MessageId>, StoreError> {
        let mut seen = HashSet::new();
        for ids in ids.chunks(MAX_IN) {
            let known = inbox::Column::Id.is_in(ids.iter().map(ToString::to_string));
            for row in inbox::Entity::find().filter(known).all(&self.db).await? {
                seen.insert(row.id.parse().map_err(|e| unreadable("inbox", &row.id, e))?);
            }
        }
        Ok(seen)
    }

    /// Everything that is open, for [`crate::machine::World::restore`].
    pub async fn load(&self) -> Result<Stored, StoreError> {
        if let Some(session) = self.session()? {
            session.resume().await?;
        }
        let mut stored = Stored::default();
        let open = experiment::Column::Phase.ne(rows::phase(Phase::Ended));
        let found = experiment::Entity::find().filter(open.clone());
        for row in found.order_by_asc(experiment::Column::Submitted).all(&self.db).await? {
            stored.experiments.push(parse::<Experiment>("experiment", &row.id, &row.state)?);
        }
        let open =
            Query::select().column(experiment::Column::Id).from(experiment::Entity).and_where(open).take();

        let found = site::Entity::find().filter(site::Column::Experiment.in_subquery(open.clone()));
        for row in found.all(&self.db).await? {
            let key = || format!("{}/{}", row.experiment, row.cluster);
            let id = row.experiment.parse().map_err(|e| unreadable("site", &key(), e))?;
            let site = parse("site", &key(), &row.state)?;
            stored.sites.push((id, row.cluster, site));
        }

        // a trial that ended at the same instant as another follows it by number
        let found = trial::Entity::find().filter(trial::Column::Experiment.in_subquery(open.clone()));
        let found = found.order_by_asc(trial::Column::Ended).order_by_asc(trial::Column::Number);
        for row in found.order_by_asc(trial::Column::Id).all(&self.db).await? {
            let trial: Trial = parse("trial", &row.id, &row.state)?;
            if matches!(trial.state, TrialState::Ended { .. }) {
                stored.ended.push((trial.experiment, trial.id, trial.parameters.clone()));
            }
            match trial.state {
                TrialState::Ended { observation: Some(seen), .. } => {
                    stored.results.push((trial.experiment, *seen))
                }
                TrialState::Ended { observation: None, .. } => {}
                TrialState::Waiting { .. } | TrialState::Running { .. } => stored.trials.push(trial),
            }
        }

        let found = epoch::Entity::find().filter(epoch::Column::Experiment.in_subquery(open));
        let found = found.filter(epoch::Column::Ended.is_null()).order_by_asc(epoch::Column::Started);
        for row in found.order_by_asc(epoch::Column::Id).all(&self.db).await? {
            stored.epochs.push(parse::<Epoch>("epoch", &row.id, &row.state)?);
        }
        for row in cluster::Entity::find().order_by_asc(cluster::Column::Name).all(&self.db).await? {
            stored.clusters.push(parse::<Cluster>("cluster", &row.name, &row.state)?);
        }
        Ok(stored)
    }

    /// Messages that are still to be published, in the order in which they were committed.
    pub async fn outbox(&self) -> Result<Vec<(i64, Outgoing)>, StoreError> {
        let found = outbox::Entity::find().order_by_asc(outbox::Column::Seq).all(&self.db).await?;
        let message = |row: outbox::Model| {
            let key = row.seq.to_string();
            let id = row.message.parse().map_err(|e| unreadable("outbox", &key, e))?;
            let headers = parse("outbox", &key, &row.headers)?;
            let (routing_key, kind, mandatory, body) = (row.routing_key, row.kind, row.mandatory, row.body);
            Ok((row.seq, Outgoing { routing_key, id, kind, body, mandatory, headers }))
        };
        found.into_iter().map(message).collect()
    }

    /// What the last successful attempt of `stage` in `epoch` gave out; nothing if there was none.
    pub async fn artifacts(&self, epoch: EpochId, stage: Stage) -> Result<Vec<Artifact>, StoreError> {
        let found = attempt::Entity::find()
            .filter(attempt::Column::Epoch.eq(epoch.to_string()))
            .filter(attempt::Column::Stage.eq(stage.as_str()))
            .filter(attempt::Column::Ending.eq(rows::DONE));
        let found = found.order_by_desc(attempt::Column::Step).order_by_desc(attempt::Column::Attempt);
        let Some(last) = found.one(&self.db).await? else { return Ok(Vec::new()) };
        let found = artifact::Entity::find()
            .filter(artifact::Column::Epoch.eq(last.epoch))
            .filter(artifact::Column::Step.eq(last.step))
            .filter(artifact::Column::Attempt.eq(last.attempt));
        let found = found.order_by_asc(artifact::Column::Name).all(&self.db).await?;
        found.iter().map(rows::kept_artifact).collect()
    }
}
