//! workloads — Deployments, ReplicaSets, Jobs and what guards them, one line each.

use super::{AGE, Column, NAME, NONE, age, column, items, joined, labels, number, text, wide};
use crate::selector::Selector;
use serde_json::{Value, json};

const CONTAINERS: Column = wide("Containers", |object, _| of_containers(object, "name"));
const IMAGES: Column = wide("Images", |object, _| of_containers(object, "image"));
const SELECTOR: Column = wide("Selector", |object, _| match &object["spec"]["selector"] {
    selector if selector["matchExpressions"].is_null() => labels(&selector["matchLabels"]),
    selector => json!(Selector::of_object(selector).to_string()),
});

fn of_containers(object: &Value, field: &str) -> Value {
    let containers = items(&object["spec"]["template"]["spec"], "containers");
    joined(containers.filter_map(|c| c[field].as_str()))
}

pub const DEPLOYMENT: &[Column] = &[
    NAME,
    column("Ready", |d, _| {
        json!(format!(
            "{}/{}",
            number(&d["status"]["readyReplicas"]),
            number(&d["spec"]["replicas"])
        ))
    }),
    column("Up-to-date", |d, _| {
        json!(number(&d["status"]["updatedReplicas"]))
    }),
    column("Available", |d, _| {
        json!(number(&d["status"]["availableReplicas"]))
    }),
    AGE,
    CONTAINERS,
    IMAGES,
    SELECTOR,
];

pub const REPLICA_SET: &[Column] = &[
    NAME,
    column("Desired", |r, _| json!(number(&r["spec"]["replicas"]))),
    column("Current", |r, _| json!(number(&r["status"]["replicas"]))),
    column("Ready", |r, _| json!(number(&r["status"]["readyReplicas"]))),
    AGE,
    CONTAINERS,
    IMAGES,
    SELECTOR,
];

pub const JOB: &[Column] = &[
    NAME,
    column("Status", |job, _| json!(job_status(job))),
    column("Completions", |job, _| json!(completions(job))),
    column(
        "Duration",
        |job, now| match &job["status"]["completionTime"] {
            Value::Null if job["status"]["startTime"].is_null() => json!(""),
            Value::Null => age::since(&job["status"]["startTime"], now),
            end => json!(age::between(&job["status"]["startTime"], end)),
        },
    ),
    AGE,
    CONTAINERS,
    IMAGES,
    SELECTOR,
];

pub const CRON_JOB: &[Column] = &[
    NAME,
    column("Schedule", |job, _| job["spec"]["schedule"].clone()),
    column("Timezone", |job, _| {
        json!(text(&job["spec"]["timeZone"], NONE))
    }),
    column("Suspend", |job, _| {
        json!(if job["spec"]["suspend"] == true {
            "True"
        } else {
            "False"
        })
    }),
    column("Active", |job, _| {
        json!(items(&job["status"], "active").count())
    }),
    column("Last Schedule", |job, now| {
        match &job["status"]["lastScheduleTime"] {
            Value::Null => json!(NONE),
            last => age::since(last, now),
        }
    }),
    AGE,
];

fn job_status(job: &Value) -> &'static str {
    let is = |condition: &str| {
        items(&job["status"], "conditions").any(|c| c["type"] == condition && c["status"] == "True")
    };
    if is("Complete") {
        "Complete"
    } else if is("Failed") {
        "Failed"
    } else if job["metadata"]["deletionTimestamp"].is_string() {
        "Terminating"
    } else if is("Suspended") {
        "Suspended"
    } else if is("FailureTarget") {
        "FailureTarget"
    } else if is("SuccessCriteriaMet") {
        "SuccessCriteriaMet"
    } else {
        "Running"
    }
}

fn completions(job: &Value) -> String {
    let done = number(&job["status"]["succeeded"]);
    match (
        job["spec"]["completions"].as_i64(),
        number(&job["spec"]["parallelism"]),
    ) {
        (Some(wanted), _) => format!("{done}/{wanted}"),
        (None, workers) if workers > 1 => format!("{done}/1 of {workers}"),
        (None, _) => format!("{done}/1"),
    }
}

pub const POD_DISRUPTION_BUDGET: &[Column] = &[
    NAME,
    column("Min Available", |b, _| {
        or_not_available(&b["spec"]["minAvailable"])
    }),
    column("Max Unavailable", |b, _| {
        or_not_available(&b["spec"]["maxUnavailable"])
    }),
    column("Allowed Disruptions", |b, _| {
        json!(number(&b["status"]["disruptionsAllowed"]))
    }),
    AGE,
];

fn or_not_available(value: &Value) -> Value {
    match value {
        Value::Null => json!("N/A"),
        Value::String(text) => json!(text),
        number => json!(number.to_string()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_job_shows_how_far_it_is() {
        let mut job =
            json!({"spec": {"completions": 3, "parallelism": 1}, "status": {"succeeded": 1}});
        assert_eq!(
            (job_status(&job), completions(&job)),
            ("Running", "1/3".into())
        );
        job["status"]["conditions"] = json!([{"type": "Failed", "status": "True"}]);
        assert_eq!(job_status(&job), "Failed");
    }
}
