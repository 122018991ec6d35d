//! cron — what can be wrong with a CronJob. Texts are the real server's.

use super::{Problems, not_negative, one_of, pods};
use crate::{
    Schedule,
    refusal::{Fault, Problem},
};
use serde_json::Value;

/// A job is called after it, with eleven characters more.
const NAME_MAX: usize = 52;

pub fn cron_job(object: &Value, problems: &mut Problems) {
    let name = &object["metadata"]["name"];
    if name.as_str().is_some_and(|name| name.len() > NAME_MAX) {
        let text = format!("must be no more than {NAME_MAX} characters");
        problems.push(Problem::invalid("metadata.name", name, text));
    }
    let spec = &object["spec"];
    match spec["schedule"].as_str().unwrap_or("") {
        "" => problems.push(Problem::required("spec.schedule")),
        text => {
            if let Err(why) = Schedule::parse(text, None) {
                problems.push(Problem::invalid("spec.schedule", &spec["schedule"], why));
            }
        }
    }
    let at = "spec.startingDeadlineSeconds";
    not_negative(problems, at, &spec["startingDeadlineSeconds"]);
    time_zone(&spec["timeZone"], problems);
    let policies = &["Allow", "Forbid", "Replace"];
    let policy = &spec["concurrencyPolicy"];
    one_of(problems, "spec.concurrencyPolicy", policy, policies);
    let (at, pod) = (
        "spec.jobTemplate.spec.template.spec",
        &spec["jobTemplate"]["spec"]["template"]["spec"],
    );
    pods::specification(at, pod, problems);
    if pod["restartPolicy"] == "Always" {
        let text = "valid values: \"OnFailure\", \"Never\"";
        let at = format!("{at}.restartPolicy");
        problems.push(Problem::new(at, Fault::Required(text.into())));
    }
    for field in ["successfulJobsHistoryLimit", "failedJobsHistoryLimit"] {
        not_negative(problems, &format!("spec.{field}"), &spec[field]);
    }
}

fn time_zone(zone: &Value, problems: &mut Problems) {
    let Some(name) = zone.as_str() else { return };
    let wrong = |text: String| Problem::invalid("spec.timeZone", zone, text);
    if name.is_empty() {
        problems.push(wrong("timeZone must be nil or non-empty string".into()));
    } else if let Err(why) = Schedule::parse("@daily", Some(name)) {
        problems.push(wrong(why));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn everything_wrong_is_told_in_the_real_order() {
        let pod = json!({"restartPolicy": "Always", "containers": [{"name": "c", "image": "i"}]});
        let job = json!({"metadata": {"name": "b"}, "spec": {"schedule": "* * *", "timeZone": "Nope/Nope",
            "concurrencyPolicy": "Maybe", "startingDeadlineSeconds": -1, "successfulJobsHistoryLimit": -1,
            "jobTemplate": {"spec": {"template": {"spec": pod}}}}});
        let mut problems = vec![];
        cron_job(&job, &mut problems);
        let texts: Vec<String> = problems.iter().map(Problem::to_string).collect();
        assert_eq!(
            texts,
            [
                "spec.schedule: Invalid value: \"* * *\": expected exactly 5 fields, found 3: [* * *]",
                "spec.startingDeadlineSeconds: Invalid value: -1: must be greater than or equal to 0",
                "spec.timeZone: Invalid value: \"Nope/Nope\": unknown time zone Nope/Nope",
                "spec.concurrencyPolicy: Unsupported value: \"Maybe\": supported values: \"Allow\", \"Forbid\", \"Replace\"",
                "spec.jobTemplate.spec.template.spec.restartPolicy: Required value: valid values: \"OnFailure\", \"Never\"",
                "spec.successfulJobsHistoryLimit: Invalid value: -1: must be greater than or equal to 0"
            ]
        );
    }
}
