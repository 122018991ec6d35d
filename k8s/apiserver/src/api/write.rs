//! write — create, replace and patch. Each is one step under the store's lock: read, decide, commit.

use super::{
    Api, Call,
    addresses::{self, Taken},
    admission,
    call::Strictness,
    inject, parsed, warned,
};
use crate::{
    access::check_escalation,
    clock::stamp,
    kinds::{self, Map},
    names,
    patch::{self, Patch},
    refusal::Refusal,
    store::{Key, Next, Objects},
};
use axum::{http::StatusCode, response::Response};
use serde_json::{Value, json};

/// Metadata that clients cannot change.
const SERVER_METADATA: [&str; 8] = [
    "uid",
    "name",
    "namespace",
    "creationTimestamp",
    "deletionTimestamp",
    "deletionGracePeriodSeconds",
    "generation",
    "resourceVersion",
];

impl Api {
    pub fn create(&self, call: &Call, body: Value) -> Result<Response, Refusal> {
        let (object, warnings) = self.decoded(call, &body)?;
        let object = self.stamped(call, object)?;
        let name = object["metadata"]["name"]
            .as_str()
            .unwrap_or("")
            .to_string();
        let key = Key::new(call.kind.plural, &call.namespace, &name);
        if call.kind.kind == "Event" {
            self.forget_old_events();
        }
        let (object, ()) = self.store.update(&key, |current, objects| {
            check_namespace(call, &name, objects)?;
            let mut object = object;
            check_escalation(call, None, &object, objects)?;
            admission::admit(call, &mut object, objects)?;
            let mut object = self.completed(call, object, None, objects)?;
            if call.kind.kind == "Pod" {
                let namespace = objects.get(&Key::new("namespaces", "", &call.namespace));
                inject::side_car(&mut object, namespace.map_or(&Value::Null, |n| n.as_ref()));
            }
            if current.is_some() {
                return Err(Refusal::already_exists(call.kind, &name));
            }
            Ok((unless_dry(call, Next::Put(object)), ()))
        })?;
        Ok(warned(
            self.show(call, StatusCode::CREATED, &object),
            &warnings,
        ))
    }

    pub fn replace(&self, call: &Call, body: Value) -> Result<Response, Refusal> {
        let (proposed, warnings) = self.decoded(call, &body)?;
        let (object, ()) = self.store.update(&call.key(), |current, objects| {
            let current = current.ok_or_else(|| call.not_found())?;
            let next = self.revised(call, current, proposed, objects)?;
            Ok((unless_dry(call, next), ()))
        })?;
        Ok(warned(self.show(call, StatusCode::OK, &object), &warnings))
    }

    pub fn patch(&self, call: &Call, body: &[u8]) -> Result<Response, Refusal> {
        let patch = Patch::read(call, parsed(body)?)?;
        if let Patch::Apply(apply) = &patch
            && call.subresource.is_empty()
            && self.store.get(&call.key()).is_none()
        {
            return self.create(call, apply.onto(None, &stamp(self.clock.now()))?);
        }
        let (object, warnings) = self.store.update(&call.key(), |current, objects| {
            let current = current.ok_or_else(|| call.not_found())?;
            let patched = patch.onto(&call.kind.shown(current), &stamp(self.clock.now()))?;
            let (proposed, warnings) = self.decoded(call, &patched)?;
            let next = self.revised(call, current, proposed, objects)?;
            Ok::<_, Refusal>((unless_dry(call, next), warnings))
        })?;
        Ok(warned(self.show(call, StatusCode::OK, &object), &warnings))
    }

    /// The body as the call's kind, and what to warn of.
    fn decoded(&self, call: &Call, body: &Value) -> Result<(Value, Vec<String>), Refusal> {
        let decoded = call.kind.decode(body)?;
        let mut unknown = decoded
            .unknown
            .iter()
            .map(|path| format!("unknown field \"{path}\""));
        let warnings = match call.strictness() {
            Strictness::Ignore => vec![],
            Strictness::Warn => unknown.collect(),
            Strictness::Refuse if decoded.unknown.is_empty() => vec![],
            Strictness::Refuse => {
                let first = unknown.next().into_iter();
                let all: Vec<String> = first.chain(unknown).collect();
                let why = format!("strict decoding error: {}", all.join(", "));
                return Err(call.kind.cannot_handle(&why));
            }
        };
        check_address(call, &decoded.object)?;
        Ok((decoded.object, warnings))
    }

    /// What the server itself says about a new object.
    fn stamped(&self, call: &Call, mut object: Value) -> Result<Value, Refusal> {
        let metadata = metadata_mut(&mut object);
        if metadata.get("resourceVersion").is_some_and(|v| *v != "") {
            return Err(Refusal::bad_request(
                "resourceVersion should not be set on objects to be created",
            ));
        }
        if metadata.get("name").is_none_or(|name| *name == "")
            && let Some(prefix) = metadata
                .get("generateName")
                .and_then(Value::as_str)
                .filter(|p| !p.is_empty())
        {
            let name = names::generate(prefix);
            metadata.insert("name".into(), json!(name));
        }
        for field in [
            "resourceVersion",
            "deletionTimestamp",
            "deletionGracePeriodSeconds",
            "selfLink",
            "generation",
        ] {
            metadata.shift_remove(field);
        }
        if call.kind.namespaced {
            metadata.insert("namespace".into(), json!(call.namespace));
        }
        metadata.insert("uid".into(), json!(names::uid()));
        metadata.insert("creationTimestamp".into(), json!(stamp(self.clock.now())));
        if call.kind.generation {
            metadata.insert("generation".into(), json!(1));
        }
        // A kubelet announces its node together with its status.
        if call.kind.keeps_status_apart() && call.kind.kind != "Node" {
            object.as_object_mut().map(|o| o.shift_remove("status"));
        }
        if call.kind.kind == "Namespace" {
            object["spec"]["finalizers"] = json!(["kubernetes"]);
            object["status"] = json!({"phase": "Active"});
        }
        Ok(object)
    }

    /// Defaults, addresses and checks.
    fn completed(
        &self,
        call: &Call,
        mut object: Value,
        before: Option<&Value>,
        objects: &Objects,
    ) -> Result<Value, Refusal> {
        call.kind.complete(&mut object);
        if let (Some(before), "Service") = (before, call.kind.kind) {
            addresses::carry_over(before, &mut object);
        }
        let mut problems = call.kind.problems(&object);
        if let Some(before) = before {
            problems.extend(call.kind.problems_of_change(before, &object));
        }
        if !problems.is_empty() {
            let name = object["metadata"]["name"].as_str().unwrap_or("");
            return Err(Refusal::invalid(
                call.kind.kind,
                call.kind.group,
                name,
                &problems,
            ));
        }
        if call.kind.kind == "Service" {
            let taken = Taken::by_others(objects, &object["metadata"]["uid"]);
            addresses::assign(&mut object, before, self.service_prefix, taken)?;
        }
        Ok(object)
    }

    /// What becomes of `current` when a client wants it to be `proposed`.
    fn revised(
        &self,
        call: &Call,
        current: &Value,
        proposed: Value,
        objects: &Objects,
    ) -> Result<Next, Refusal> {
        check_version(call, current, &proposed)?;
        let mut next = match call.subresource.as_str() {
            "status" => with_part(current, &proposed, "status"),
            "finalize" => with_finalizers(current, &proposed),
            _ => {
                let next = self.kept(call, current, proposed);
                check_escalation(call, Some(current), &next, objects)?;
                self.completed(call, next, Some(current), objects)?
            }
        };
        if !call.applies() {
            patch::release_changed(current, &mut next);
        }
        if call.kind.generation && specification(call, &next) != specification(call, current) {
            let generation = current["metadata"]["generation"].as_i64().unwrap_or(0) + 1;
            next["metadata"]["generation"] = json!(generation);
        }
        Ok(match is_finished(&next) {
            true => Next::Remove(next),
            false => Next::Put(next),
        })
    }

    /// `proposed` with everything that is not the client's to change taken from `current`.
    fn kept(&self, call: &Call, current: &Value, mut proposed: Value) -> Value {
        let metadata = metadata_mut(&mut proposed);
        for field in SERVER_METADATA {
            match current["metadata"].get(field) {
                Some(value) => metadata.insert(field.into(), value.clone()),
                None => metadata.shift_remove(field),
            };
        }
        if let Some(fields) = current["metadata"].get("managedFields") {
            kinds::put_default(metadata, "managedFields", fields.clone());
        }
        if call.kind.keeps_status_apart() {
            proposed = with_part(&proposed, current, "status");
        }
        if call.kind.kind == "Namespace" {
            proposed = with_part(&proposed, current, "spec");
        }
        proposed
    }
}

fn metadata_mut(object: &mut Value) -> &mut Map {
    if !object["metadata"].is_object() {
        object["metadata"] = json!({});
    }
    object["metadata"]
        .as_object_mut()
        .expect("it was just made an object")
}

/// `object` with one of its parts as `other` has it.
fn with_part(object: &Value, other: &Value, part: &str) -> Value {
    let mut next = object.clone();
    match (other.get(part), next.as_object_mut()) {
        (Some(value), _) => next[part] = value.clone(),
        (None, Some(next)) => {
            next.shift_remove(part);
        }
        (None, None) => {}
    }
    next
}

fn with_finalizers(current: &Value, proposed: &Value) -> Value {
    let mut next = current.clone();
    match proposed["spec"].get("finalizers") {
        Some(finalizers) => next["spec"]["finalizers"] = finalizers.clone(),
        None => {
            next["spec"]
                .as_object_mut()
                .map(|spec| spec.shift_remove("finalizers"));
        }
    }
    next
}

/// What `generation` counts changes of: the `spec`; of a Deployment the annotations too, as the real server has it; of a slice, which
/// has no `spec`, all but its metadata.
fn specification(call: &Call, object: &Value) -> Value {
    match call.kind.kind {
        "EndpointSlice" => with_part(object, &json!({}), "metadata"),
        "Deployment" => json!([object["spec"], object["metadata"]["annotations"]]),
        _ => object["spec"].clone(),
    }
}

/// An object that is being deleted goes when nothing holds it any more.
pub fn is_finished(object: &Value) -> bool {
    let metadata = &object["metadata"];
    let holds = |finalizers: &Value| finalizers.as_array().is_some_and(|f| !f.is_empty());
    let is_namespace = object["kind"] == "Namespace";
    metadata["deletionTimestamp"].is_string()
        && metadata["deletionGracePeriodSeconds"].as_i64().unwrap_or(0) == 0
        && !holds(&metadata["finalizers"])
        && !(is_namespace && holds(&object["spec"]["finalizers"]))
}

fn unless_dry(call: &Call, next: Next) -> Next {
    match next {
        Next::Put(object) | Next::Remove(object) if call.is_dry_run() => Next::Show(object),
        next => next,
    }
}

/// Name and namespace of a body agree with the path.
fn check_address(call: &Call, object: &Value) -> Result<(), Refusal> {
    let given = |field: &str| object["metadata"][field].as_str().unwrap_or("").to_string();
    let (name, namespace) = (given("name"), given("namespace"));
    if !call.name.is_empty() && !name.is_empty() && name != call.name {
        return Err(Refusal::bad_request(format!(
            "the name of the object ({name}) does not match the name on the URL ({})",
            call.name
        )));
    }
    if call.kind.namespaced && !namespace.is_empty() && namespace != call.namespace {
        return Err(Refusal::bad_request(format!(
            "the namespace of the provided object does not match the namespace sent on the request ({namespace} is not {})",
            call.namespace
        )));
    }
    Ok(())
}

/// Whoever names a version or uid means that one.
fn check_version(call: &Call, current: &Value, proposed: &Value) -> Result<(), Refusal> {
    let given = |field: &str| {
        proposed["metadata"][field]
            .as_str()
            .filter(|text| !text.is_empty())
    };
    if given("resourceVersion")
        .is_some_and(|version| current["metadata"]["resourceVersion"] != version)
    {
        return Err(Refusal::stale(call.kind, &call.name));
    }
    if let Some(uid) = given("uid").filter(|uid| current["metadata"]["uid"] != *uid) {
        let actual = current["metadata"]["uid"].as_str().unwrap_or("");
        let why = format!(
            "Precondition failed: UID in precondition: {uid}, UID in object meta: {actual}"
        );
        return Err(Refusal::conflict(call.kind, &call.name, &why));
    }
    Ok(())
}

/// Objects go into namespaces that exist and are not on their way out.
fn check_namespace(call: &Call, name: &str, objects: &Objects) -> Result<(), Refusal> {
    if !call.kind.namespaced {
        return Ok(());
    }
    let namespaces = kinds::known("namespaces");
    let namespace = objects
        .get(&Key::new("namespaces", "", &call.namespace))
        .ok_or_else(|| Refusal::not_found(namespaces, &call.namespace))?;
    if namespace["metadata"]["deletionTimestamp"].is_null() {
        return Ok(());
    }
    let why = format!(
        "unable to create new content in namespace {} because it is being terminated",
        call.namespace
    );
    Err(Refusal::forbidden(call.kind, name, &why))
}
