//! store — a service's rows, the events that still have to leave, and the events already handled, in one SQL database.
//!
//! Plain SQL with `$1` parameters through sqlx's `Any`: what SQLite and PostgreSQL both understand. What differs is in `dialect`.

mod dialect;
mod outbox;
mod statements;
mod transaction;

pub use outbox::Waiting;
pub use transaction::Transaction;

use crate::page::Page;
use crate::shape::{Fields, Shape, typed};
use dialect::Dialect;
use serde::de::DeserializeOwned;
use sqlx::{AnyConnection, AnyPool, AssertSqlSafe, Connection, Executor, Row as _};
use statements::{order, quoted, read, schema, select, sql};

/// Why the store could not do as asked.
pub type StoreError = sqlx::Error;

/// What SQLite says of a file that is damaged, or that was never its.
const DAMAGED: [&str; 2] = ["11", "26"];

/// Looks through a file before anything is asked of it: a pool would try a damaged one again and again, and say only that it took long.
async fn sound(address: &str) -> Result<(), StoreError> {
    let look = async {
        let mut connection = AnyConnection::connect(address).await?;
        let row = sqlx::query("PRAGMA quick_check(1)")
            .fetch_one(&mut connection)
            .await;
        connection.close().await?;
        row?.try_get::<String, _>(0)
    };
    let damaged = |what: &str| {
        let why = format!(
            "the file is damaged or no database ({what}); move it away, or put back a copy of it"
        );
        Err(StoreError::Configuration(why.into()))
    };
    match look.await {
        Ok(found) if found == "ok" => Ok(()),
        Ok(found) => damaged(&found),
        Err(StoreError::Database(e)) if e.code().is_some_and(|c| DAMAGED.contains(&&*c)) => {
            damaged(e.message())
        }
        Err(e) => Err(e),
    }
}

/// A table: a collection's name and the shape of its rows.
#[derive(Clone, Debug, PartialEq)]
pub struct Table {
    /// The collection's name.
    pub name: &'static str,
    /// Its columns beside `id`.
    pub shape: Shape,
    /// Columns by which rows are found often.
    pub indexes: Vec<&'static str>,
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

/// The database of one service.
#[derive(Clone, Debug)]
pub struct Store {
    pool: AnyPool,
    dialect: Dialect,
}

impl Store {
    /// Opens the database of a service and makes the tables that are missing. In PostgreSQL they are in a schema of the service's name,
    /// or the one that the address says with `options[search_path]=`, so that services can share a database, and replicas of one share
    /// its tables. `{service}` in the address is the service's name.
    pub async fn open(url: &str, service: &str, tables: &[Table]) -> Result<Store, StoreError> {
        sqlx::any::install_default_drivers();
        let url = &url.replace("{service}", service);
        let dialect = Dialect::of(url);
        if let Dialect::Sqlite { is_memory: false } = dialect {
            sound(&dialect.address(url)).await?;
        }
        let schema_name = dialect::schema_name(url, service);
        let greetings = dialect.greetings(schema_name);
        let pool = dialect
            .pool()
            .after_connect(move |connection, _| {
                let greetings = greetings.clone();
                Box::pin(async move {
                    for greeting in greetings {
                        connection.execute(AssertSqlSafe(greeting)).await?;
                    }
                    Ok(())
                })
            })
            .connect(&dialect.address(url))
            .await?;
        let store = Store { pool, dialect };
        let mut transaction = store.begin().await?;
        for statement in dialect
            .preparing(schema_name)
            .into_iter()
            .chain(schema(dialect, tables))
        {
            sql(statement).execute(&mut *transaction.inner).await?;
        }
        transaction.commit().await?;
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

    /// Starts a transaction. There is one at a time, whoever else has the database open: what it reads stays true until it ends.
    pub async fn begin(&self) -> Result<Transaction, StoreError> {
        let mut inner = self.pool.begin_with(self.dialect.begin()).await?;
        if let Some(lock) = self.dialect.lock() {
            inner.execute(lock).await?;
        }
        Ok(Transaction { inner })
    }
}
