//! discovery — what the server has: groups, resources, its version, and as much of OpenAPI as kubectl looks for.

use crate::kinds::{Kind, served};
use axum::{
    http::{HeaderMap, header},
    response::{IntoResponse, Response},
};
use serde_json::{Map, Value, json};

const JSON: &str = "application/json";
const AGGREGATED: &str = "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList";
const OPENAPI_V2: &str = "application/com.github.proto-openapi.spec.v2.v1.0+protobuf";
/// The document at `path`, if it is one of these.
pub fn answer(path: &str, headers: &HeaderMap) -> Option<Response> {
    let accept = headers
        .get(header::ACCEPT)
        .and_then(|a| a.to_str().ok())
        .unwrap_or("");
    let aggregates = accept.contains("as=APIGroupDiscoveryList") && accept.contains("v=v2;");
    let parts: Vec<&str> = path.trim_matches('/').split('/').collect();
    let document = match *parts.as_slice() {
        ["version"] => version(),
        ["healthz" | "livez" | "readyz"] => return Some("ok".into_response()),
        ["api"] if aggregates => return Some(typed(AGGREGATED, &aggregated(true))),
        ["apis"] if aggregates => return Some(typed(AGGREGATED, &aggregated(false))),
        ["api"] => {
            json!({"kind": "APIVersions", "versions": ["v1"], "serverAddressByClientCIDRs": []})
        }
        ["apis"] => group_list(),
        ["api", version] => resource_list("", version)?,
        ["apis", group] => group_names().find(|name| *name == group).map(group_entry)?,
        ["apis", group, version] => resource_list(group, version)?,
        // Asked for by kubectl when a kind is unknown: an empty document makes it say so.
        ["openapi", "v2"] => {
            return Some(([(header::CONTENT_TYPE, OPENAPI_V2)], "").into_response());
        }
        ["openapi", "v3"] => openapi_index(),
        ["openapi", "v3", "api", version] => openapi("", version)?,
        ["openapi", "v3", "apis", group, version] => openapi(group, version)?,
        _ => return None,
    };
    Some(typed(JSON, &document))
}

fn typed(media_type: &'static str, document: &Value) -> Response {
    ([(header::CONTENT_TYPE, media_type)], document.to_string()).into_response()
}

fn version() -> Value {
    json!({
        "major": "1", "minor": "33", "gitVersion": "v1.33.0+embedded", "gitCommit": "", "gitTreeState": "clean",
        "buildDate": "1970-01-01T00:00:00Z", "goVersion": "", "compiler": "rustc", "platform": "linux/amd64",
    })
}

/// Groups with each of their versions, in the order in which groups first appear in the table.
fn groups() -> impl Iterator<Item = (&'static str, &'static str)> {
    let mut all: Vec<_> = served().map(|kind| (kind.group, kind.version)).collect();
    let mut names: Vec<&str> = vec![];
    for (group, _) in &all {
        if !names.contains(group) {
            names.push(group);
        }
    }
    all.sort_by_key(|(group, _)| names.iter().position(|name| name == group));
    all.dedup();
    all.into_iter()
}

/// Groups, each once, in the order of the table.
fn group_names() -> impl Iterator<Item = &'static str> {
    let mut names: Vec<_> = groups().map(|(group, _)| group).collect();
    names.dedup();
    names.into_iter()
}

/// The versions of a group, the preferred one first.
fn versions(group: &str) -> impl Iterator<Item = &'static str> {
    let own = groups().filter(move |(name, _)| *name == group);
    own.map(|(_, version)| version)
}

fn members<'a>(group: &'a str, version: &'a str) -> impl Iterator<Item = &'static Kind> + 'a {
    served().filter(move |kind| kind.group == group && kind.version == version)
}

/// What a sub-resource is read and written as: group, version, kind.
fn type_of(kind: &Kind, subresource: &str) -> (&'static str, &'static str, &'static str) {
    match subresource {
        "scale" => ("autoscaling", "v1", "Scale"),
        "eviction" => ("policy", "v1", "Eviction"),
        "binding" => ("", "v1", "Binding"),
        "token" => ("authentication.k8s.io", "v1", "TokenRequest"),
        "exec" => ("", "v1", "PodExecOptions"),
        _ => (kind.group, kind.version, kind.kind),
    }
}

fn verbs_of(subresource: &str) -> &'static [&'static str] {
    match subresource {
        "log" => &["get"],
        "exec" => &["create", "get"],
        "binding" | "eviction" | "token" => &["create"],
        "finalize" => &["update"],
        _ => &["get", "patch", "update"],
    }
}

fn categories(kind: &Kind) -> &'static [&'static str] {
    if kind.in_all { &["all"] } else { &[] }
}

fn aggregated(core: bool) -> Value {
    let groups = group_names().filter(|group| group.is_empty() == core);
    let items: Vec<Value> = groups
        .map(|group| {
            let versions = versions(group).map(|version| {
                let resources: Vec<Value> =
                    members(group, version).map(aggregated_resource).collect();
                json!({"version": version, "freshness": "Current", "resources": resources})
            });
            let versions: Vec<Value> = versions.collect();
            let mut metadata = json!({"creationTimestamp": null});
            if !core {
                metadata["name"] = json!(group);
            }
            json!({"metadata": metadata, "versions": versions})
        })
        .collect();
    json!({"kind": "APIGroupDiscoveryList", "apiVersion": "apidiscovery.k8s.io/v2", "metadata": {}, "items": items})
}

fn aggregated_resource(kind: &'static Kind) -> Value {
    let named = |(group, version, kind): (&str, &str, &str)| json!({"group": group, "version": version, "kind": kind});
    let subresources: Vec<Value> = kind
        .subresources
        .iter()
        .map(|sub| json!({"subresource": sub, "responseKind": named(type_of(kind, sub)), "verbs": verbs_of(sub)}))
        .collect();
    json!({
        "resource": kind.plural, "responseKind": named(type_of(kind, "")),
        "scope": if kind.namespaced { "Namespaced" } else { "Cluster" },
        "singularResource": kind.kind.to_lowercase(), "verbs": kind.verbs, "shortNames": kind.short,
        "categories": categories(kind), "subresources": subresources,
    })
}

fn group_entry(group: &str) -> Value {
    let version =
        |version| json!({"groupVersion": format!("{group}/{version}"), "version": version});
    let versions: Vec<Value> = versions(group).map(version).collect();
    json!({"kind": "APIGroup", "apiVersion": "v1", "name": group, "versions": versions, "preferredVersion": versions[0]})
}

fn group_list() -> Value {
    let named = group_names().filter(|group| !group.is_empty());
    let groups: Vec<Value> = named.map(group_entry).collect();
    json!({"kind": "APIGroupList", "apiVersion": "v1", "groups": groups})
}

fn resource_list(group: &str, version: &str) -> Option<Value> {
    let kinds: Vec<&Kind> = members(group, version).collect();
    let group_version = kinds.first()?.api_version();
    let resources: Vec<Value> = kinds.into_iter().flat_map(plain_resources).collect();
    Some(
        json!({"kind": "APIResourceList", "apiVersion": "v1", "groupVersion": group_version, "resources": resources}),
    )
}

fn plain_resources(kind: &'static Kind) -> impl Iterator<Item = Value> {
    let whole = json!({
        "name": kind.plural, "singularName": kind.kind.to_lowercase(), "namespaced": kind.namespaced, "kind": kind.kind,
        "verbs": kind.verbs, "shortNames": kind.short, "categories": categories(kind),
    });
    let parts = kind.subresources.iter().map(|sub| {
        let (group, version, name) = type_of(kind, sub);
        let mut part = json!({
            "name": format!("{}/{sub}", kind.plural), "singularName": "", "namespaced": kind.namespaced,
            "kind": name, "verbs": verbs_of(sub),
        });
        if group != kind.group {
            part["group"] = json!(group);
            part["version"] = json!(version);
        }
        part
    });
    std::iter::once(whole).chain(parts)
}

fn openapi_index() -> Value {
    let paths: Map<String, Value> = groups()
        .map(|(group, version)| match group {
            "" => format!("api/{version}"),
            _ => format!("apis/{group}/{version}"),
        })
        .map(|path| {
            (
                path.clone(),
                json!({"serverRelativeURL": format!("/openapi/v3/{path}?hash=1")}),
            )
        })
        .collect();
    json!({"paths": paths})
}

/// Paths without schemas: kubectl only wants to know that a kind can be patched and that fields are checked here.
fn openapi(group: &str, version: &str) -> Option<Value> {
    let base = match group {
        "" => format!("/api/{version}"),
        _ => format!("/apis/{group}/{version}"),
    };
    let options = ["dryRun", "fieldManager", "fieldValidation", "force"]
        .map(|name| json!({"name": name, "in": "query", "schema": {"type": "string"}}));
    let paths: Map<String, Value> = members(group, version)
        .map(|kind| {
            let scope = if kind.namespaced { "/namespaces/{namespace}" } else { "" };
            let patch = json!({
                "x-kubernetes-action": "patch",
                "x-kubernetes-group-version-kind": {"group": group, "version": version, "kind": kind.kind},
                "parameters": options,
                "requestBody": {"content": {"application/json-patch+json": {}, "application/merge-patch+json": {},
                    "application/strategic-merge-patch+json": {}, "application/apply-patch+yaml": {}}},
                "responses": {},
            });
            (format!("{base}{scope}/{}/{{name}}", kind.plural), json!({"patch": patch}))
        })
        .collect();
    (!paths.is_empty()).then(|| {
        json!({"openapi": "3.0.0", "info": {"title": "Kubernetes", "version": "v1.33.0"}, "paths": paths, "components": {"schemas": {}}})
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_group_is_listed_once() {
        let mut names: Vec<_> = group_names().collect();
        let count = names.len();
        names.sort();
        names.dedup();
        assert_eq!(names.len(), count);
        assert_eq!(count, 13);
    }

    #[test]
    fn a_group_prefers_its_newest_version() {
        let mesh = group_entry("networking.istio.io");
        assert_eq!(mesh["preferredVersion"]["version"], "v1");
        let list = aggregated(false);
        let items = list["items"].as_array().unwrap();
        let mesh = items
            .iter()
            .find(|item| item["metadata"]["name"] == "networking.istio.io");
        let versions: Vec<&Value> = mesh.unwrap()["versions"]
            .as_array()
            .unwrap()
            .iter()
            .map(|version| &version["version"])
            .collect();
        assert_eq!(versions, ["v1", "v1beta1", "v1alpha3"]);
    }

    #[test]
    fn a_scale_belongs_to_another_group() {
        let list = resource_list("apps", "v1").unwrap();
        let scale = list["resources"]
            .as_array()
            .unwrap()
            .iter()
            .find(|r| r["name"] == "deployments/scale")
            .unwrap();
        assert_eq!(
            (&scale["group"], &scale["kind"]),
            (&json!("autoscaling"), &json!("Scale"))
        );
    }

    #[test]
    fn what_is_not_served_is_not_listed() {
        assert!(resource_list("apps", "v1beta1").is_none());
        assert!(openapi("nope", "v1").is_none());
    }
}
