//! core — performs what a service's domain decided: calls first, then one transaction with rows and events.
//!
//! The first half is in `consult`, the second in `write`.

mod connections;
mod consult;
mod write;

pub(crate) use connections::Connections;

use crate::asked::Asked;
use crate::correlation::Correlation;
use crate::edge::Edge;
use crate::effect::{Effect, News, Refusal, Reply};
use crate::event::Event;
use crate::service::{Adapter, Listener, Operation, Resource, Service};
use crate::shape::{Fields, Misshapen};
use crate::store::{Row, Store, StoreError};
use crate::telemetry::Telemetry;
use crate::telemetry::trace::Place;
use connections::NoneFree;
use jiff::Timestamp;
use serde_json::Value;
use std::collections::BTreeMap;
use std::sync::Arc;
use tokio::sync::Notify;
use write::{Opening, Written};

/// How often a change is tried when others change the same row at the same moment.
const TRIES_MAX: usize = 3;

/// A running service's parts.
pub(crate) struct Core {
    pub name: &'static str,
    pub resources: Vec<Resource>,
    pub operations: Vec<Operation>,
    pub listener: Option<Listener>,
    pub is_patient: bool,
    pub ports: BTreeMap<&'static str, Arc<Adapter>>,
    pub store: Store,
    pub edge: Edge,
    pub connections: Connections,
    pub telemetry: Arc<Telemetry>,
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
    #[error("{port}: cannot deliver: {source}")]
    Undelivered {
        port: &'static str,
        source: std::io::Error,
    },
    #[error("refused: {}", .0.message)]
    Refused(Refusal),
    #[error("it was handled before")]
    Repeated,
    #[error("no database connection became free")]
    NoConnection,
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
    pub fn new(
        service: Service,
        store: Store,
        edge: Edge,
        connections: Connections,
        telemetry: Arc<Telemetry>,
    ) -> Core {
        let Service {
            name,
            resources,
            operations,
            listener,
            is_patient,
            ports,
            ..
        } = service;
        Core {
            name,
            resources,
            operations,
            listener,
            is_patient,
            ports,
            store,
            edge,
            connections,
            telemetry,
            committed: Notify::new(),
        }
    }

    /// Creates a row if everything that has to happen for it succeeds, and comes back with the row as it is then. A failed attempt has
    /// used up an id. Where there is one row for each value of a field and there is one already, that is changed.
    pub async fn create(
        &self,
        resource: &Resource,
        body: &[u8],
        correlation: &Correlation,
    ) -> Result<Row, Rejected> {
        let given = resource.table.shape.read(body)?;
        let Some(value) = resource
            .one_per
            .and_then(|field| given.get_key_value(field))
        else {
            return self.create_new(resource, body, correlation).await;
        };
        for _ in 0..TRIES_MAX {
            let done = match self.last_with(resource, value).await? {
                Some(row) => {
                    self.update(resource, row.id, body, Extent::Part, correlation)
                        .await
                }
                None => self.create_new(resource, body, correlation).await,
            };
            match done {
                Err(Rejected::Contended | Rejected::NotFound) => {}
                done => return done,
            }
        }
        Err(Rejected::Contended)
    }

    async fn create_new(
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
        let opening = Opening::Insert(&resource.table, &row, resource.one_per);
        let written = self.perform(opening, effects, correlation).await?;
        Ok(written.row.unwrap_or(row))
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
            let old = self.stored(resource, id).await?;
            let is = merged(&old.fields, &given, extent);
            let new = Row {
                id,
                fields: (resource.revise)(&old.fields, &is)?,
            };
            let effects = (resource.on_update)(id, &old.fields, &new.fields);
            let opening = Opening::Update(&resource.table, &old, &new);
            match self.perform(opening, effects, correlation).await {
                Err(Rejected::Contended) => {}
                Err(why) => return Err(why),
                Ok(written) => return Ok(written.row.unwrap_or(new)),
            }
        }
        Err(Rejected::Contended)
    }

    /// Deletes a row, or changes it to what is left of a deleted one.
    pub async fn delete(
        &self,
        resource: &Resource,
        id: i64,
        correlation: &Correlation,
    ) -> Result<(), Rejected> {
        for _ in 0..TRIES_MAX {
            let old = self.stored(resource, id).await?;
            let left = resource
                .remains
                .as_ref()
                .map(|remains| remains(&old.fields));
            let left = left.transpose()?.map(|fields| Row { id, fields });
            let (effects, opening) = match &left {
                Some(new) => (
                    (resource.on_update)(id, &old.fields, &new.fields),
                    Opening::Update(&resource.table, &old, new),
                ),
                None => (
                    (resource.on_delete)(id, &old.fields),
                    Opening::Delete(&resource.table, &old),
                ),
            };
            match self.perform(opening, effects, correlation).await {
                Err(Rejected::Contended) => {}
                done => return done.map(drop),
            }
        }
        Err(Rejected::Contended)
    }

    /// Does what an operation is asked. The answer is the last one of its effects.
    pub async fn operate(
        &self,
        operation: &Operation,
        asked: &Asked,
        correlation: &Correlation,
    ) -> Result<Option<Reply>, Rejected> {
        let effects = (operation.handle)(asked);
        let written = self.perform(Opening::Nothing, effects, correlation).await?;
        Ok(written.reply)
    }

    /// Handles an event, unless it has been handled before: the note of that is in the same transaction as the effects.
    pub async fn handle(&self, event: &Event, place: Place) -> Result<Handled, Rejected> {
        let Some(Listener(decide)) = &self.listener else {
            return Ok(Handled::NotOurs);
        };
        let effects = decide(event)?;
        if effects.is_empty() {
            return Ok(Handled::NotOurs);
        }
        if self.store.has_handled(&event.event_id).await? {
            return Ok(Handled::Before);
        }
        let correlation = Correlation::of_event(event).at(place);
        let opening = Opening::First(event);
        match self.perform(opening, effects, &correlation).await {
            Ok(_) => Ok(Handled::Now),
            Err(Rejected::Repeated) => Ok(Handled::Before),
            Err(why) => Err(why),
        }
    }

    /// Tells what a process before this one noted to be told if it did not come to its end.
    pub async fn tell_undos_left_behind(&self) -> Result<(), StoreError> {
        for event in self.store.undos().await? {
            tracing::warn!(
                correlation = event.correlation_id,
                event = event.event_id,
                "left unfinished before; {}",
                event.kind()
            );
            self.store
                .tell_undo(&event, &Place::new().to_string())
                .await?;
        }
        Ok(())
    }

    /// Calls, then everything else in one transaction. If either fails, what was noted to undo it is told.
    async fn perform(
        &self,
        opening: Opening<'_>,
        effects: Vec<Effect>,
        correlation: &Correlation,
    ) -> Result<Written, Rejected> {
        let connection = self.connections.hold().await;
        let _connection = connection.map_err(|NoneFree| Rejected::NoConnection)?;
        let mut undos = Vec::new();
        let done = match self.consult(effects, &mut undos, correlation).await {
            Ok(writes) => self.write(opening, writes, &undos, correlation).await,
            Err(why) => Err(why),
        };
        if done.is_err() {
            for event in undos {
                // If the database fails now, the note is still in it and is found at the next start.
                let place = correlation.place().child().to_string();
                if let Err(why) = self.store.tell_undo(&event, &place).await {
                    tracing::error!(event = event.event_id, "not told: {}: {why}", event.kind());
                }
            }
        }
        self.committed.notify_one();
        done
    }

    async fn stored(&self, resource: &Resource, id: i64) -> Result<Row, Rejected> {
        let found = self.store.get(&resource.table, id).await?;
        found.ok_or(Rejected::NotFound)
    }

    /// The newest row with this value in this field.
    async fn last_with(
        &self,
        resource: &Resource,
        (field, value): (&String, &Value),
    ) -> Result<Option<Row>, Rejected> {
        let mut transaction = self.store.begin().await?;
        let found = transaction.find(&resource.table, field, value).await?;
        Ok(found.into_iter().next_back())
    }

    fn event(&self, news: &News, correlation: &Correlation) -> Event {
        Event::new(news, correlation.as_str(), Timestamp::now())
    }

    fn resource(&self, collection: &str) -> &Resource {
        let found = self
            .resources
            .iter()
            .find(|resource| resource.relation.many == collection);
        found.expect("a service reads and writes collections of its own")
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
