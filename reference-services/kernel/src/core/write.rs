//! write — the second half of what is to be done: rows and events, in one transaction.

use super::{Core, Extent, Rejected, merged};
use crate::correlation::Correlation;
use crate::effect::{Effect, Reply};
use crate::event::Event;
use crate::shape::Fields;
use crate::store::{Row, Table, Transaction};
use crate::telemetry::trace::{Kind, Span};
use serde_json::Value;
use std::collections::VecDeque;
use std::time::Duration;

/// What a transaction begins with. Where it does not hold any more, nothing is written.
#[derive(Clone, Copy, Debug)]
pub(super) enum Opening<'a> {
    Nothing,
    /// The row is new, and where a collection has one for each value of a field, there is none with its value.
    Insert(&'a Table, &'a Row, Option<&'static str>),
    /// The row still is the first, and becomes the second.
    Update(&'a Table, &'a Row, &'a Row),
    Delete(&'a Table, &'a Row),
    /// The event has not been handled.
    First(&'a Event),
}

/// What came of a transaction.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Written {
    /// The answer of an operation.
    pub reply: Option<Reply>,
    /// The row it began with, as it is after everything that followed.
    pub row: Option<Row>,
}

impl Core {
    /// Writes everything, or nothing.
    pub(super) async fn write(
        &self,
        opening: Opening<'_>,
        effects: Vec<Effect>,
        undos: &[Event],
        correlation: &Correlation,
    ) -> Result<Written, Rejected> {
        let mut transaction = self.store.begin().await?;
        let effects = self.looked(&mut transaction, effects).await?;
        opening.open(&mut transaction).await?;
        for event in undos {
            if !transaction.strike_undo(&event.event_id).await? {
                return Err(Rejected::Contended);
            }
        }
        let (mut reply, mut deliveries) = (None, Vec::new());
        let mut rest = VecDeque::from(effects);
        while let Some(effect) = rest.pop_front() {
            match effect {
                Effect::Reply(answer) => reply = Some(answer),
                Effect::Deliver { port, what } => deliveries.push((port, what)),
                Effect::Create {
                    collection,
                    fields,
                    then,
                } => {
                    let table = &self.resource(collection).table;
                    let row = transaction.append(table, fields).await?;
                    let follows = then.given(&row.id).into_iter().rev();
                    follows.for_each(|effect| rest.push_front(effect));
                }
                effect => {
                    self.write_one(&mut transaction, effect, correlation)
                        .await?
                }
            }
        }
        let row = opening.written(&mut transaction).await?;
        for (port, what) in deliveries {
            self.deliver(port, what).await?;
        }
        transaction.commit().await?;
        Ok(Written { reply, row })
    }

    /// What is to be written when everything has been looked at. Nothing is written yet, so every look sees the same.
    async fn looked(
        &self,
        transaction: &mut Transaction,
        effects: Vec<Effect>,
    ) -> Result<Vec<Effect>, Rejected> {
        let mut writes = Vec::new();
        let mut rest = VecDeque::from(effects);
        while let Some(effect) = rest.pop_front() {
            if let Effect::Look { rows, then } = effect {
                let table = &self.resource(rows.collection).table;
                let found = transaction.find(table, rows.field, &rows.value).await?;
                let follows = then.given(&found).into_iter().rev();
                follows.for_each(|effect| rest.push_front(effect));
            } else {
                writes.push(effect);
            }
        }
        Ok(writes)
    }

    async fn write_one(
        &self,
        transaction: &mut Transaction,
        effect: Effect,
        correlation: &Correlation,
    ) -> Result<(), Rejected> {
        match effect {
            Effect::Publish(news) => {
                let event = self.event(&news, correlation);
                tracing::info!(
                    correlation = correlation.as_str(),
                    event = event.event_id,
                    "{}",
                    event.kind()
                );
                let place = correlation.place().child();
                transaction.publish(&event, &place.to_string()).await?;
                self.telemetry.tracer.ended(place, || Span {
                    place,
                    kind: Kind::Producer,
                    name: format!("publish {}", event.kind()),
                    began: event.timestamp.into(),
                    took: Duration::ZERO,
                    attributes: vec![
                        ("messaging.message.id", event.event_id.clone()),
                        ("messaging.kafka.message.key", event.key.clone()),
                    ],
                    is_error: false,
                });
            }
            Effect::Save { collection, fields } => {
                let table = &self.resource(collection).table;
                transaction.append(table, fields).await?;
            }
            Effect::Change {
                collection,
                field,
                value,
                set,
            } => {
                self.change(transaction, collection, (field, &value), &set)
                    .await?;
            }
            Effect::Upsert {
                collection,
                field,
                value,
                set,
            } => {
                let changed = self
                    .change(transaction, collection, (field, &value), &set)
                    .await?;
                if changed == 0 {
                    let resource = self.resource(collection);
                    let mut fields = set;
                    fields.insert(field.to_owned(), value);
                    let fields = (resource.check)(&fields)?;
                    transaction.append(&resource.table, fields).await?;
                }
            }
            Effect::Refuse(refusal) => return Err(Rejected::Refused(refusal)),
            Effect::Log(line) => tracing::info!(correlation = correlation.as_str(), "{line}"),
            Effect::Call(_) | Effect::Ask { .. } | Effect::Undo(_) | Effect::Wait { .. } => {
                let why = "nobody can be called or waited for inside a transaction".to_owned();
                return Err(Rejected::CallFailed(why));
            }
            Effect::Look { .. } => {
                let why = "nothing can be looked at once writing has begun".to_owned();
                return Err(Rejected::CallFailed(why));
            }
            Effect::Create { .. } | Effect::Deliver { .. } | Effect::Reply(_) => {
                unreachable!("the caller performs these")
            }
        }
        Ok(())
    }

    /// Adapters may block, so they work on a thread of their own.
    async fn deliver(&self, port: &'static str, what: Value) -> Result<(), Rejected> {
        let adapter = self.ports.get(port).cloned();
        let adapter = adapter.expect("a service delivers through ports of its own");
        let delivered = tokio::task::spawn_blocking(move || adapter(&what)).await;
        let delivered = delivered.unwrap_or_else(|why| Err(std::io::Error::other(why)));
        delivered.map_err(|source| Rejected::Undelivered { port, source })
    }

    async fn change(
        &self,
        transaction: &mut Transaction,
        collection: &str,
        (field, value): (&str, &Value),
        set: &Fields,
    ) -> Result<usize, Rejected> {
        let table = &self.resource(collection).table;
        let rows = transaction.find(table, field, value).await?;
        for row in &rows {
            let fields = merged(&row.fields, set, Extent::Part);
            let row = Row { id: row.id, fields };
            transaction.update(table, &row).await?;
        }
        Ok(rows.len())
    }
}

impl Opening<'_> {
    async fn open(self, transaction: &mut Transaction) -> Result<(), Rejected> {
        match self {
            Opening::Nothing => {}
            Opening::Insert(table, row, one_per) => {
                if let Some(value) = one_per.and_then(|field| Some((field, row.fields.get(field)?)))
                    && !transaction.find(table, value.0, value.1).await?.is_empty()
                {
                    return Err(Rejected::Contended);
                }
                transaction.insert(table, row).await?;
            }
            Opening::Update(table, old, new) => {
                still(transaction, table, old).await?;
                transaction.update(table, new).await?;
            }
            Opening::Delete(table, old) => {
                still(transaction, table, old).await?;
                transaction.delete(table, old.id).await?;
            }
            Opening::First(event) => {
                if !transaction.is_first(&event.event_id).await? {
                    return Err(Rejected::Repeated);
                }
            }
        }
        Ok(())
    }
}

impl Opening<'_> {
    /// What was stored at first may have been changed by what followed.
    async fn written(self, transaction: &mut Transaction) -> Result<Option<Row>, Rejected> {
        match self {
            Opening::Insert(table, row, _) | Opening::Update(table, _, row) => {
                Ok(transaction.get(table, row.id).await?)
            }
            Opening::Nothing | Opening::Delete(..) | Opening::First(_) => Ok(None),
        }
    }
}

/// The row is what it was when it was decided on.
async fn still(transaction: &mut Transaction, table: &Table, old: &Row) -> Result<(), Rejected> {
    let found = transaction.get(table, old.id).await?;
    if found.as_ref() == Some(old) {
        Ok(())
    } else {
        Err(Rejected::Contended)
    }
}
