//! effect — what a service wants done, as values. Domain functions return them; [`crate::service`] has them performed.

use crate::shape::{Fields, fields_of};
use crate::store::Row;
use serde::Serialize;
use serde_json::Value;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

/// One thing to be done because of a request or an event. Calls are made first; if all succeed, everything else is written in one
/// transaction, and events leave when that is committed. If a call fails, or something is refused, nothing is written.
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
    /// Store a new row; what follows knows its id, and is written in the same transaction. It can neither call nor look.
    Create {
        /// The collection's name.
        collection: &'static str,
        /// The new row.
        fields: Fields,
        /// What follows, given the row's id.
        then: Then<i64>,
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
    /// Change the rows of a collection in which `field` holds `value`, or store one if there is none: how a read model follows events.
    Upsert {
        /// The collection's name.
        collection: &'static str,
        /// The field that chooses the rows.
        field: &'static str,
        /// Its value in them.
        value: Value,
        /// What they are to hold. In a new row everything else has its default.
        set: Fields,
    },
    /// Ask another service, and give up if it does not agree; what follows depends on its answer: JSON, or a text that is not JSON.
    Ask {
        /// What it is asked.
        call: Call,
        /// What follows.
        then: Then<Value>,
    },
    /// Look at rows inside the transaction, as they are before it writes anything: what follows is written in the same, so nobody
    /// comes between. It cannot be a call. Where calls come after it, it is looked at before them too, and a refusal spares them.
    Look {
        /// Which rows.
        rows: Rows,
        /// What follows.
        then: Then<[Row]>,
    },
    /// Tell this if what comes after it fails or is refused, even if the process dies in the middle of it; it is noted before the
    /// next call is made. Whoever may have been called undoes on this event what was done, if anything was.
    Undo(News),
    /// Hand something to the adapter of one of the service's ports, as the last thing before the transaction is committed. If the
    /// adapter fails, nothing is written. Handed out at least once: a transaction that fails after it is tried again.
    Deliver {
        /// The port's name.
        port: &'static str,
        /// What is handed out.
        what: Value,
    },
    /// Answer with an error and write nothing. An event that is refused is tried again, then left aside.
    Refuse(Refusal),
    /// The answer of an operation. The last one counts; without one it is 200 without a body.
    Reply(Reply),
    /// Write a line to the log.
    Log(String),
    /// Take this long, by chance anything between the two, before what comes after it. It cannot be in what follows a look.
    Wait {
        /// At least.
        least: Duration,
        /// At most.
        most: Duration,
    },
}

/// A request to another service that has to be answered before anything is stored.
#[derive(Clone, Debug, PartialEq)]
pub struct Call {
    /// The service's name: the host name, unless `<CALLEE>_URL` says otherwise.
    pub callee: &'static str,
    /// The path, from `/`, with the query if there is one.
    pub path: String,
    /// The JSON to post. Null posts nothing: then it is a GET.
    pub body: Value,
}

/// What follows when something is known. Two are equal only if one is a copy of the other; tests call it: [`Then::given`].
pub struct Then<T: ?Sized>(Arc<Consequence<T>>);

type Consequence<T> = dyn Fn(&T) -> Vec<Effect> + Send + Sync;

/// The rows of a collection in which `field` holds `value`.
#[derive(Clone, Debug, PartialEq)]
pub struct Rows {
    /// The collection's name.
    pub collection: &'static str,
    /// The field that chooses the rows.
    pub field: &'static str,
    /// Its value in them.
    pub value: Value,
}

/// Why a request is not granted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    /// The HTTP status, 400 to 499.
    pub status: u16,
    /// The message in the body.
    pub message: String,
}

/// The answer of an operation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reply {
    /// The HTTP status.
    pub status: u16,
    /// The content type of the body.
    pub content_type: &'static str,
    /// The body.
    pub body: String,
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

    /// Store a new row, and go on with its id.
    pub fn create(
        collection: &'static str,
        row: &impl Serialize,
        then: impl Fn(i64) -> Vec<Effect> + Send + Sync + 'static,
    ) -> Effect {
        Effect::Create {
            collection,
            fields: fields_of(row),
            then: Then(Arc::new(move |id: &i64| then(*id))),
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

    /// Change rows chosen by one field, or store one.
    pub fn upsert(
        collection: &'static str,
        field: &'static str,
        value: impl Into<Value>,
        set: Value,
    ) -> Effect {
        Effect::Upsert {
            collection,
            field,
            value: value.into(),
            set: fields_of(&set),
        }
    }

    /// Publish an event: a variant of an enum tagged with `eventType`.
    pub fn publish(key: impl ToString, event: &impl Serialize) -> Effect {
        Effect::Publish(News::new(key, event))
    }

    /// Publish an event if what comes after this fails.
    pub fn undo(key: impl ToString, event: &impl Serialize) -> Effect {
        Effect::Undo(News::new(key, event))
    }

    /// Ask another service, and go on with its answer.
    pub fn ask(call: Call, then: impl Fn(&Value) -> Vec<Effect> + Send + Sync + 'static) -> Effect {
        Effect::Ask {
            call,
            then: Then(Arc::new(then)),
        }
    }

    /// Look at the rows of a collection in which `field` holds `value`, and go on with them.
    pub fn look(
        collection: &'static str,
        field: &'static str,
        value: impl Into<Value>,
        then: impl Fn(&[Row]) -> Vec<Effect> + Send + Sync + 'static,
    ) -> Effect {
        Effect::Look {
            rows: Rows {
                collection,
                field,
                value: value.into(),
            },
            then: Then(Arc::new(then)),
        }
    }

    /// Take this long, by chance anything between the two: `Thread.sleep((long) (400 + Math.random() * 220))` **\[S\]**.
    pub fn wait(least: Duration, most: Duration) -> Effect {
        Effect::Wait { least, most }
    }

    /// Hand something to the adapter of a port.
    pub fn deliver(port: &'static str, what: &impl Serialize) -> Effect {
        Effect::Deliver {
            port,
            what: Value::Object(fields_of(what)),
        }
    }

    /// Answer with an error.
    pub fn refuse(status: u16, message: impl Into<String>) -> Effect {
        Effect::Refuse(Refusal {
            status,
            message: message.into(),
        })
    }

    /// Answer with JSON, as small as can be.
    pub fn reply(value: &impl Serialize) -> Effect {
        Effect::Reply(Reply {
            status: 200,
            content_type: crate::hal::JSON,
            body: serde_json::to_value(value).unwrap_or_default().to_string(),
        })
    }

    /// Answer 201 with JSON, as small as can be.
    pub fn reply_created(value: &impl Serialize) -> Effect {
        match Effect::reply(value) {
            Effect::Reply(reply) => Effect::Reply(Reply {
                status: 201,
                ..reply
            }),
            other => other,
        }
    }

    /// Answer with a plain text.
    pub fn reply_text(text: impl Into<String>) -> Effect {
        Effect::Reply(Reply {
            status: 200,
            content_type: "text/plain;charset=UTF-8",
            body: text.into(),
        })
    }
}

impl News {
    fn new(key: impl ToString, event: &impl Serialize) -> News {
        News {
            key: key.to_string(),
            fields: fields_of(event),
        }
    }
}

impl Call {
    /// A GET of `path` of the service `callee`.
    pub fn get(callee: &'static str, path: impl Into<String>) -> Call {
        Call {
            callee,
            path: path.into(),
            body: Value::Null,
        }
    }

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

impl From<Refusal> for Effect {
    fn from(refusal: Refusal) -> Effect {
        Effect::Refuse(refusal)
    }
}

impl<T: ?Sized> Then<T> {
    /// What follows when this is known.
    pub fn given(&self, known: &T) -> Vec<Effect> {
        (self.0)(known)
    }
}

impl<T: ?Sized> Clone for Then<T> {
    fn clone(&self) -> Then<T> {
        Then(self.0.clone())
    }
}

impl<T: ?Sized> PartialEq for Then<T> {
    fn eq(&self, other: &Then<T>) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }
}

impl<T: ?Sized> fmt::Debug for Then<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Then")
    }
}
