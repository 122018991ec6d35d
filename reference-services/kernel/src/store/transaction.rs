//! transaction — changes that become visible together, with the events they cause, or not at all.

use super::statements::{all_bound, bound, quoted, read, select, sql};
use super::{Row, StoreError, Table};
use crate::event::Event;
use crate::shape::Fields;
use serde_json::Value;
use sqlx::{Any, Row as _};

/// Changes that become visible together, or (dropped without [`Transaction::commit`]) not at all.
#[derive(Debug)]
pub struct Transaction {
    pub(super) inner: sqlx::Transaction<'static, Any>,
}

impl Transaction {
    /// The row with this id.
    pub async fn get(&mut self, table: &Table, id: i64) -> Result<Option<Row>, StoreError> {
        let found = sql(select(table, "WHERE id = $1"))
            .bind(id)
            .fetch_optional(&mut *self.inner)
            .await?;
        found.map(|row| read(table, &row)).transpose()
    }

    /// The rows in which `field` holds `value`.
    pub async fn find(
        &mut self,
        table: &Table,
        field: &str,
        value: &Value,
    ) -> Result<Vec<Row>, StoreError> {
        let Some(kind) = table.kind(field) else {
            return Ok(Vec::new());
        };
        let query = sql(select(
            table,
            &format!("WHERE {} = $1 ORDER BY id", quoted(field)),
        ));
        let rows = bound(query, kind, Some(value))
            .fetch_all(&mut *self.inner)
            .await?;
        rows.iter().map(|row| read(table, row)).collect()
    }

    /// Stores a new row.
    pub async fn insert(&mut self, table: &Table, row: &Row) -> Result<(), StoreError> {
        let columns: String = table
            .shape
            .fields()
            .map(|(name, _)| format!(", {}", quoted(name)))
            .collect();
        let places: String = (2..)
            .take(table.shape.fields().count())
            .map(|n| format!(", ${n}"))
            .collect();
        let statement = format!(
            "INSERT INTO {} (id{columns}) VALUES ($1{places})",
            quoted(table.name)
        );
        all_bound(sql(statement).bind(row.id), table, row)
            .execute(&mut *self.inner)
            .await?;
        Ok(())
    }

    /// Stores a new row under the next id.
    pub async fn append(&mut self, table: &Table, fields: Fields) -> Result<Row, StoreError> {
        let last =
            sql("UPDATE ids SET last = last + 1 WHERE collection = $1 RETURNING last".to_owned())
                .bind(table.name)
                .fetch_one(&mut *self.inner)
                .await?;
        let row = Row {
            id: last.try_get(0)?,
            fields,
        };
        self.insert(table, &row).await?;
        Ok(row)
    }

    /// Replaces the fields of the row with the same id.
    pub async fn update(&mut self, table: &Table, row: &Row) -> Result<(), StoreError> {
        let columns: Vec<String> = table
            .shape
            .fields()
            .zip(2..)
            .map(|((name, _), n)| format!("{} = ${n}", quoted(name)))
            .collect();
        let statement = format!(
            "UPDATE {} SET {} WHERE id = $1",
            quoted(table.name),
            columns.join(", ")
        );
        all_bound(sql(statement).bind(row.id), table, row)
            .execute(&mut *self.inner)
            .await?;
        Ok(())
    }

    /// Removes a row.
    pub async fn delete(&mut self, table: &Table, id: i64) -> Result<(), StoreError> {
        sql(format!("DELETE FROM {} WHERE id = $1", quoted(table.name)))
            .bind(id)
            .execute(&mut *self.inner)
            .await?;
        Ok(())
    }

    /// Puts an event into the outbox: it will leave if, and only if, this transaction is committed. `traceparent` goes with it.
    pub async fn publish(&mut self, event: &Event, traceparent: &str) -> Result<(), StoreError> {
        sql("UPDATE ids SET last = last + 1 WHERE collection = ''".to_owned())
            .execute(&mut *self.inner)
            .await?;
        sql("INSERT INTO outbox (number, key, payload, traceparent, sent) SELECT last, $1, $2, $3, 0 FROM ids WHERE collection = ''".to_owned())
            .bind(event.key.as_str())
            .bind(event.to_json())
            .bind(traceparent)
            .execute(&mut *self.inner)
            .await?;
        Ok(())
    }

    /// Forgets an event that was noted to be told if this failed. False when it has been told already: then this must fail.
    pub async fn strike_undo(&mut self, event_id: &str) -> Result<bool, StoreError> {
        let struck = sql("DELETE FROM undo WHERE event_id = $1".to_owned())
            .bind(event_id)
            .execute(&mut *self.inner)
            .await?;
        Ok(struck.rows_affected() == 1)
    }

    /// Notes that an event is being handled. False when it has been handled before. Notes are kept: a copy may come as late as the
    /// broker keeps events.
    pub async fn is_first(&mut self, event_id: &str) -> Result<bool, StoreError> {
        let noted = sql(
            "INSERT INTO handled (event_id) VALUES ($1) ON CONFLICT (event_id) DO NOTHING"
                .to_owned(),
        )
        .bind(event_id)
        .execute(&mut *self.inner)
        .await?;
        Ok(noted.rows_affected() == 1)
    }

    /// Makes all of it visible.
    pub async fn commit(self) -> Result<(), StoreError> {
        self.inner.commit().await
    }
}
