//! Trials; `state` holds the whole, the columns what is searched for.

use sea_orm::entity::prelude::*;

#[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
#[sea_orm(table_name = "trial")]
pub(crate) struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: String,
    pub experiment: String,
    pub number: i64,
    pub kind: String,
    pub outcome: Option<String>,
    pub submitted: i64,
    pub ended: Option<i64>,
    pub objective: Option<f64>,
    #[sea_orm(column_type = "Text")]
    pub state: String,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub(crate) enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
