//! Questions about what stands where now.

use std::collections::{BTreeMap, HashMap};

use autoopt_epoch::id::ExperimentId;
use autoopt_epoch::message::TrialKind;
use sea_orm::{ColumnTrait, EntityTrait, PaginatorTrait, QueryFilter, QueryOrder};

use super::entity::{cluster, epoch, experiment, site, trial};
use super::load::parse;
use super::{Store, StoreError, rows};
use crate::machine::{Cluster, Epoch, Experiment, Phase, Site, Trial};

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
