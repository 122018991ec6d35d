//! effect — what a service wants done, as values. Domain functions return them; [`crate::service`] has them performed.

use crate::shape::{Fields, fields_of};
use serde::Serialize;
use serde_json::Value;

/// One thing to be done because of a request or an event. Calls are made first; if all succeed, everything else is written in one
/// transaction, and events leave when that is committed. If a call fails, nothing is written.
#[derive(Clone, Debug, PartialEq)]
pub enum Effect {
    /// Ask another service, and give up if it does not agree.
    Call(Call),
    /// Tell everybody what happened.
    Publish(News),
    /// Store a new row in one of the service's own collections.
    Save {
        /// The collection's name.
        collection: &'static str,
        /// The new row.
        fields: Fields,
    },
    /// Change the rows of a collection in which `field` holds `value`.
    Change {
        /// The collection's name.
        collection: &'static str,
        /// The field that chooses the rows.
        field: &'static str,
        /// Its value in them.
        value: Value,
        /// What is to be different.
        set: Fields,
    },
}

/// A request to another service that has to be answered before anything is stored.
#[derive(Clone, Debug, PartialEq)]
pub struct Call {
    /// The service's name: the host name, unless `<CALLEE>_URL` says otherwise.
    pub callee: &'static str,
    /// The path, from `/`.
    pub path: String,
    /// The JSON to post.
    pub body: Value,
}

/// An event to be published.
#[derive(Clone, Debug, PartialEq)]
pub struct News {
    /// The business key: events of one key stay in order.
    pub key: String,
    /// The event's own fields, `eventType` among them.
    pub fields: Fields,
}

impl Effect {
    /// Store a new row.
    pub fn save(collection: &'static str, row: &impl Serialize) -> Effect {
        Effect::Save {
            collection,
            fields: fields_of(row),
        }
    }

    /// Change rows chosen by one field.
    pub fn change(
        collection: &'static str,
        field: &'static str,
        value: impl Into<Value>,
        set: Value,
    ) -> Effect {
        Effect::Change {
            collection,
            field,
            value: value.into(),
            set: fields_of(&set),
        }
    }

    /// Publish an event: a variant of an enum tagged with `eventType`.
    pub fn publish(key: impl ToString, event: &impl Serialize) -> Effect {
        Effect::Publish(News {
            key: key.to_string(),
            fields: fields_of(event),
        })
    }
}

impl Call {
    /// A POST of `body` to `path` of the service `callee`.
    pub fn post(callee: &'static str, path: impl Into<String>, body: &impl Serialize) -> Call {
        Call {
            callee,
            path: path.into(),
            body: Value::Object(fields_of(body)),
        }
    }
}

impl From<Call> for Effect {
    fn from(call: Call) -> Effect {
        Effect::Call(call)
    }
}
