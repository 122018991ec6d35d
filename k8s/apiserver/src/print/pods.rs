//! pods — a pod in one line: how many containers are ready and what keeps the others.

use super::{AGE, Column, NAME, NONE, age, column, items, number, text, wide};
use k8s_openapi::jiff::Timestamp;
use serde_json::{Value, json};

pub const POD: &[Column] = &[
    NAME,
    column("Ready", |pod, _| json!(ready(pod))),
    column("Status", |pod, _| json!(status(pod))),
    column("Restarts", restarts),
    AGE,
    wide("IP", |pod, _| json!(text(&pod["status"]["podIP"], NONE))),
    wide("Node", |pod, _| json!(text(&pod["spec"]["nodeName"], NONE))),
    wide("Nominated Node", |pod, _| {
        json!(text(&pod["status"]["nominatedNodeName"], NONE))
    }),
    wide("Readiness Gates", |_, _| json!(NONE)),
];

fn containers(pod: &Value) -> impl Iterator<Item = &Value> {
    items(&pod["status"], "containerStatuses")
}

fn ready(pod: &Value) -> String {
    let ready = containers(pod).filter(|c| c["ready"] == true && !c["state"]["running"].is_null());
    format!(
        "{}/{}",
        ready.count(),
        items(&pod["spec"], "containers").count()
    )
}

/// Why a container is not running, if it says so.
fn trouble(container: &Value) -> Option<String> {
    let state = &container["state"];
    if let Some(reason) = state["waiting"]["reason"].as_str() {
        return Some(reason.into());
    }
    let ended = state.get("terminated").filter(|t| t.is_object())?;
    Some(match (ended["reason"].as_str(), number(&ended["signal"])) {
        (Some(reason), _) if !reason.is_empty() => reason.into(),
        (_, signal) if signal != 0 => format!("Signal:{signal}"),
        _ => format!("ExitCode:{}", number(&ended["exitCode"])),
    })
}

fn initialising(pod: &Value) -> Option<String> {
    let all = items(&pod["spec"], "initContainers").count();
    let mut statuses = items(&pod["status"], "initContainerStatuses").enumerate();
    let (done, current) = statuses.find(|(_, c)| c["state"]["terminated"]["exitCode"] != 0)?;
    Some(match trouble(current) {
        Some(reason) if reason != "PodInitializing" => format!("Init:{reason}"),
        _ => format!("Init:{done}/{all}"),
    })
}

fn status(pod: &Value) -> String {
    if pod["metadata"]["deletionTimestamp"].is_string() {
        return "Terminating".into();
    }
    let phase = text(&pod["status"]["phase"], "Pending");
    let reason = text(&pod["status"]["reason"], phase);
    if let Some(initialising) = initialising(pod) {
        return initialising;
    }
    let some_run = containers(pod).any(|c| c["ready"] == true && !c["state"]["running"].is_null());
    match containers(pod).filter_map(trouble).last() {
        // One container is done while others run: that is no trouble.
        Some(trouble) if trouble == "Completed" && some_run => {
            let is_ready = items(&pod["status"], "conditions")
                .any(|c| c["type"] == "Ready" && c["status"] == "True");
            if is_ready { "Running" } else { "NotReady" }.into()
        }
        Some(trouble) => trouble,
        None => reason.into(),
    }
}

/// `3 (12s ago)`.
fn restarts(pod: &Value, now: Timestamp) -> Value {
    let count: i64 = containers(pod).map(|c| number(&c["restartCount"])).sum();
    let ends = containers(pod).filter_map(|c| c["lastState"]["terminated"]["finishedAt"].as_str());
    let last = ends.filter_map(|text| text.parse::<Timestamp>().ok()).max();
    match last {
        Some(last) if count > 0 => {
            let ago = age::span(now.duration_since(last).as_secs());
            json!(format!("{count} ({ago} ago)"))
        }
        _ => json!(count.to_string()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pod(state: Value, ready: bool) -> Value {
        json!({"metadata": {"name": "a"}, "spec": {"containers": [{}]},
            "status": {"phase": "Running", "containerStatuses": [{"state": state, "ready": ready, "restartCount": 0}]}})
    }

    #[test]
    fn what_keeps_a_container_is_the_status_of_the_pod() {
        let running = json!({"running": {}});
        assert_eq!(status(&pod(running.clone(), true)), "Running");
        assert_eq!(
            status(&pod(
                json!({"waiting": {"reason": "CrashLoopBackOff"}}),
                false
            )),
            "CrashLoopBackOff"
        );
        assert_eq!(
            status(&pod(json!({"terminated": {"exitCode": 3}}), false)),
            "ExitCode:3"
        );
        let mut dying = pod(running, true);
        dying["metadata"]["deletionTimestamp"] = json!("2024-05-01T00:00:00Z");
        assert_eq!(
            (status(&dying), ready(&dying)),
            ("Terminating".into(), "1/1".into())
        );
    }

    #[test]
    fn restarts_say_when_the_last_one_was() {
        let mut crashed = pod(json!({"running": {}}), true);
        let container = &mut crashed["status"]["containerStatuses"][0];
        container["restartCount"] = json!(2);
        container["lastState"] = json!({"terminated": {"finishedAt": "1970-01-01T00:00:10Z"}});
        assert_eq!(
            restarts(&crashed, Timestamp::from_second(40).unwrap()),
            "2 (30s ago)"
        );
    }
}
