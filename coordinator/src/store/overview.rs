//! Questions about what stands where now.

use std::collections::{BTreeMap, HashMap};

use autoopt_epoch::failure::Outcome;
use autoopt_epoch::id::ExperimentId;
use autoopt_epoch::message::{Observation, TrialKind};
use sea_orm::{ColumnTrait, EntityTrait, PaginatorTrait, QueryFilter, QueryOrder, QuerySelect, Select};

use super::entity::{cluster, epoch, experiment, site, trial};
use super::load::{parse, unreadable};
use super::{Store, StoreError, rows};
use crate::machine::{Cluster, Epoch, Experiment, Phase, Site, Trial, TrialState};

impl Store {
    /// The newest experiment of this name, the open one if there is one. Its open parts are not filled in.
    pub async fn experiment_named(&self, name: &str) -> Result<Option<Experiment>, StoreError> {
        let found = experiment::Entity::find().filter(experiment::Column::Name.eq(name));
        let found = found.order_by_desc(experiment::Column::Submitted).order_by_desc(experiment::Column::Id);
        let found = found.one(&self.db).await?;
        found.map(|row| parse("experiment", &row.id, &row.state)).transpose()
    }

    /// How many experiments have not ended.
    pub async fn open_experiments(&self) -> Result<u64, StoreError> {
        let open = experiment::Column::Phase.ne(rows::phase(Phase::Ended));
        Ok(experiment::Entity::find().filter(open).count(&self.db).await?)
    }

    /// The first baseline trials, one for each cluster, of one experiment, or of each.
    pub async fn baselines(
        &self,
        experiment: Option<ExperimentId>,
    ) -> Result<HashMap<ExperimentId, Vec<Trial>>, StoreError> {
        let mut found = trial::Entity::find().filter(trial::Column::Kind.eq(TrialKind::Baseline.as_str()));
        if let Some(experiment) = experiment {
            found = found.filter(trial::Column::Experiment.eq(experiment.to_string()));
        }
        let mut baselines: HashMap<ExperimentId, Vec<Trial>> = HashMap::new();
        for row in found.order_by_asc(trial::Column::Id).all(&self.db).await? {
            let trial: Trial = parse("trial", &row.id, &row.state)?;
            if trial.again {
                continue;
            }
            baselines.entry(trial.experiment).or_default().push(trial);
        }
        Ok(baselines)
    }

    /// What an experiment knows of each of its clusters, by name.
    pub async fn sites(&self, experiment: ExperimentId) -> Result<BTreeMap<String, Site>, StoreError> {
        let found = site::Entity::find().filter(site::Column::Experiment.eq(experiment.to_string()));
        let rows = found.all(&self.db).await?.into_iter();
        rows.map(|row| Ok((row.cluster.clone(), parse("site", &row.cluster, &row.state)?))).collect()
    }

    /// The same of every experiment.
    pub async fn all_sites(&self) -> Result<HashMap<ExperimentId, BTreeMap<String, Site>>, StoreError> {
        let mut sites: HashMap<ExperimentId, BTreeMap<String, Site>> = HashMap::new();
        for row in site::Entity::find().all(&self.db).await? {
            let id = row.experiment.parse().map_err(|e| unreadable("site", &row.experiment, e))?;
            let site = parse("site", &row.cluster, &row.state)?;
            sites.entry(id).or_default().insert(row.cluster, site);
        }
        Ok(sites)
    }

    /// At most `limit` trials of an experiment that have not ended, by number.
    pub async fn open_trials(&self, experiment: ExperimentId, limit: u64) -> Result<Vec<Trial>, StoreError> {
        let found = trial::Entity::find()
            .filter(trial::Column::Experiment.eq(experiment.to_string()))
            .filter(trial::Column::Ended.is_null());
        let found = found.order_by_asc(trial::Column::Number).order_by_asc(trial::Column::Id).limit(limit);
        found.all(&self.db).await?.iter().map(|row| parse("trial", &row.id, &row.state)).collect()
    }

    /// What the optimizer is told of an experiment, in the order in which it became known.
    pub async fn results(&self, experiment: ExperimentId) -> Result<Vec<Observation>, StoreError> {
        let found = telling(experiment).order_by_asc(trial::Column::Ended);
        let found = found.order_by_asc(trial::Column::Number).order_by_asc(trial::Column::Id);
        let mut results = Vec::new();
        for row in found.all(&self.db).await? {
            let trial: Trial = parse("trial", &row.id, &row.state)?;
            if let TrialState::Ended { observation: Some(seen), .. } = trial.state {
                results.push(*seen);
            }
        }
        Ok(results)
    }

    /// How many trials tell the optimizer something.
    pub async fn result_count(&self, experiment: ExperimentId) -> Result<u32, StoreError> {
        Ok(telling(experiment).count(&self.db).await?.try_into().unwrap_or(u32::MAX))
    }

    /// The open epochs of an experiment, the oldest first.
    pub async fn open_epochs(&self, experiment: ExperimentId) -> Result<Vec<Epoch>, StoreError> {
        let found = epoch::Entity::find()
            .filter(epoch::Column::Experiment.eq(experiment.to_string()))
            .filter(epoch::Column::Ended.is_null());
        let found = found.order_by_asc(epoch::Column::Started).order_by_asc(epoch::Column::Id);
        found.all(&self.db).await?.iter().map(|row| parse("epoch", &row.id, &row.state)).collect()
    }

    /// Every cluster that was ever named, by name.
    pub async fn clusters(&self) -> Result<Vec<Cluster>, StoreError> {
        let found = cluster::Entity::find().order_by_asc(cluster::Column::Name).all(&self.db).await?;
        found.iter().map(|row| parse("cluster", &row.name, &row.state)).collect()
    }
}

/// Trials with an outcome that teaches something.
fn telling(experiment: ExperimentId) -> Select<trial::Entity> {
    let outcomes = [Outcome::Measured, Outcome::Infeasible, Outcome::Violated].map(|o| o.to_string());
    trial::Entity::find()
        .filter(trial::Column::Experiment.eq(experiment.to_string()))
        .filter(trial::Column::Kind.ne(TrialKind::Closing.as_str()))
        .filter(trial::Column::Outcome.is_in(outcomes))
}
