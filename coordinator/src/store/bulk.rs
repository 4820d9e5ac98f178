//! A whole batch as one PostgreSQL statement: one trip to the server, and one transaction without saying so.
//!
//! Each table's rows travel as one array a column, so the text of the statement does not depend on their number and
//! is prepared once. The parts are common table expressions; foreign keys are checked when the statement ends.

use sea_orm::{
    ActiveModelTrait, ColumnTrait, ColumnType, EntityTrait, IdenStatic, Iterable, PrimaryKeyToColumn, Value,
};
use sqlx::postgres::{PgArguments, PgConnection, PgRow};
use sqlx::{Arguments, AssertSqlSafe, Row};

use super::commit::Committed;

#[derive(Default)]
pub(super) struct Bulk {
    parts: Vec<String>,
    arguments: PgArguments,
    returned: [Option<usize>; 2],
}

impl Bulk {
    /// Inserts rows, and leaves those alone that are there.
    pub(super) fn insert_new<E, A>(&mut self, rows: Vec<A>) -> Result<(), sqlx::Error>
    where
        E: EntityTrait + Default,
        A: ActiveModelTrait<Entity = E>,
    {
        self.insert::<E, A>(rows, |_| "on conflict do nothing".into())
    }

    /// Inserts rows, and replaces those that are there.
    pub(super) fn upsert<E, A>(&mut self, rows: Vec<A>) -> Result<(), sqlx::Error>
    where
        E: EntityTrait + Default,
        A: ActiveModelTrait<Entity = E>,
    {
        self.insert::<E, A>(rows, |columns| {
            let keys: Vec<&str> = E::PrimaryKey::iter().map(|k| k.into_column().as_str()).collect();
            let others = columns.iter().filter(|c| !keys.contains(*c));
            let set: Vec<String> = others.map(|c| format!("{c} = excluded.{c}")).collect();
            format!("on conflict ({}) do update set {}", keys.join(", "), set.join(", "))
        })
    }

    /// Inserts events at the end of the log.
    pub(super) fn append_events<E, A>(&mut self, rows: Vec<A>) -> Result<(), sqlx::Error>
    where
        E: EntityTrait + Default,
        A: ActiveModelTrait<Entity = E>,
    {
        self.append::<E, A>(rows, 0)
    }

    /// Inserts messages at the end of the outbox.
    pub(super) fn append_messages<E, A>(&mut self, rows: Vec<A>) -> Result<(), sqlx::Error>
    where
        E: EntityTrait + Default,
        A: ActiveModelTrait<Entity = E>,
    {
        self.append::<E, A>(rows, 1)
    }

    fn append<E, A>(&mut self, rows: Vec<A>, place: usize) -> Result<(), sqlx::Error>
    where
        E: EntityTrait + Default,
        A: ActiveModelTrait<Entity = E>,
    {
        if !rows.is_empty() {
            self.returned[place] = Some(self.parts.len());
        }
        self.insert::<E, A>(rows, |_| "returning seq".into())
    }

    /// Removes messages from the outbox.
    pub(super) fn delete_messages(&mut self, seqs: &[i64]) -> Result<(), sqlx::Error> {
        if seqs.is_empty() {
            return Ok(());
        }
        self.arguments.add(seqs).map_err(sqlx::Error::Encode)?;
        self.parts.push(format!("delete from outbox where seq = any(${}::bigint[])", self.arguments.len()));
        Ok(())
    }

    fn insert<E, A>(
        &mut self,
        mut rows: Vec<A>,
        ending: impl FnOnce(&[&str]) -> String,
    ) -> Result<(), sqlx::Error>
    where
        E: EntityTrait + Default,
        A: ActiveModelTrait<Entity = E>,
    {
        let Some(first) = rows.first() else { return Ok(()) };
        let columns: Vec<E::Column> = E::Column::iter().filter(|c| first.get(*c).is_set()).collect();
        let mut arrays = Vec::with_capacity(columns.len());
        for column in &columns {
            let values = rows.iter_mut().filter_map(|row| row.take(*column).into_value());
            let kind = self.bind(column.def().get_column_type(), values)?;
            arrays.push(format!("${}::{kind}[]", self.arguments.len()));
        }
        let names: Vec<&str> = columns.iter().map(IdenStatic::as_str).collect();
        self.parts.push(format!(
            "insert into {} ({}) select * from unnest({}) {}",
            E::default().table_name(),
            names.join(", "),
            arrays.join(", "),
            ending(&names),
        ));
        Ok(())
    }

    /// Adds one column's values as an array, and says of which type.
    fn bind(
        &mut self,
        column: &ColumnType,
        values: impl Iterator<Item = Value>,
    ) -> Result<&'static str, sqlx::Error> {
        macro_rules! array {
            ($variant:ident, $name:literal) => {{
                let values: Vec<_> = values
                    .map(|value| match value {
                        Value::$variant(value) => value,
                        other => unreachable!("a column of the type {} holds {other:?}", $name),
                    })
                    .collect();
                self.arguments.add(values).map_err(sqlx::Error::Encode)?;
                Ok($name)
            }};
        }
        match column {
            ColumnType::String(_) | ColumnType::Text => array!(String, "text"),
            ColumnType::BigInteger => array!(BigInt, "bigint"),
            ColumnType::Double => array!(Double, "double precision"),
            ColumnType::Boolean => array!(Bool, "boolean"),
            ColumnType::Blob | ColumnType::VarBinary(_) => array!(Bytes, "bytea"),
            other => unreachable!("no table has a column of the type {other:?}"),
        }
    }

    /// Does it.
    pub(super) async fn execute(self, connection: &mut PgConnection) -> Result<Committed, sqlx::Error> {
        if self.parts.is_empty() {
            return Ok(Committed::default());
        }
        let parts = self.parts.iter().enumerate().map(|(n, part)| format!("c{n} as ({part})"));
        let parts: Vec<String> = parts.collect();
        let [events, messages] = self.returned.map(|n| match n {
            Some(n) => format!("array(select seq from c{n} order by seq)"),
            None => "'{}'::bigint[]".into(),
        });
        let sql = format!("with {} select {events}, {messages}", parts.join(", "));
        // made of the tables' own names only
        let row: PgRow = sqlx::query_with(AssertSqlSafe(sql), self.arguments).fetch_one(connection).await?;
        Ok(Committed { event_seqs: row.try_get(0)?, outbox_seqs: row.try_get(1)? })
    }
}
