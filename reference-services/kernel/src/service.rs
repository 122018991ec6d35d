//! service — the definition of a service: its collections, what it does when they change, what it does on events.

use crate::asked::Asked;
use crate::edge::Fallback;
use crate::effect::Effect;
use crate::event::Event;
use crate::hal::Relation;
use crate::shape::{Fields, Shape, fields_of, typed};
use crate::store::Table;
use http::Method;
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::{fmt, io};

/// A service, as data: nothing runs until it is given to [`crate::serve::start`].
pub struct Service {
    pub(crate) name: &'static str,
    pub(crate) topic: &'static str,
    pub(crate) resources: Vec<Resource>,
    pub(crate) operations: Vec<Operation>,
    pub(crate) callees: Vec<&'static str>,
    pub(crate) fallbacks: Vec<(&'static str, Fallback)>,
    pub(crate) listener: Option<Listener>,
    pub(crate) ports: BTreeMap<&'static str, Arc<Adapter>>,
    pub(crate) routes: Vec<(&'static str, &'static str)>,
    pub(crate) pages: Vec<(&'static str, &'static str)>,
    pub(crate) otherwise: Option<&'static str>,
    pub(crate) has_cors: bool,
    pub(crate) is_patient: bool,
}

/// A collection of resources of type `T`, stored and served under its name.
pub struct Collection<T> {
    relation: Relation,
    indexes: Vec<&'static str>,
    is_internal: bool,
    one_per: Option<&'static str>,
    completing: fn(T) -> T,
    revising: Box<Revising<T>>,
    remains: Option<fn(T) -> T>,
    on_create: Box<Hook<T>>,
    on_update: Box<ChangeHook<T>>,
    on_delete: fn(i64, &T) -> Vec<Effect>,
}

/// A collection whose type is forgotten: what the kernel works with.
pub(crate) struct Resource {
    pub relation: Relation,
    pub is_internal: bool,
    pub one_per: Option<&'static str>,
    pub table: Table,
    pub complete: Box<Complete>,
    pub revise: Box<Revise>,
    pub remains: Option<Box<Complete>>,
    pub check: fn(&Fields) -> Result<Fields, serde_json::Error>,
    pub on_create: Box<Hook<Fields>>,
    pub on_update: Box<ChangeHook<Fields>>,
    pub on_delete: Box<Hook<Fields>>,
}

/// What a service does on a request that is not about a collection.
pub(crate) struct Operation {
    pub method: Method,
    pub path: &'static str,
    pub handle: Box<Answering>,
}

type Answering = dyn Fn(&Asked) -> Vec<Effect> + Send + Sync;
type Hook<T> = dyn Fn(i64, &T) -> Vec<Effect> + Send + Sync;
type ChangeHook<T> = dyn Fn(i64, &T, &T) -> Vec<Effect> + Send + Sync;
type Revising<T> = dyn Fn(&T, T) -> T + Send + Sync;
type Revise = dyn Fn(&Fields, &Fields) -> Result<Fields, serde_json::Error> + Send + Sync;
type Complete = dyn Fn(&Fields) -> Result<Fields, serde_json::Error> + Send + Sync;
type Decide = dyn Fn(&Event) -> Result<Vec<Effect>, serde_json::Error> + Send + Sync;

/// Takes what a service hands out through one of its ports.
pub(crate) type Adapter = dyn Fn(&Value) -> io::Result<()> + Send + Sync;

/// What a service does on an event.
pub(crate) struct Listener(pub Box<Decide>);

impl Service {
    /// A service that does nothing yet. The name is its host name, its consumer group and the name in its log lines.
    pub fn new(name: &'static str) -> Service {
        Service {
            name,
            topic: "events",
            resources: vec![],
            operations: vec![],
            callees: vec![],
            fallbacks: vec![],
            listener: None,
            ports: BTreeMap::new(),
            routes: vec![],
            pages: vec![],
            otherwise: None,
            has_cors: false,
            is_patient: false,
        }
    }

    /// Names the topic its events go to and come from, unless `KAFKA_TOPIC` does.
    pub fn topic(mut self, topic: &'static str) -> Service {
        self.topic = topic;
        self
    }

    /// Stores and serves a collection.
    pub fn collection<T>(mut self, collection: Collection<T>) -> Service
    where
        T: Serialize + DeserializeOwned + Default + 'static,
    {
        self.resources.push(collection.into_resource());
        self
    }

    /// Answers requests to a path of its own, in which `{name}` stands for a parameter. The path must not be one of a collection's.
    pub fn operation(
        mut self,
        method: Method,
        path: &'static str,
        handle: impl Fn(&Asked) -> Vec<Effect> + Send + Sync + 'static,
    ) -> Service {
        self.operations.push(Operation {
            method,
            path,
            handle: Box::new(handle),
        });
        self
    }

    /// Answers every web page, whatever server it came from, cookies included: the reports' `allowedOrigins: "*"` with
    /// `allowCredentials: true` **\[S\]**. The origin is echoed, since browsers take no `*` together with credentials.
    pub fn cors(mut self) -> Service {
        self.has_cors = true;
        self
    }

    /// Names a service that this one calls.
    pub fn calls(mut self, callee: &'static str) -> Service {
        self.callees.push(callee);
        self
    }

    /// What is answered in a callee's place when it does not answer well, or is not asked because its breaker is open: Feign's
    /// `fallback`. It counts only with `FEIGN_HYSTRIX_ENABLED=true`; without one the request fails.
    pub fn fallback(mut self, callee: &'static str, fallback: Fallback) -> Service {
        self.fallbacks.push((callee, fallback));
        self
    }

    /// Handles events, each once. `E` is an enum tagged with `eventType`; kinds of no interest need a variant with `#[serde(other)]`.
    pub fn on_event<E: DeserializeOwned + 'static>(
        mut self,
        handle: impl Fn(&E) -> Vec<Effect> + Send + Sync + 'static,
    ) -> Service {
        self.listener = Some(Listener(Box::new(move |event| Ok(handle(&event.read()?)))));
        self
    }

    /// Opens a port to the world beside HTTP and events: what [`Effect::Deliver`] hands out goes to this adapter, which may block. The
    /// domain names the port; which adapter it is, the environment chooses.
    pub fn port(
        mut self,
        name: &'static str,
        adapter: impl Fn(&Value) -> io::Result<()> + Send + Sync + 'static,
    ) -> Service {
        self.ports.insert(name, Arc::new(adapter));
        self
    }

    /// Passes every request below `prefix` on to another service.
    pub fn route(mut self, prefix: &'static str, to: &'static str) -> Service {
        self.routes.push((prefix, to));
        self.calls(to)
    }

    /// Passes every request that nothing else answers on to another service.
    pub fn otherwise(mut self, to: &'static str) -> Service {
        self.otherwise = Some(to);
        self.calls(to)
    }

    /// Tries an event again until the services it calls answer, and lets those behind it wait. Without this it is left aside after the
    /// third try, as one is whose failure has another cause.
    pub fn patient(mut self) -> Service {
        self.is_patient = true;
        self
    }

    /// Serves an HTML page at `path`.
    pub fn page(mut self, path: &'static str, html: &'static str) -> Service {
        self.pages.push((path, html));
        self
    }
}

impl<T> Collection<T> {
    /// A collection named `many`, of which one is a `one`: `rooms`, `room`.
    pub fn new(many: &'static str, one: &'static str) -> Collection<T> {
        Collection {
            relation: Relation { many, one },
            indexes: vec![],
            is_internal: false,
            one_per: None,
            completing: |row| row,
            revising: Box::new(|_, is| is),
            remains: None,
            on_create: Box::new(|_, _| vec![]),
            on_update: Box::new(|_, _, _| vec![]),
            on_delete: |_, _| vec![],
        }
    }

    /// Finds rows by this field quickly, however many there are: for a field that effects look at or change by, again and again.
    pub fn index(mut self, field: &'static str) -> Collection<T> {
        self.indexes.push(field);
        self
    }

    /// Keeps the collection to the service: stored, but not served.
    pub fn internal(mut self) -> Collection<T> {
        self.is_internal = true;
        self
    }

    /// What is filled in before a new row is stored, whatever the request said.
    pub fn completing(mut self, complete: fn(T) -> T) -> Collection<T> {
        self.completing = complete;
        self
    }

    /// What a changed row becomes before it is stored: given what it was, and what the request made of it.
    pub fn revising(
        mut self,
        revise: impl Fn(&T, T) -> T + Send + Sync + 'static,
    ) -> Collection<T> {
        self.revising = Box::new(revise);
        self
    }

    /// Keeps deleted rows, as this: a deletion is then a change, with the effects of one.
    pub fn remains(mut self, deleted: fn(T) -> T) -> Collection<T> {
        self.remains = Some(deleted);
        self
    }

    /// Has one row for each value of this field: a request that would create another changes the one there is. Rows that events store
    /// are the domain's business.
    pub fn one_per(mut self, field: &'static str) -> Collection<T> {
        self.one_per = Some(field);
        self.indexes.push(field);
        self
    }

    /// What has to happen for a row to be created.
    pub fn on_create(
        mut self,
        effects: impl Fn(i64, &T) -> Vec<Effect> + Send + Sync + 'static,
    ) -> Collection<T> {
        self.on_create = Box::new(effects);
        self
    }

    /// What has to happen for a row to change: its id, what it was and what it will be.
    pub fn on_update(
        mut self,
        effects: impl Fn(i64, &T, &T) -> Vec<Effect> + Send + Sync + 'static,
    ) -> Collection<T> {
        self.on_update = Box::new(effects);
        self
    }

    /// What has to happen for a row to be deleted.
    pub fn on_delete(mut self, effects: fn(i64, &T) -> Vec<Effect>) -> Collection<T> {
        self.on_delete = effects;
        self
    }
}

impl<T: Serialize + DeserializeOwned + Default + 'static> Collection<T> {
    fn into_resource(self) -> Resource {
        let shape = Shape::of::<T>();
        let Collection {
            relation,
            indexes,
            is_internal,
            one_per,
            completing,
            revising,
            remains,
            on_create,
            on_update,
            on_delete,
        } = self;
        for field in &indexes {
            assert!(
                shape.kind(field).is_some(),
                "{}: {field} is not one of its fields",
                relation.many
            );
        }
        Resource {
            relation,
            is_internal,
            one_per,
            table: Table {
                name: relation.many,
                shape,
                indexes,
            },
            complete: Box::new(move |fields| Ok(fields_of(&completing(typed(fields)?)))),
            revise: Box::new(move |was, is| {
                Ok(fields_of(&revising(&stored(was), typed::<T>(is)?)))
            }),
            remains: remains.map(|remains| -> Box<Complete> {
                Box::new(move |was| Ok(fields_of(&remains(typed(was)?))))
            }),
            check: |fields| Ok(fields_of(&typed::<T>(fields)?)),
            on_create: Box::new(move |id, row| on_create(id, &stored(row))),
            on_update: Box::new(move |id, old, new| on_update(id, &stored(old), &stored(new))),
            on_delete: Box::new(move |id, row| on_delete(id, &stored(row))),
        }
    }
}

fn stored<T: DeserializeOwned>(fields: &Fields) -> T {
    typed(fields).expect("what is stored was written from this type")
}

impl fmt::Debug for Service {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} with {:?}", self.name, self.resources)
    }
}

impl fmt::Debug for Resource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.table.fmt(f)
    }
}

impl fmt::Debug for Operation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.method, self.path)
    }
}

impl fmt::Debug for Listener {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Listener")
    }
}

impl<T> fmt::Debug for Collection<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.relation.fmt(f)
    }
}
