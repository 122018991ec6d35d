//! core — performs what a service's domain decided: calls first, then one transaction with rows and events.

use crate::correlation::Correlation;
use crate::edge::{Answer, Edge};
use crate::effect::Effect;
use crate::event::Event;
use crate::service::{Listener, Resource, Service};
use crate::shape::{Fields, Misshapen};
use crate::store::{Row, Store, StoreError, Transaction};
use jiff::Timestamp;
use tokio::sync::Notify;

/// How often a change is tried when others change the same row at the same moment.
const TRIES_MAX: usize = 3;

/// A running service's parts.
pub(crate) struct Core {
    pub name: &'static str,
    pub resources: Vec<Resource>,
    pub listener: Option<Listener>,
    pub store: Store,
    pub edge: Edge,
    /// Told after each commit that may have put events into the outbox.
    pub committed: Notify,
}

/// Why a request changed nothing.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Rejected {
    #[error(transparent)]
    Misshapen(#[from] Misshapen),
    #[error("JSON parse error: {0}")]
    Untypable(#[from] serde_json::Error),
    #[error("there is no such resource")]
    NotFound,
    #[error("a call failed: {0}")]
    CallFailed(String),
    #[error("database: {0}")]
    Store(#[from] StoreError),
    #[error("others change it at the same time")]
    Contended,
}

/// How the handling of an event ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Handled {
    Now,
    /// It is a copy; the first was handled.
    Before,
    /// It concerns others.
    NotOurs,
}

/// Whether a request gives all of a resource or a part of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Extent {
    Whole,
    Part,
}

impl Core {
    pub fn new(service: Service, store: Store, edge: Edge) -> Core {
        let Service {
            name,
            resources,
            listener,
            ..
        } = service;
        Core {
            name,
            resources,
            listener,
            store,
            edge,
            committed: Notify::new(),
        }
    }

    /// Creates a row if everything that has to happen for it succeeds. A failed attempt has used up an id.
    pub async fn create(
        &self,
        resource: &Resource,
        body: &[u8],
        correlation: &Correlation,
    ) -> Result<Row, Rejected> {
        let fields = (resource.complete)(&resource.table.shape.read(body)?)?;
        let row = Row {
            id: self.store.next_id(&resource.table).await?,
            fields,
        };
        let effects = (resource.on_create)(row.id, &row.fields);
        self.make_calls(&effects, correlation).await?;
        let mut transaction = self.store.begin().await?;
        transaction.insert(&resource.table, &row).await?;
        self.commit(transaction, &effects, correlation).await?;
        Ok(row)
    }

    /// Changes a row, or a part of it.
    pub async fn update(
        &self,
        resource: &Resource,
        id: i64,
        body: &[u8],
        extent: Extent,
        correlation: &Correlation,
    ) -> Result<Row, Rejected> {
        let given = resource.table.shape.read(body)?;
        for _ in 0..TRIES_MAX {
            let old = self
                .store
                .get(&resource.table, id)
                .await?
                .ok_or(Rejected::NotFound)?;
            let new = Row {
                id,
                fields: (resource.check)(&merged(&old.fields, &given, extent))?,
            };
            let effects = (resource.on_update)(id, &old.fields, &new.fields);
            self.make_calls(&effects, correlation).await?;
            let mut transaction = self.store.begin().await?;
            if transaction.get(&resource.table, id).await?.as_ref() == Some(&old) {
                transaction.update(&resource.table, &new).await?;
                self.commit(transaction, &effects, correlation).await?;
                return Ok(new);
            }
        }
        Err(Rejected::Contended)
    }

    /// Deletes a row.
    pub async fn delete(
        &self,
        resource: &Resource,
        id: i64,
        correlation: &Correlation,
    ) -> Result<(), Rejected> {
        for _ in 0..TRIES_MAX {
            let old = self
                .store
                .get(&resource.table, id)
                .await?
                .ok_or(Rejected::NotFound)?;
            let effects = (resource.on_delete)(id, &old.fields);
            self.make_calls(&effects, correlation).await?;
            let mut transaction = self.store.begin().await?;
            if transaction.get(&resource.table, id).await?.as_ref() == Some(&old) {
                transaction.delete(&resource.table, id).await?;
                self.commit(transaction, &effects, correlation).await?;
                return Ok(());
            }
        }
        Err(Rejected::Contended)
    }

    /// Handles an event, unless it has been handled before: the note of that is in the same transaction as the effects.
    pub async fn handle(&self, event: &Event) -> Result<Handled, Rejected> {
        let Some(Listener(decide)) = &self.listener else {
            return Ok(Handled::NotOurs);
        };
        let effects = decide(event)?;
        if effects.is_empty() {
            return Ok(Handled::NotOurs);
        }
        let correlation = Correlation::of_event(event);
        self.make_calls(&effects, &correlation).await?;
        let mut transaction = self.store.begin().await?;
        if !transaction.is_first(&event.event_id).await? {
            return Ok(Handled::Before);
        }
        self.commit(transaction, &effects, &correlation).await?;
        Ok(Handled::Now)
    }

    async fn make_calls(
        &self,
        effects: &[Effect],
        correlation: &Correlation,
    ) -> Result<(), Rejected> {
        for effect in effects {
            if let Effect::Call(call) = effect {
                match self.edge.call(call, correlation).await {
                    Answer::Ok(_) => {}
                    Answer::Refused(why) | Answer::Unknown(why) => {
                        return Err(Rejected::CallFailed(why));
                    }
                }
            }
        }
        Ok(())
    }

    async fn commit(
        &self,
        mut transaction: Transaction,
        effects: &[Effect],
        correlation: &Correlation,
    ) -> Result<(), Rejected> {
        for effect in effects {
            self.write(&mut transaction, effect, correlation).await?;
        }
        transaction.commit().await?;
        if effects
            .iter()
            .any(|effect| matches!(effect, Effect::Publish(_)))
        {
            self.committed.notify_one();
        }
        Ok(())
    }

    async fn write(
        &self,
        transaction: &mut Transaction,
        effect: &Effect,
        correlation: &Correlation,
    ) -> Result<(), Rejected> {
        match effect {
            Effect::Call(_) => {}
            Effect::Publish(news) => {
                let event = Event::new(news, correlation.as_str(), Timestamp::now());
                tracing::info!(
                    correlation = correlation.as_str(),
                    event = event.event_id,
                    "{}",
                    event.kind()
                );
                transaction.publish(&event).await?;
            }
            Effect::Save { collection, fields } => {
                transaction
                    .append(&self.resource(collection).table, fields.clone())
                    .await?;
            }
            Effect::Change {
                collection,
                field,
                value,
                set,
            } => {
                let table = &self.resource(collection).table;
                for row in transaction.find(table, field, value).await? {
                    let fields = merged(&row.fields, set, Extent::Part);
                    transaction
                        .update(table, &Row { id: row.id, fields })
                        .await?;
                }
            }
        }
        Ok(())
    }

    fn resource(&self, collection: &str) -> &Resource {
        let found = self
            .resources
            .iter()
            .find(|resource| resource.relation.many == collection);
        found.expect("a service saves into collections of its own")
    }
}

/// A part leaves the other fields as they were; the whole puts everything that is not given back to its default.
fn merged(old: &Fields, given: &Fields, extent: Extent) -> Fields {
    match extent {
        Extent::Whole => given.clone(),
        Extent::Part => {
            let given_or_old = |(name, value): (&String, _)| {
                (name.clone(), given.get(name).unwrap_or(value).clone())
            };
            old.iter().map(given_or_old).collect()
        }
    }
}
