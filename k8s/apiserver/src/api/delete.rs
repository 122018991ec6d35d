//! delete — who goes at once, who gets time, who is held by finalizers, and what becomes of dependents.

use super::{Api, Call, reply, write::is_finished};
use crate::{
    clock::stamp,
    kinds::{KINDS, Kind},
    refusal::Refusal,
    store::{Key, Next},
};
use axum::{http::StatusCode, response::Response};
use k8s_openapi::jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};
use std::sync::Arc;

/// Longest grace that is counted, in seconds: a day.
const GRACE_MAX: i64 = 24 * 3600;

/// What a `DeleteOptions` asks for.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Options {
    grace_seconds: Option<i64>,
    propagation: Propagation,
    uid: Option<String>,
    resource_version: Option<String>,
    dry_run: bool,
}

#[derive(Clone, Copy, Debug, Default, PartialEq)]
enum Propagation {
    /// Dependents are removed afterwards, by the garbage controller.
    #[default]
    Background,
    /// Dependents go first; a finalizer holds the owner until then.
    Foreground,
    /// Dependents stay and forget their owner.
    Orphan,
}

impl Options {
    pub fn read(call: &Call, body: &Value) -> Result<Options, Refusal> {
        let text = |value: &Value| value.as_str().filter(|t| !t.is_empty()).map(String::from);
        let policy = text(&body["propagationPolicy"])
            .or_else(|| call.option("propagationPolicy").map(String::from));
        let orphan = body["orphanDependents"] == true || call.flag("orphanDependents");
        let propagation = match policy.as_deref() {
            None if orphan => Propagation::Orphan,
            None | Some("Background") => Propagation::Background,
            Some("Foreground") => Propagation::Foreground,
            Some("Orphan") => Propagation::Orphan,
            Some(other) => {
                return Err(Refusal::bad_request(format!(
                    "invalid propagationPolicy: \"{other}\""
                )));
            }
        };
        let grace = body["gracePeriodSeconds"].as_i64();
        Ok(Options {
            grace_seconds: grace
                .or(call.number("gracePeriodSeconds")?)
                .map(|g| g.clamp(0, GRACE_MAX)),
            propagation,
            uid: text(&body["preconditions"]["uid"]),
            resource_version: text(&body["preconditions"]["resourceVersion"]),
            dry_run: call.is_dry_run() || body["dryRun"].as_array().is_some_and(|d| !d.is_empty()),
        })
    }

    fn without_preconditions(&self) -> Options {
        Options {
            uid: None,
            resource_version: None,
            ..self.clone()
        }
    }
}

/// Kinds whose last state is the answer; of others a `Status` is.
const SHOWN_WHEN_GONE: [&str; 5] = [
    "pods",
    "services",
    "persistentvolumes",
    "persistentvolumeclaims",
    "serviceaccounts",
];

impl Api {
    pub fn delete(&self, call: &Call, options: Options) -> Result<Response, Refusal> {
        let (object, gone) = self.delete_one(call.kind, &call.key(), &options)?;
        if !gone || SHOWN_WHEN_GONE.contains(&call.kind.plural) {
            return Ok(self.show(call, StatusCode::OK, &object));
        }
        let mut details =
            json!({"name": call.name, "kind": call.kind.plural, "uid": object["metadata"]["uid"]});
        if !call.kind.group.is_empty() {
            details["group"] = json!(call.kind.group);
        }
        let status = json!({"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Success", "details": details});
        Ok(reply(StatusCode::OK, &status))
    }

    pub fn delete_all(&self, call: &Call, options: Options) -> Result<Response, Refusal> {
        let selector = call.selector()?;
        let (version, mut objects) = self.store.list(call.kind.plural, call.scope());
        objects.retain(|object| selector.matches(object));
        let options = options.without_preconditions();
        let mut deleted: Vec<Value> = vec![];
        for object in objects {
            match self.delete_one(call.kind, &key_of(call.kind, &object), &options) {
                Ok((object, _)) => deleted.push(call.kind.shown(&object)),
                Err(refusal) if refusal.code == 404 => {}
                Err(refusal) => return Err(refusal),
            }
        }
        let list = json!({"kind": format!("{}List", call.kind.kind), "apiVersion": call.kind.api_version(),
            "metadata": {"resourceVersion": version.to_string()}, "items": deleted});
        Ok(reply(StatusCode::OK, &list))
    }

    /// The object as it is now, and whether it is gone.
    pub fn delete_one(
        &self,
        kind: &'static Kind,
        key: &Key,
        options: &Options,
    ) -> Result<(Arc<Value>, bool), Refusal> {
        let now = self.clock.now();
        let (object, gone) = self.store.update(key, |current, _| {
            let current = current.ok_or_else(|| Refusal::not_found(kind, &key.name))?;
            check_preconditions(kind, key, current, options)?;
            let next = decide(kind, current, options, now);
            let gone = matches!(next, Next::Remove(_));
            Ok::<_, Refusal>((
                match next {
                    Next::Put(object) | Next::Remove(object) if options.dry_run => {
                        Next::Show(object)
                    }
                    next => next,
                },
                gone,
            ))
        })?;
        if options.propagation == Propagation::Orphan && !options.dry_run {
            self.release_dependents(&key.namespace, &object["metadata"]["uid"]);
        }
        Ok((object, gone))
    }

    /// Takes the owner out of everything that refers to it.
    fn release_dependents(&self, namespace: &str, owner: &Value) {
        let refers = |reference: &Value| reference["uid"] == *owner;
        for kind in KINDS {
            let (_, objects) = self
                .store
                .list(kind.plural, kind.namespaced.then_some(namespace));
            let owned = |object: &Value| {
                object["metadata"]["ownerReferences"]
                    .as_array()
                    .is_some_and(|r| r.iter().any(refers))
            };
            for object in objects.iter().filter(|object| owned(object)) {
                // Losing the race against another writer's removal is fine: the reference is gone with the object.
                let _: Result<_, ()> = self.store.update(&key_of(kind, object), |current, _| {
                    let mut next = current.ok_or(())?.clone();
                    if let Some(metadata) = next["metadata"].as_object_mut() {
                        let references = metadata
                            .get_mut("ownerReferences")
                            .and_then(Value::as_array_mut);
                        references
                            .into_iter()
                            .for_each(|list| list.retain(|r| !refers(r)));
                        metadata.retain(|field, value| {
                            field != "ownerReferences" || *value != json!([])
                        });
                    }
                    Ok((Next::Put(next), ()))
                });
            }
        }
    }
}

/// Names an object of this kind.
pub fn key_of(kind: &'static Kind, object: &Value) -> Key {
    let text = |field: &str| object["metadata"][field].as_str().unwrap_or("");
    Key::new(kind.plural, text("namespace"), text("name"))
}

fn check_preconditions(
    kind: &Kind,
    key: &Key,
    current: &Value,
    options: &Options,
) -> Result<(), Refusal> {
    let wanted = [
        ("UID", "uid", &options.uid),
        (
            "ResourceVersion",
            "resourceVersion",
            &options.resource_version,
        ),
    ];
    for (title, field, wanted) in wanted {
        let actual = current["metadata"][field].as_str().unwrap_or("");
        if let Some(wanted) = wanted.as_deref().filter(|w| *w != actual) {
            let why = format!(
                "Precondition failed: {title} in precondition: {wanted}, {title} in object meta: {actual}"
            );
            return Err(Refusal::conflict(kind, &key.name, &why));
        }
    }
    Ok(())
}

/// What deleting makes of an object.
fn decide(kind: &Kind, current: &Value, options: &Options, now: Timestamp) -> Next {
    let mut next = current.clone();
    if options.propagation == Propagation::Foreground {
        hold(&mut next, "foregroundDeletion");
    }
    let grace = if kind.kind == "Pod" {
        pod_grace(current, options)
    } else {
        0
    };
    match current["metadata"]["deletionGracePeriodSeconds"].as_i64() {
        // Asked for before: the time left may be shortened, never prolonged.
        Some(left) if options.grace_seconds.is_none() || grace >= left => {}
        Some(left) => mark(&mut next, grace, deleted_at(current).unwrap_or(now), left),
        None => {
            mark(&mut next, grace, now, 0);
            if let Some(generation) = current["metadata"]["generation"].as_i64() {
                next["metadata"]["generation"] = json!(generation + 1);
            }
        }
    }
    if kind.kind == "Namespace" {
        next["status"]["phase"] = json!("Terminating");
    }
    match is_finished(&next) {
        true => Next::Remove(next),
        false => Next::Put(next),
    }
}

/// Seconds a pod gets to end: what is asked for, else its own; none where nothing runs.
fn pod_grace(pod: &Value, options: &Options) -> i64 {
    let placed = pod["spec"]["nodeName"]
        .as_str()
        .is_some_and(|node| !node.is_empty());
    let over = pod["status"]["phase"] == "Succeeded" || pod["status"]["phase"] == "Failed";
    if !placed || over {
        return 0;
    }
    let own = pod["spec"]["terminationGracePeriodSeconds"]
        .as_i64()
        .unwrap_or(30);
    options.grace_seconds.unwrap_or(own).clamp(0, GRACE_MAX)
}

fn deleted_at(object: &Value) -> Option<Timestamp> {
    object["metadata"]["deletionTimestamp"]
        .as_str()?
        .parse()
        .ok()
}

/// Sets the moment at which the object shall be gone: `grace` seconds after the request, which was `elapsed` before `from`.
fn mark(object: &mut Value, grace: i64, from: Timestamp, elapsed: i64) {
    let at = from
        .saturating_add(SignedDuration::from_secs(grace - elapsed))
        .unwrap_or(from);
    object["metadata"]["deletionTimestamp"] = json!(stamp(at));
    object["metadata"]["deletionGracePeriodSeconds"] = json!(grace);
}

fn hold(object: &mut Value, finalizer: &str) {
    let finalizers = &mut object["metadata"]["finalizers"];
    match finalizers.as_array_mut() {
        Some(list) if list.iter().any(|f| f == finalizer) => {}
        Some(list) => list.push(json!(finalizer)),
        None => *finalizers = json!([finalizer]),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kinds::known;

    fn now() -> Timestamp {
        "2024-05-01T00:00:00Z".parse().unwrap()
    }

    fn pod() -> Value {
        json!({"kind": "Pod", "metadata": {"generation": 1}, "spec": {"nodeName": "node-1", "terminationGracePeriodSeconds": 30}, "status": {"phase": "Running"}})
    }

    fn grace(seconds: i64) -> Options {
        Options {
            grace_seconds: Some(seconds),
            ..Options::default()
        }
    }

    fn put(next: Next) -> Value {
        match next {
            Next::Put(object) => object,
            other => panic!("not put: {other:?}"),
        }
    }

    #[test]
    fn a_running_pod_gets_its_grace() {
        let next = put(decide(known("pods"), &pod(), &Options::default(), now()));
        assert_eq!(
            next["metadata"],
            json!({"generation": 2, "deletionTimestamp": "2024-05-01T00:00:30Z", "deletionGracePeriodSeconds": 30})
        );
    }

    #[test]
    fn grace_may_be_shortened_but_not_prolonged() {
        let dying = put(decide(known("pods"), &pod(), &grace(20), now()));
        let longer = put(decide(known("pods"), &dying, &grace(60), now()));
        assert_eq!(longer, dying);
        let shorter = put(decide(known("pods"), &dying, &grace(5), now()));
        assert_eq!(
            shorter["metadata"]["deletionTimestamp"],
            "2024-05-01T00:00:05Z"
        );
        assert!(matches!(
            decide(known("pods"), &dying, &grace(0), now()),
            Next::Remove(_)
        ));
    }

    #[test]
    fn a_pod_that_is_over_or_nowhere_goes_at_once() {
        let mut over = pod();
        over["status"]["phase"] = json!("Succeeded");
        let mut nowhere = pod();
        nowhere["spec"]["nodeName"] = Value::Null;
        for pod in [over, nowhere] {
            assert!(matches!(
                decide(known("pods"), &pod, &Options::default(), now()),
                Next::Remove(_)
            ));
        }
    }

    #[test]
    fn a_finalizer_holds_what_is_deleted() {
        let held = json!({"kind": "ConfigMap", "metadata": {"finalizers": ["x/y"]}});
        let next = put(decide(
            known("configmaps"),
            &held,
            &Options::default(),
            now(),
        ));
        assert_eq!(
            next["metadata"]["deletionTimestamp"],
            "2024-05-01T00:00:00Z"
        );
        assert_eq!(next["metadata"]["deletionGracePeriodSeconds"], 0);
    }

    #[test]
    fn a_namespace_terminates_until_it_is_empty() {
        let namespace = json!({"kind": "Namespace", "metadata": {}, "spec": {"finalizers": ["kubernetes"]}, "status": {"phase": "Active"}});
        let next = put(decide(
            known("namespaces"),
            &namespace,
            &Options::default(),
            now(),
        ));
        assert_eq!(next["status"]["phase"], "Terminating");
    }

    #[test]
    fn foreground_holds_the_owner() {
        let options = Options {
            propagation: Propagation::Foreground,
            ..Options::default()
        };
        let next = put(decide(
            known("deployments"),
            &json!({"metadata": {}}),
            &options,
            now(),
        ));
        assert_eq!(
            next["metadata"]["finalizers"],
            json!(["foregroundDeletion"])
        );
    }
}
