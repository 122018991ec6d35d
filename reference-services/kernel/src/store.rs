//! store — a service's rows, the events that still have to leave, and the events already handled, in one SQL database.
//!
//! Plain SQL with `$1` parameters through sqlx's `Any`: what SQLite and PostgreSQL both understand. What differs is in [`dialect`].

use crate::event::Event;
use crate::page::Page;
use crate::shape::{Fields, Kind, Shape};
use serde_json::Value;
use sqlx::any::{AnyArguments, AnyPoolOptions, AnyRow};
use sqlx::query::Query;
use sqlx::{Any, AnyPool, AssertSqlSafe, Executor, Row as _};

/// Sent events that are kept for a look; older ones are removed.
const SENT_KEPT: i64 = 1000;

/// Why the store could not do as asked.
pub type StoreError = sqlx::Error;

/// A table: a collection's name and the shape of its rows.
#[derive(Clone, Debug, PartialEq)]
pub struct Table {
    /// The collection's name.
    pub name: &'static str,
    /// Its columns beside `id`.
    pub shape: Shape,
}

impl Table {
    /// The kind of a column, `id` among them, if there is such a column.
    fn kind(&self, column: &str) -> Option<Kind> {
        if column == "id" {
            Some(Kind::Integer)
        } else {
            self.shape.kind(column)
        }
    }
}

/// A stored resource.
#[derive(Clone, Debug, PartialEq)]
pub struct Row {
    /// Counted from 1 within its collection. Ids of failed attempts are not used again.
    pub id: i64,
    /// The resource's fields, in the order of its shape.
    pub fields: Fields,
}

/// An event that has not been acknowledged by the broker yet.
#[derive(Clone, Debug, PartialEq)]
pub struct Waiting {
    /// Its place in the order of commits.
    pub number: i64,
    /// The business key.
    pub key: String,
    /// The event as it is sent.
    pub payload: String,
}

/// The database of one service.
#[derive(Clone, Debug)]
pub struct Store {
    pool: AnyPool,
}

/// Changes that become visible together, or (dropped without [`Transaction::commit`]) not at all.
#[derive(Debug)]
pub struct Transaction {
    inner: sqlx::Transaction<'static, Any>,
}

/// What a database needs beyond plain SQL.
mod dialect {
    /// Said to every new connection.
    pub fn greetings(url: &str) -> &'static [&'static str] {
        if super::is_memory(url) {
            &[]
        } else {
            &[
                "PRAGMA journal_mode = WAL",
                "PRAGMA synchronous = NORMAL",
                "PRAGMA busy_timeout = 5000",
            ]
        }
    }

    /// The address with what it needs so that a missing file is created.
    pub fn creating(url: &str) -> String {
        let has_mode = super::is_memory(url) || url.contains("mode=");
        let glue = if url.contains('?') { '&' } else { '?' };
        if has_mode {
            url.to_owned()
        } else {
            format!("{url}{glue}mode=rwc")
        }
    }
}

fn is_memory(url: &str) -> bool {
    url.contains(":memory:") || url.contains("mode=memory")
}

impl Store {
    /// Opens the database and makes the tables that are missing. There is one connection: a database in memory lives as long as it,
    /// and SQLite has one writer anyway.
    pub async fn open(url: &str, tables: &[Table]) -> Result<Store, StoreError> {
        sqlx::any::install_default_drivers();
        let greetings = dialect::greetings(url);
        let pool = AnyPoolOptions::new()
            .min_connections(1)
            .max_connections(1)
            .idle_timeout(None)
            .max_lifetime(None)
            .test_before_acquire(false)
            .after_connect(move |connection, _| {
                Box::pin(async move {
                    for greeting in greetings {
                        connection.execute(*greeting).await?;
                    }
                    Ok(())
                })
            })
            .connect(&dialect::creating(url))
            .await?;
        let store = Store { pool };
        for statement in schema(tables) {
            sql(statement).execute(&store.pool).await?;
        }
        Ok(store)
    }

    /// A new id for a row. It is used up even if the row is never stored.
    pub async fn next_id(&self, table: &Table) -> Result<i64, StoreError> {
        let row =
            sql("UPDATE ids SET last = last + 1 WHERE collection = $1 RETURNING last".to_owned())
                .bind(table.name)
                .fetch_one(&self.pool)
                .await?;
        row.try_get(0)
    }

    /// The row with this id.
    pub async fn get(&self, table: &Table, id: i64) -> Result<Option<Row>, StoreError> {
        let found = sql(select(table, "WHERE id = $1"))
            .bind(id)
            .fetch_optional(&self.pool)
            .await?;
        found.map(|row| read(table, &row)).transpose()
    }

    /// One page of a collection in the asked order (then by id), and how many rows there are in all.
    pub async fn list(&self, table: &Table, page: &Page) -> Result<(Vec<Row>, u64), StoreError> {
        let count = sql(format!("SELECT count(*) FROM {}", quoted(table.name)))
            .fetch_one(&self.pool)
            .await?;
        let total: i64 = count.try_get(0)?;
        let rows = sql(select(
            table,
            &format!("ORDER BY {} LIMIT $1 OFFSET $2", order(table, page)),
        ))
        .bind(page.size as i64)
        .bind(i64::try_from(page.offset()).unwrap_or(i64::MAX))
        .fetch_all(&self.pool)
        .await?;
        let rows = rows
            .iter()
            .map(|row| read(table, row))
            .collect::<Result<_, _>>()?;
        Ok((rows, total.unsigned_abs()))
    }

    /// Starts a transaction.
    pub async fn begin(&self) -> Result<Transaction, StoreError> {
        Ok(Transaction {
            inner: self.pool.begin().await?,
        })
    }

    /// The oldest events that have not left, in the order they were committed.
    pub async fn waiting(&self, limit: i64) -> Result<Vec<Waiting>, StoreError> {
        let rows = sql(
            "SELECT number, key, payload FROM outbox WHERE sent = 0 ORDER BY number LIMIT $1"
                .to_owned(),
        )
        .bind(limit)
        .fetch_all(&self.pool)
        .await?;
        rows.iter()
            .map(|row| {
                Ok(Waiting {
                    number: row.try_get(0)?,
                    key: row.try_get(1)?,
                    payload: row.try_get(2)?,
                })
            })
            .collect()
    }

    /// Notes that every event up to `number` has left, and forgets those sent long ago.
    pub async fn sent_up_to(&self, number: i64) -> Result<(), StoreError> {
        sql("UPDATE outbox SET sent = 1 WHERE number <= $1 AND sent = 0".to_owned())
            .bind(number)
            .execute(&self.pool)
            .await?;
        sql("DELETE FROM outbox WHERE number <= $1".to_owned())
            .bind(number - SENT_KEPT)
            .execute(&self.pool)
            .await?;
        Ok(())
    }
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

    /// Puts an event into the outbox: it will leave if, and only if, this transaction is committed.
    pub async fn publish(&mut self, event: &Event) -> Result<(), StoreError> {
        sql("UPDATE ids SET last = last + 1 WHERE collection = ''".to_owned())
            .execute(&mut *self.inner)
            .await?;
        sql("INSERT INTO outbox (number, key, payload, sent) SELECT last, $1, $2, 0 FROM ids WHERE collection = ''".to_owned())
            .bind(event.key.as_str())
            .bind(event.to_json())
            .execute(&mut *self.inner)
            .await?;
        Ok(())
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

fn schema(tables: &[Table]) -> Vec<String> {
    let ours = [
        "CREATE TABLE IF NOT EXISTS ids (collection TEXT PRIMARY KEY, last BIGINT NOT NULL)",
        "CREATE TABLE IF NOT EXISTS outbox (number BIGINT PRIMARY KEY, key TEXT NOT NULL, payload TEXT NOT NULL, sent BIGINT NOT NULL)",
        "CREATE TABLE IF NOT EXISTS handled (event_id TEXT PRIMARY KEY)",
    ];
    let collections = tables.iter().map(|table| {
        let columns: String = table
            .shape
            .fields()
            .map(|(name, kind)| format!(", {} {}", quoted(name), column(kind)))
            .collect();
        format!(
            "CREATE TABLE IF NOT EXISTS {} (id BIGINT PRIMARY KEY{columns})",
            quoted(table.name)
        )
    });
    let counters = tables.iter().map(|table| table.name).chain([""]).map(|name| {
        format!("INSERT INTO ids (collection, last) VALUES ('{name}', 0) ON CONFLICT (collection) DO NOTHING")
    });
    ours.into_iter()
        .map(str::to_owned)
        .chain(collections)
        .chain(counters)
        .collect()
}

fn column(kind: Kind) -> &'static str {
    match kind {
        Kind::Text => "TEXT",
        Kind::Integer | Kind::Flag => "BIGINT",
        Kind::Real => "DOUBLE PRECISION",
    }
}

fn quoted(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}

fn select(table: &Table, rest: &str) -> String {
    let columns: String = table
        .shape
        .fields()
        .map(|(name, _)| format!(", {}", quoted(name)))
        .collect();
    format!("SELECT id{columns} FROM {} {rest}", quoted(table.name))
}

/// Fields the collection does not have are not sorted by.
fn order(table: &Table, page: &Page) -> String {
    let known = page
        .sort
        .iter()
        .filter(|order| table.kind(&order.field).is_some());
    let mut orders: Vec<String> = known
        .map(|order| {
            format!(
                "{} {}",
                quoted(&order.field),
                if order.falling { "DESC" } else { "ASC" }
            )
        })
        .collect();
    orders.push("id".to_owned());
    orders.join(", ")
}

/// Statements are made of fixed text and of names from shapes, quoted; every value is bound.
fn sql(statement: String) -> Query<'static, Any, AnyArguments> {
    sqlx::query(AssertSqlSafe(statement))
}

fn all_bound(
    query: Query<'static, Any, AnyArguments>,
    table: &Table,
    row: &Row,
) -> Query<'static, Any, AnyArguments> {
    table.shape.fields().fold(query, |query, (name, kind)| {
        bound(query, kind, row.fields.get(name))
    })
}

fn bound(
    query: Query<'static, Any, AnyArguments>,
    kind: Kind,
    value: Option<&Value>,
) -> Query<'static, Any, AnyArguments> {
    match kind {
        Kind::Text => query.bind(value.and_then(Value::as_str).map(str::to_owned)),
        Kind::Integer => query.bind(value.and_then(Value::as_i64)),
        Kind::Real => query.bind(value.and_then(Value::as_f64)),
        Kind::Flag => query.bind(value.and_then(Value::as_bool).map(i64::from)),
    }
}

fn read(table: &Table, row: &AnyRow) -> Result<Row, StoreError> {
    let mut fields = Fields::new();
    for ((name, kind), n) in table.shape.fields().zip(1..) {
        let value = match kind {
            Kind::Text => row.try_get::<Option<String>, _>(n)?.map(Value::from),
            Kind::Integer => row.try_get::<Option<i64>, _>(n)?.map(Value::from),
            Kind::Real => row.try_get::<Option<f64>, _>(n)?.map(Value::from),
            Kind::Flag => row
                .try_get::<Option<i64>, _>(n)?
                .map(|flag| Value::from(flag != 0)),
        };
        fields.insert(name.to_owned(), value.unwrap_or(Value::Null));
    }
    Ok(Row {
        id: row.try_get(0)?,
        fields,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::shape::fields_of;
    use serde_json::json;

    #[derive(Default, serde::Serialize)]
    #[serde(rename_all = "camelCase")]
    struct Order {
        guest_name: String,
        price: i64,
        rating: f64,
        paid: bool,
    }

    fn table() -> Table {
        Table {
            name: "orders",
            shape: Shape::of::<Order>(),
        }
    }

    fn order(guest: &str, price: i64) -> Fields {
        fields_of(&json!({"guestName": guest, "price": price, "rating": 4.5, "paid": true}))
    }

    async fn store_with(orders: &[(&str, i64)]) -> Store {
        let store = Store::open("sqlite::memory:", &[table()]).await.unwrap();
        let mut transaction = store.begin().await.unwrap();
        for (guest, price) in orders {
            transaction
                .append(&table(), order(guest, *price))
                .await
                .unwrap();
        }
        transaction.commit().await.unwrap();
        store
    }

    #[tokio::test]
    async fn a_row_comes_back_as_it_was_stored() {
        let store = store_with(&[("배트맨", 1000)]).await;
        let row = store.get(&table(), 1).await.unwrap().unwrap();
        assert_eq!(
            row,
            Row {
                id: 1,
                fields: order("배트맨", 1000)
            }
        );
        assert_eq!(store.get(&table(), 2).await.unwrap(), None);
    }

    #[tokio::test]
    async fn a_transaction_that_is_dropped_never_happened_but_its_id_is_used() {
        let store = store_with(&[]).await;
        let id = store.next_id(&table()).await.unwrap();
        let mut transaction = store.begin().await.unwrap();
        transaction
            .insert(
                &table(),
                &Row {
                    id,
                    fields: order("Robin", 1),
                },
            )
            .await
            .unwrap();
        drop(transaction);
        assert_eq!(
            store.list(&table(), &Page::of_query("")).await.unwrap(),
            (vec![], 0)
        );
        assert_eq!(store.next_id(&table()).await.unwrap(), 2);
    }

    #[tokio::test]
    async fn pages_are_sorted_by_known_fields_and_then_by_id() {
        let store = store_with(&[("A", 2), ("B", 1), ("C", 2)]).await;
        let page = Page::of_query("sort=colour&sort=price,desc&size=2");
        let (rows, total) = store.list(&table(), &page).await.unwrap();
        assert_eq!(
            (rows.iter().map(|row| row.id).collect::<Vec<_>>(), total),
            (vec![1, 3], 3)
        );
        let (rows, _) = store
            .list(&table(), &Page { number: 1, ..page })
            .await
            .unwrap();
        assert_eq!(rows.iter().map(|row| row.id).collect::<Vec<_>>(), [2]);
    }

    #[tokio::test]
    async fn rows_are_found_by_a_field_and_changed() {
        let store = store_with(&[("A", 2), ("B", 1)]).await;
        let mut transaction = store.begin().await.unwrap();
        let found = transaction
            .find(&table(), "guestName", &json!("B"))
            .await
            .unwrap();
        assert_eq!(
            found,
            [Row {
                id: 2,
                fields: order("B", 1)
            }]
        );
        transaction
            .update(
                &table(),
                &Row {
                    id: 2,
                    fields: order("B", 7),
                },
            )
            .await
            .unwrap();
        transaction.delete(&table(), 1).await.unwrap();
        assert_eq!(
            transaction.get(&table(), 2).await.unwrap().unwrap().fields["price"],
            7
        );
        transaction.commit().await.unwrap();
        assert_eq!(
            store.list(&table(), &Page::of_query("")).await.unwrap().1,
            1
        );
    }

    #[tokio::test]
    async fn events_wait_in_order_until_they_are_sent() {
        let store = store_with(&[]).await;
        let event = |id: &str| Event {
            event_id: id.to_owned(),
            correlation_id: "c".to_owned(),
            key: "7".to_owned(),
            timestamp: jiff::Timestamp::UNIX_EPOCH,
            fields: Fields::new(),
        };
        let mut transaction = store.begin().await.unwrap();
        transaction.publish(&event("one")).await.unwrap();
        transaction.publish(&event("two")).await.unwrap();
        transaction.commit().await.unwrap();
        drop(store.begin().await.unwrap());

        let waiting = store.waiting(10).await.unwrap();
        assert_eq!(
            waiting.iter().map(|event| event.number).collect::<Vec<_>>(),
            [1, 2]
        );
        assert_eq!(
            waiting[0],
            Waiting {
                number: 1,
                key: "7".to_owned(),
                payload: event("one").to_json()
            }
        );
        store.sent_up_to(1).await.unwrap();
        assert_eq!(store.waiting(10).await.unwrap().len(), 1);
    }

    #[tokio::test]
    async fn an_event_is_first_only_once() {
        let store = store_with(&[]).await;
        let mut transaction = store.begin().await.unwrap();
        assert!(transaction.is_first("e1").await.unwrap());
        assert!(!transaction.is_first("e1").await.unwrap());
    }

    #[tokio::test]
    async fn a_file_keeps_what_was_stored() {
        let folder = tempfile::tempdir().unwrap();
        let url = format!("sqlite://{}/orders.db", folder.path().display());
        for expected in [1, 2] {
            let store = Store::open(&url, &[table()]).await.unwrap();
            let mut transaction = store.begin().await.unwrap();
            assert_eq!(
                transaction
                    .append(&table(), order("A", 1))
                    .await
                    .unwrap()
                    .id,
                expected
            );
            transaction.commit().await.unwrap();
            store.pool.close().await;
        }
    }
}
