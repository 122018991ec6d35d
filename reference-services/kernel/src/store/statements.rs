//! statements — tables and rows as SQL, and back.

use super::dialect::Dialect;
use super::{Row, StoreError, Table};
use crate::page::Page;
use crate::shape::{Fields, Kind};
use serde_json::Value;
use sqlx::any::{AnyArguments, AnyRow};
use sqlx::query::Query;
use sqlx::{Any, AssertSqlSafe, Row as _};

impl Table {
    /// The kind of a column, `id` among them, if there is such a column.
    pub(super) fn kind(&self, column: &str) -> Option<Kind> {
        if column == "id" {
            Some(Kind::Integer)
        } else {
            self.shape.kind(column)
        }
    }
}

pub(super) fn schema(dialect: Dialect, tables: &[Table]) -> Vec<String> {
    let ours = [
        "CREATE TABLE IF NOT EXISTS ids (collection TEXT PRIMARY KEY, last BIGINT NOT NULL)",
        "CREATE TABLE IF NOT EXISTS outbox (number BIGINT PRIMARY KEY, key TEXT NOT NULL, payload TEXT NOT NULL, traceparent TEXT NOT NULL, sent BIGINT NOT NULL)",
        "CREATE TABLE IF NOT EXISTS handled (event_id TEXT PRIMARY KEY)",
        "CREATE TABLE IF NOT EXISTS undo (event_id TEXT PRIMARY KEY, payload TEXT NOT NULL)",
    ];
    let collections = tables.iter().map(|table| {
        let columns: String = table
            .shape
            .fields()
            .map(|(name, kind)| format!(", {} {}", quoted(name), column(dialect, kind)))
            .collect();
        format!(
            "CREATE TABLE IF NOT EXISTS {} (id BIGINT PRIMARY KEY{columns})",
            quoted(table.name)
        )
    });
    let counters = tables.iter().map(|table| table.name).chain([""]).map(|name| {
        format!("INSERT INTO ids (collection, last) VALUES ('{name}', 0) ON CONFLICT (collection) DO NOTHING")
    });
    let indexes = tables.iter().flat_map(|table| {
        table.indexes.iter().map(|field| {
            let name = quoted(&format!("{}_{field}", table.name));
            format!(
                "CREATE INDEX IF NOT EXISTS {name} ON {} ({})",
                quoted(table.name),
                quoted(field)
            )
        })
    });
    ours.into_iter()
        .map(str::to_owned)
        .chain(collections)
        .chain(indexes)
        .chain(counters)
        .collect()
}

fn column(dialect: Dialect, kind: Kind) -> &'static str {
    match kind {
        Kind::Text => dialect.text(),
        Kind::Integer | Kind::Flag => "BIGINT",
        Kind::Real => "DOUBLE PRECISION",
    }
}

pub(super) fn quoted(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}

pub(super) fn select(table: &Table, rest: &str) -> String {
    let columns: String = table
        .shape
        .fields()
        .map(|(name, _)| format!(", {}", quoted(name)))
        .collect();
    format!("SELECT id{columns} FROM {} {rest}", quoted(table.name))
}

/// Fields the collection does not have are not sorted by. What has no value comes before what has one.
pub(super) fn order(table: &Table, page: &Page) -> String {
    let known = page
        .sort
        .iter()
        .filter(|order| table.kind(&order.field).is_some());
    let mut orders: Vec<String> = known
        .map(|order| {
            format!(
                "{} {}",
                quoted(&order.field),
                if order.falling {
                    "DESC NULLS LAST"
                } else {
                    "ASC NULLS FIRST"
                }
            )
        })
        .collect();
    orders.push("id".to_owned());
    orders.join(", ")
}

/// Statements are made of fixed text and of names from shapes, quoted; every value is bound.
pub(super) fn sql(statement: String) -> Query<'static, Any, AnyArguments> {
    sqlx::query(AssertSqlSafe(statement))
}

pub(super) fn all_bound(
    query: Query<'static, Any, AnyArguments>,
    table: &Table,
    row: &Row,
) -> Query<'static, Any, AnyArguments> {
    table.shape.fields().fold(query, |query, (name, kind)| {
        bound(query, kind, row.fields.get(name))
    })
}

pub(super) fn bound(
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

pub(super) fn read(table: &Table, row: &AnyRow) -> Result<Row, StoreError> {
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
