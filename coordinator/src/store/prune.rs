//! What is removed from the store in time.

use autoopt_epoch::time::Timestamp;
use sea_orm::sea_query::Query;
use sea_orm::{ColumnTrait, EntityTrait, QueryFilter};

use super::entity::{artifact, epoch, experiment, inbox};
use super::{Store, StoreError};

impl Store {
    /// Forgets messages that were taken in before `before`; one of them that came again now would be taken in again.
    pub async fn prune_inbox(&self, before: Timestamp) -> Result<u64, StoreError> {
        let old = inbox::Column::At.lt(before.as_millis());
        Ok(inbox::Entity::delete_many().filter(old).exec(&self.db).await?.rows_affected)
    }

    /// Deletes the raw output of experiments that ended before `before`; their numbers stay. Returns how many pieces there were.
    pub async fn prune_raw(&self, before: Timestamp) -> Result<u64, StoreError> {
        let ended = Query::select()
            .column(experiment::Column::Id)
            .from(experiment::Entity)
            .and_where(experiment::Column::Ended.lt(before.as_millis()))
            .take();
        let epochs = Query::select()
            .column(epoch::Column::Id)
            .from(epoch::Entity)
            .and_where(epoch::Column::Experiment.in_subquery(ended))
            .take();
        let old = artifact::Column::Epoch.in_subquery(epochs);
        Ok(artifact::Entity::delete_many().filter(old).exec(&self.db).await?.rows_affected)
    }
}
