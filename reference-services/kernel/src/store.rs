//! store — a service's rows, the events that still have to leave, and the events already handled, in one SQL database.
//!
//! Plain SQL with `$1` parameters through sqlx's `Any`: what SQLite and PostgreSQL both understand. What differs is in `dialect`.

mod dialect;
mod statements;
mod transaction;

pub use transaction::Transaction;

use crate::event::Event;
use crate::page::Page;
use crate::shape::{Fields, Shape, typed};
use serde::de::DeserializeOwned;
use sqlx::any::AnyPoolOptions;
use sqlx::{AnyPool, Executor, Row as _};
use statements::{order, quoted, read, schema, select, sql};

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

/// A stored resource.
#[derive(Clone, Debug, PartialEq)]
pub struct Row {
    /// Counted from 1 within its collection. Ids of failed attempts are not used again.
    pub id: i64,
    /// The resource's fields, in the order of its shape.
    pub fields: Fields,
}

impl Row {
    /// The fields as the type they were written from.
    pub fn typed<T: DeserializeOwned>(&self) -> T {
        typed(&self.fields).expect("what is stored was written from this type")
    }
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

    /// Whether an event has been handled.
    pub async fn has_handled(&self, event_id: &str) -> Result<bool, StoreError> {
        let found = sql("SELECT 1 FROM handled WHERE event_id = $1".to_owned())
            .bind(event_id)
            .fetch_optional(&self.pool)
            .await?;
        Ok(found.is_some())
    }

    /// Notes an event that is to be told if what is begun now does not come to its end.
    pub async fn note_undo(&self, event: &Event) -> Result<(), StoreError> {
        sql("INSERT INTO undo (event_id, payload) VALUES ($1, $2)".to_owned())
            .bind(event.event_id.as_str())
            .bind(event.to_json())
            .execute(&self.pool)
            .await?;
        Ok(())
    }

    /// The events noted by [`Store::note_undo`] that nobody has struck out. At a start: what the process before did not finish.
    pub async fn undos(&self) -> Result<Vec<Event>, StoreError> {
        let rows = sql("SELECT payload FROM undo ORDER BY event_id".to_owned())
            .fetch_all(&self.pool)
            .await?;
        rows.iter()
            .map(|row| {
                let payload: String = row.try_get(0)?;
                Event::from_json(payload.as_bytes()).map_err(|why| StoreError::Decode(why.into()))
            })
            .collect()
    }

    /// Tells an event noted by [`Store::note_undo`], unless it has been struck out since.
    pub async fn tell_undo(&self, event: &Event) -> Result<(), StoreError> {
        let mut transaction = self.begin().await?;
        if transaction.strike_undo(&event.event_id).await? {
            transaction.publish(event).await?;
            transaction.commit().await?;
        }
        Ok(())
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::shape::fields_of;
    use serde_json::json;

    #[derive(Default, serde::Serialize, serde::Deserialize)]
    #[serde(rename_all = "camelCase", default)]
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
    async fn an_undo_is_told_once_unless_it_is_struck_out() {
        let store = store_with(&[]).await;
        let event = |id: &str| Event {
            event_id: id.to_owned(),
            correlation_id: "c".to_owned(),
            key: "7".to_owned(),
            timestamp: jiff::Timestamp::UNIX_EPOCH,
            fields: Fields::new(),
        };
        for id in ["broken", "done"] {
            store.note_undo(&event(id)).await.unwrap();
        }
        let mut transaction = store.begin().await.unwrap();
        assert!(transaction.strike_undo("done").await.unwrap());
        transaction.commit().await.unwrap();
        assert_eq!(store.undos().await.unwrap(), [event("broken")]);
        for id in ["broken", "done", "broken"] {
            store.tell_undo(&event(id)).await.unwrap();
        }
        let told: Vec<_> = store.waiting(10).await.unwrap();
        assert_eq!(
            told.iter().map(|event| &event.payload).collect::<Vec<_>>(),
            [&event("broken").to_json()]
        );
        assert_eq!(store.undos().await.unwrap(), []);
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
