//! watch — the changes of a resource as they come: lines of JSON, bookmarks, an end.

use super::{Api, Call, Shape};
use crate::{
    kinds::Kind,
    refusal::{Fault, Problem, Refusal},
    selector::Selector,
    store::{Change, Event},
};
use axum::{
    body::Body,
    http::header,
    response::{IntoResponse, Response},
};
use bytes::Bytes;
use futures::stream;
use serde_json::{Value, json};
use std::{collections::VecDeque, convert::Infallible, sync::Arc, time::Duration};
use tokio::{
    sync::watch::Receiver,
    time::{Instant, sleep_until},
};

/// How long a watch lasts that names no end. Real servers choose between 30 and 60 minutes.
const LASTING: Duration = Duration::from_secs(30 * 60);

/// Time between bookmarks.
const BOOKMARK_EVERY: Duration = Duration::from_secs(60);

/// The scope of a watch, apart from where it stands.
struct Scope {
    api: Api,
    kind: &'static Kind,
    namespace: String,
    selector: Selector,
    shape: Shape,
    bookmarks: bool,
}

struct Watching {
    scope: Scope,
    /// Everything up to this version has been told.
    told: u64,
    newest: Receiver<u64>,
    lines: VecDeque<Bytes>,
    end: Instant,
    next_bookmark: Instant,
    /// A table names its columns once.
    with_columns: bool,
    over: bool,
}

impl Api {
    pub fn watch(&self, call: &Call) -> Result<Response, Refusal> {
        if call.flag("sendInitialEvents") {
            return Err(no_streaming_lists());
        }
        let version = call.number("resourceVersion")?.unwrap_or(0);
        let lasting = match call.number("timeoutSeconds")? {
            Some(seconds) if seconds > 0 => Duration::from_secs(seconds as u64),
            _ => LASTING,
        };
        let mut watching = Watching {
            scope: Scope {
                api: self.clone(),
                kind: call.kind,
                namespace: call.namespace.clone(),
                selector: call.selector()?,
                shape: call.shape,
                bookmarks: call.flag("allowWatchBookmarks"),
            },
            told: version as u64,
            newest: self.store.newest(),
            lines: VecDeque::new(),
            end: Instant::now() + lasting,
            next_bookmark: Instant::now() + BOOKMARK_EVERY,
            with_columns: true,
            over: false,
        };
        if version == 0 {
            watching.tell_all(call.scope());
        }
        let lines = stream::unfold(watching, |mut watching| async move {
            let line = watching.next().await?;
            Some((Ok::<_, Infallible>(line), watching))
        });
        Ok((
            [(header::CONTENT_TYPE, "application/json")],
            Body::from_stream(lines),
        )
            .into_response())
    }
}

fn no_streaming_lists() -> Refusal {
    let text =
        "sendInitialEvents is forbidden for watch unless the WatchList feature gate is enabled";
    let problem = Problem::new("sendInitialEvents", Fault::Forbidden(text.into()));
    Refusal::invalid("ListOptions", "meta.k8s.io", "", &[problem])
}

impl Watching {
    /// The next line, or none when the watch is over.
    async fn next(&mut self) -> Option<Bytes> {
        loop {
            if let Some(line) = self.lines.pop_front() {
                return Some(line);
            }
            if self.over {
                return None;
            }
            self.catch_up();
            if self.lines.is_empty() && !self.over {
                self.wait().await;
            }
        }
    }

    /// Tells of the objects there are, for a watch that comes without a version.
    fn tell_all(&mut self, namespace: Option<&str>) {
        let (version, objects) = self.scope.api.store.list(self.scope.kind.plural, namespace);
        for object in objects {
            if self.scope.selector.matches(&object) {
                self.tell("ADDED", &object);
            }
        }
        self.told = version;
    }

    fn catch_up(&mut self) {
        let Ok((version, events)) = self.scope.api.store.since(self.told) else {
            let line = json!({"type": "ERROR", "object": Refusal::expired().status()});
            self.lines.push_back(Bytes::from(format!("{line}\n")));
            self.over = true;
            return;
        };
        self.told = version;
        for event in events {
            if let Some((change, object)) = self.scope.seen(&event) {
                self.tell(change, &object);
            }
        }
    }

    /// Until something changes, a bookmark is due or the watch ends.
    async fn wait(&mut self) {
        tokio::select! {
            changed = self.newest.changed() => self.over = changed.is_err(),
            () = sleep_until(self.end) => {
                self.bookmark();
                self.over = true;
            }
            () = sleep_until(self.next_bookmark) => {
                self.bookmark();
                self.next_bookmark += BOOKMARK_EVERY;
            }
        }
    }

    fn tell(&mut self, change: &str, object: &Arc<Value>) {
        let object =
            self.scope
                .api
                .shaped(self.scope.kind, self.scope.shape, object, self.with_columns);
        self.with_columns = false;
        let line = json!({"type": change, "object": object});
        self.lines.push_back(Bytes::from(format!("{line}\n")));
    }

    fn bookmark(&mut self) {
        if !self.scope.bookmarks {
            return;
        }
        let kind = self.scope.kind;
        let metadata = json!({"resourceVersion": self.told.to_string(), "creationTimestamp": null});
        let object =
            json!({"kind": kind.kind, "apiVersion": kind.api_version(), "metadata": metadata});
        self.tell("BOOKMARK", &Arc::new(object));
    }
}

impl Scope {
    /// What this watch sees of a change: an object that enters the selection is new, one that leaves it is gone.
    fn seen(&self, event: &Event) -> Option<(&'static str, Arc<Value>)> {
        let is_here = event.key.resource == self.kind.plural
            && (self.namespace.is_empty() || event.key.namespace == self.namespace);
        if !is_here {
            return None;
        }
        let was = event
            .before
            .as_ref()
            .is_some_and(|before| self.selector.matches(before));
        let is = event.change != Change::Deleted && self.selector.matches(&event.object);
        match (was, is) {
            (false, false) => None,
            (false, true) => Some(("ADDED", event.object.clone())),
            (true, true) => Some(("MODIFIED", event.object.clone())),
            (true, false) if event.change == Change::Deleted => {
                Some(("DELETED", event.object.clone()))
            }
            (true, false) => {
                // As it was when it was last seen, with the version at which it left.
                let mut last = event.before.as_deref().cloned().unwrap_or_default();
                last["metadata"]["resourceVersion"] = json!(event.version.to_string());
                Some(("DELETED", Arc::new(last)))
            }
        }
    }
}
