//! print — objects as rows of a table, the way kubectl shows them.

mod age;
mod autoscalers;
mod measured;
mod pods;
mod rows;
mod workloads;

use crate::{api::metadata_of, kinds::Kind};
use k8s_openapi::jiff::Timestamp;
use serde_json::{Value, json};
use std::sync::Arc;

/// A column: its heading, whether only `-o wide` shows it, and what it says of an object at a moment.
pub struct Column {
    name: &'static str,
    wide: bool,
    cell: fn(&Value, Timestamp) -> Value,
}

const fn column(name: &'static str, cell: fn(&Value, Timestamp) -> Value) -> Column {
    Column {
        name,
        wide: false,
        cell,
    }
}

const fn wide(name: &'static str, cell: fn(&Value, Timestamp) -> Value) -> Column {
    Column {
        name,
        wide: true,
        cell,
    }
}

const NAME: Column = column("Name", |object, _| object["metadata"]["name"].clone());
const AGE: Column = column("Age", |object, now| {
    age::since(&object["metadata"]["creationTimestamp"], now)
});

fn columns_of(kind: &Kind) -> &'static [Column] {
    match kind.kind {
        "Pod" => pods::POD,
        "Deployment" => workloads::DEPLOYMENT,
        "ReplicaSet" => workloads::REPLICA_SET,
        "Job" => workloads::JOB,
        "CronJob" => workloads::CRON_JOB,
        "HorizontalPodAutoscaler" => autoscalers::HORIZONTAL_POD_AUTOSCALER,
        "PodMetrics" => measured::POD_METRICS,
        "NodeMetrics" => measured::NODE_METRICS,
        "PodDisruptionBudget" => workloads::POD_DISRUPTION_BUDGET,
        "Namespace" => rows::NAMESPACE,
        "Node" => rows::NODE,
        "Service" => rows::SERVICE,
        "Endpoints" => rows::ENDPOINTS,
        "EndpointSlice" => rows::ENDPOINT_SLICE,
        "ConfigMap" => rows::CONFIG_MAP,
        "Secret" => rows::SECRET,
        "Event" => rows::EVENT,
        "PersistentVolume" => rows::PERSISTENT_VOLUME,
        "PersistentVolumeClaim" => rows::PERSISTENT_VOLUME_CLAIM,
        "StorageClass" => rows::STORAGE_CLASS,
        "Role" | "ClusterRole" => rows::ROLE,
        "RoleBinding" | "ClusterRoleBinding" => rows::ROLE_BINDING,
        "Lease" => rows::LEASE,
        "DestinationRule" => rows::DESTINATION_RULE,
        "VirtualService" => rows::VIRTUAL_SERVICE,
        _ => &[NAME, AGE],
    }
}

/// A `Table` of objects. A watch names the columns in its first table only.
pub fn table(
    kind: &Kind,
    objects: &[Arc<Value>],
    version: &str,
    with_columns: bool,
    now: Timestamp,
) -> Value {
    let columns = columns_of(kind);
    let definitions: Vec<Value> = columns
        .iter()
        .filter(|_| with_columns)
        .map(definition)
        .collect();
    let rows: Vec<Value> = objects
        .iter()
        .map(|object| {
            let cells: Vec<Value> = columns
                .iter()
                .map(|column| (column.cell)(object, now))
                .collect();
            json!({"cells": cells, "object": metadata_of(object)})
        })
        .collect();
    json!({"kind": "Table", "apiVersion": "meta.k8s.io/v1", "metadata": {"resourceVersion": version},
        "columnDefinitions": definitions, "rows": rows})
}

fn definition(column: &Column) -> Value {
    let format = if column.name == "Name" { "name" } else { "" };
    json!({"name": column.name, "type": "string", "format": format, "description": "", "priority": i32::from(column.wide)})
}

/// What kubectl shows where there is nothing.
const NONE: &str = "<none>";

fn number(value: &Value) -> i64 {
    value.as_i64().unwrap_or(0)
}

fn text<'a>(value: &'a Value, otherwise: &'a str) -> &'a str {
    value
        .as_str()
        .filter(|text| !text.is_empty())
        .unwrap_or(otherwise)
}

/// Texts with commas between them.
fn joined<'a>(texts: impl Iterator<Item = &'a str>) -> Value {
    let all: Vec<&str> = texts.collect();
    if all.is_empty() {
        json!(NONE)
    } else {
        json!(all.join(","))
    }
}

/// `a=b,c=d`.
fn labels(value: &Value) -> Value {
    let pairs: Vec<String> = value
        .as_object()
        .into_iter()
        .flatten()
        .map(|(label, text)| format!("{label}={}", text.as_str().unwrap_or("")))
        .collect();
    joined(pairs.iter().map(String::as_str))
}

fn items<'a>(value: &'a Value, field: &str) -> impl Iterator<Item = &'a Value> {
    value[field].as_array().into_iter().flatten()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kinds::{KINDS, known};

    #[test]
    fn every_kind_prints_even_when_empty() {
        let object = Arc::new(json!({"metadata": {"name": "a"}}));
        for kind in KINDS {
            let table = table(
                kind,
                std::slice::from_ref(&object),
                "7",
                true,
                Timestamp::UNIX_EPOCH,
            );
            let (columns, cells) = (&table["columnDefinitions"], &table["rows"][0]["cells"]);
            assert_eq!(
                columns.as_array().unwrap().len(),
                cells.as_array().unwrap().len(),
                "{}",
                kind.kind
            );
        }
    }

    #[test]
    fn a_service_shows_where_it_is() {
        let service = json!({"metadata": {"name": "room", "creationTimestamp": "1970-01-01T00:00:00Z"},
            "spec": {"type": "NodePort", "clusterIP": "127.2.0.1", "selector": {"app": "room"},
                "ports": [{"port": 8080, "nodePort": 30001, "protocol": "TCP"}]}});
        let now = Timestamp::from_second(90).unwrap();
        let table = table(known("services"), &[Arc::new(service)], "7", false, now);
        assert_eq!(
            table["rows"][0]["cells"],
            json!([
                "room",
                "NodePort",
                "127.2.0.1",
                "<none>",
                "8080:30001/TCP",
                "90s",
                "app=room"
            ])
        );
        assert_eq!(table["columnDefinitions"], json!([]));
    }
}
