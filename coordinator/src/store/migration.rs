//! The schema, built up step by step.

use sea_orm::sea_query::ColumnDef;
use sea_orm_migration::prelude::{
    DbErr, ForeignKey, ForeignKeyAction, Index, IntoIden, MigrationTrait, MigratorTrait, SchemaManager,
    Table, TableCreateStatement, async_trait,
};

use super::entity::{
    artifact, attempt, cluster, epoch, event, experiment, inbox, metric, outbox, site, trial,
};

/// Brings a database to the present schema. One from a later version of the program is refused.
pub(crate) struct Migrator;

#[async_trait::async_trait]
impl MigratorTrait for Migrator {
    fn migrations() -> Vec<Box<dyn MigrationTrait>> {
        vec![Box::new(First)]
    }
}

/// The first schema.
struct First;

impl sea_orm_migration::MigrationName for First {
    fn name(&self) -> &str {
        "m0001_first"
    }
}

#[async_trait::async_trait]
impl MigrationTrait for First {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        for table in tables() {
            manager.create_table(table).await?;
        }
        let indexes = [
            Index::create()
                .name("experiment_name")
                .table(experiment::Entity)
                .col(experiment::Column::Name)
                .take(),
            Index::create()
                .name("trial_experiment")
                .table(trial::Entity)
                .col(trial::Column::Experiment)
                .col(trial::Column::Number)
                .col(trial::Column::Id)
                .take(),
            Index::create().name("epoch_trial").table(epoch::Entity).col(epoch::Column::Trial).take(),
            Index::create()
                .name("epoch_experiment")
                .table(epoch::Entity)
                .col(epoch::Column::Experiment)
                .col(epoch::Column::Ended)
                .take(),
            Index::create().name("metric_trial").table(metric::Entity).col(metric::Column::Trial).take(),
            Index::create()
                .name("event_experiment")
                .table(event::Entity)
                .col(event::Column::Experiment)
                .col(event::Column::Seq)
                .take(),
            Index::create().name("inbox_at").table(inbox::Entity).col(inbox::Column::At).take(),
        ];
        for index in indexes {
            manager.create_index(index).await?;
        }
        Ok(())
    }
}

fn text(name: impl IntoIden) -> ColumnDef {
    ColumnDef::new(name).text().not_null().take()
}

fn maybe_text(name: impl IntoIden) -> ColumnDef {
    ColumnDef::new(name).text().null().take()
}

fn int(name: impl IntoIden) -> ColumnDef {
    ColumnDef::new(name).big_integer().not_null().take()
}

fn maybe_int(name: impl IntoIden) -> ColumnDef {
    ColumnDef::new(name).big_integer().null().take()
}

/// A position that only ever grows, even after rows are deleted.
fn sequence(name: impl IntoIden) -> ColumnDef {
    ColumnDef::new(name).big_integer().not_null().auto_increment().primary_key().take()
}

fn tables() -> Vec<TableCreateStatement> {
    use ForeignKeyAction::Cascade;
    let mut key = ForeignKey::create();
    let trial_of =
        key.from(trial::Entity, trial::Column::Experiment).to(experiment::Entity, experiment::Column::Id);
    let trial_of = trial_of.on_delete(Cascade).take();
    let mut key = ForeignKey::create();
    let site_of =
        key.from(site::Entity, site::Column::Experiment).to(experiment::Entity, experiment::Column::Id);
    let site_of = site_of.on_delete(Cascade).take();
    let mut key = ForeignKey::create();
    let epoch_of = key.from(epoch::Entity, epoch::Column::Trial).to(trial::Entity, trial::Column::Id);
    let epoch_of = epoch_of.on_delete(Cascade).take();
    let mut key = ForeignKey::create();
    let attempt_of = key.from(attempt::Entity, attempt::Column::Epoch).to(epoch::Entity, epoch::Column::Id);
    let attempt_of = attempt_of.on_delete(Cascade).take();
    let mut key = ForeignKey::create();
    let metric_of = key.from(metric::Entity, metric::Column::Epoch).to(epoch::Entity, epoch::Column::Id);
    let metric_of = metric_of.on_delete(Cascade).take();
    let mut key = ForeignKey::create();
    let artifact_of =
        key.from(artifact::Entity, artifact::Column::Epoch).to(epoch::Entity, epoch::Column::Id);
    let artifact_of = artifact_of.on_delete(Cascade).take();

    let experiments = {
        use experiment::Column::*;
        let mut table = Table::create().table(experiment::Entity).take();
        table
            .col(text(Id).primary_key())
            .col(text(Name))
            .col(text(Phase))
            .col(int(Submitted))
            .col(maybe_int(Ended));
        table.col(text(State)).take()
    };
    let sites = {
        use site::Column::*;
        let mut table = Table::create().table(site::Entity).take();
        table.col(text(Experiment)).col(text(Cluster)).col(text(State)).foreign_key(&mut { site_of });
        table.primary_key(Index::create().col(Experiment).col(Cluster)).take()
    };
    let trials = {
        use trial::Column::*;
        let mut table = Table::create().table(trial::Entity).take();
        table.col(text(Id).primary_key()).col(text(Experiment)).col(int(Number)).col(text(Kind));
        table.col(maybe_text(Outcome)).col(int(Submitted)).col(maybe_int(Ended));
        table
            .col(ColumnDef::new(Objective).double().null())
            .col(text(State))
            .foreign_key(&mut { trial_of })
            .take()
    };
    let epochs = {
        use epoch::Column::*;
        let mut table = Table::create().table(epoch::Entity).take();
        table.col(text(Id).primary_key()).col(text(Trial)).col(text(Experiment)).col(text(Cluster));
        table.col(int(Started)).col(maybe_int(Ended)).col(maybe_text(Outcome)).col(text(State));
        table.foreign_key(&mut { epoch_of }).take()
    };
    let attempts = {
        use attempt::Column::*;
        let mut table = Table::create().table(attempt::Entity).take();
        table.col(text(Epoch)).col(int(Step)).col(int(Attempt)).col(text(Stage)).col(text(Action));
        table.col(maybe_text(Worker)).col(maybe_int(Started)).col(int(Ended)).col(text(Ending));
        table.col(maybe_text(Reason)).col(text(State)).foreign_key(&mut { attempt_of });
        table.primary_key(Index::create().col(Epoch).col(Step).col(Attempt)).take()
    };
    let metrics = {
        use metric::Column::*;
        let mut table = Table::create().table(metric::Entity).take();
        table
            .col(text(Epoch))
            .col(text(Name))
            .col(text(Trial))
            .col(ColumnDef::new(Value).double().not_null());
        table.foreign_key(&mut { metric_of }).primary_key(Index::create().col(Epoch).col(Name)).take()
    };
    let artifacts = {
        use artifact::Column::*;
        let mut table = Table::create().table(artifact::Entity).take();
        table.col(text(Epoch)).col(int(Step)).col(int(Attempt)).col(text(Name)).col(int(Bytes));
        table.col(ColumnDef::new(Truncated).boolean().not_null()).col(ColumnDef::new(Data).blob().not_null());
        table.foreign_key(&mut { artifact_of });
        table.primary_key(Index::create().col(Epoch).col(Step).col(Attempt).col(Name)).take()
    };
    let events = {
        use event::Column::*;
        let mut table = Table::create().table(event::Entity).take();
        table
            .col(sequence(Seq))
            .col(int(At))
            .col(text(Kind))
            .col(maybe_text(Experiment))
            .col(maybe_text(Trial));
        table.col(maybe_text(Epoch)).col(text(Body)).take()
    };
    let inboxes = {
        let mut table = Table::create().table(inbox::Entity).take();
        table.col(text(inbox::Column::Id).primary_key()).col(int(inbox::Column::At)).take()
    };
    let outboxes = {
        use outbox::Column::*;
        let mut table = Table::create().table(outbox::Entity).take();
        table.col(sequence(Seq)).col(text(Message)).col(text(RoutingKey)).col(text(Kind));
        table.col(ColumnDef::new(Mandatory).boolean().not_null()).col(text(Headers));
        table.col(ColumnDef::new(Body).blob().not_null()).take()
    };
    let clusters = {
        let mut table = Table::create().table(cluster::Entity).take();
        table.col(text(cluster::Column::Name).primary_key()).col(text(cluster::Column::State)).take()
    };
    vec![
        experiments,
        sites,
        trials,
        epochs,
        attempts,
        metrics,
        artifacts,
        events,
        inboxes,
        outboxes,
        clusters,
    ]
}
