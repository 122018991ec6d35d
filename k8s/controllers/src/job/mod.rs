//! job — runs pods until enough of them have succeeded, too many have failed, or time is up.

mod backoff;
mod conditions;
mod count;
mod decide;
mod indexes;

use std::{collections::BTreeMap, sync::Arc};

use apiserver::Clock;
use futures::future::try_join_all;
use k8s_openapi::{
    api::{
        batch::v1::{Job, JobStatus},
        core::v1::{EnvVar, Pod, PodSpec},
    },
    apimachinery::pkg::apis::meta::v1::{LabelSelector, ObjectMeta},
};
use kube::{
    Api, Client, ResourceExt,
    api::{DeleteParams, PostParams},
    runtime::{Controller, watcher},
};

use crate::{
    events::Events,
    owner,
    run::{self, Step},
};
use indexes::INDEX;

const UID_LABEL: &str = "batch.kubernetes.io/controller-uid";
const NAME_LABEL: &str = "batch.kubernetes.io/job-name";
/// The same labels as they were called before 1.27; still set by Kubernetes.
const OLD_UID_LABEL: &str = "controller-uid";
const OLD_NAME_LABEL: &str = "job-name";

/// Runs the controller until it is dropped.
pub async fn run(client: Client, clock: Clock) {
    let any = watcher::Config::default;
    let controller = Controller::new(Api::<Job>::all(client.clone()), any())
        .owns(Api::<Pod>::all(client.clone()), any());
    let events = Events {
        client,
        clock,
        component: "job-controller",
    };
    run::run("job", controller, move |job| step(events.clone(), job)).await;
}

async fn step(events: Events, seen: Arc<Job>) -> Step {
    let namespace = seen.namespace().unwrap_or_default();
    let jobs: Api<Job> = Api::namespaced(events.client.clone(), &namespace);
    // What the watch delivered may be older than our own last write.
    let Some(job) = jobs.get_opt(&seen.name_any()).await? else {
        return Ok(None);
    };
    let pods: Vec<Pod> = owner::claimed(&events.client, &job, &selector(&job)).await?;
    let decision = decide::decide(&job, &pods, events.clock.now());
    if decision.is_expired {
        run::unless_gone(
            jobs.delete(&job.name_any(), &DeleteParams::background())
                .await,
        )?;
        return Ok(None);
    }
    let api: Api<Pod> = Api::namespaced(events.client.clone(), &namespace);
    try_join_all(
        decision
            .delete
            .iter()
            .map(|name| delete(&api, &events, &job, name)),
    )
    .await?;
    try_join_all(
        decision
            .create
            .iter()
            .map(|index| create(&api, &events, &job, *index)),
    )
    .await?;
    write(&jobs, &events, &job, decision.status).await?;
    Ok(decision.again)
}

fn selector(job: &Job) -> LabelSelector {
    let own = || LabelSelector {
        match_labels: job
            .uid()
            .map(|uid| BTreeMap::from([(UID_LABEL.into(), uid)])),
        ..LabelSelector::default()
    };
    job.spec
        .as_ref()
        .and_then(|spec| spec.selector.clone())
        .unwrap_or_else(own)
}

async fn create(
    api: &Api<Pod>,
    events: &Events,
    job: &Job,
    index: Option<i32>,
) -> Result<(), kube::Error> {
    match api
        .create(&PostParams::default(), &pod_of(job, index))
        .await
    {
        Ok(pod) => {
            events
                .normal(
                    job,
                    "SuccessfulCreate",
                    format!("Created pod: {}", pod.name_any()),
                )
                .await;
            Ok(())
        }
        Err(error) => {
            events
                .warning(job, "FailedCreate", format!("Error creating: {error}"))
                .await;
            Err(error)
        }
    }
}

async fn delete(api: &Api<Pod>, events: &Events, job: &Job, name: &str) -> Result<(), kube::Error> {
    run::unless_gone(api.delete(name, &DeleteParams::default()).await)?;
    events
        .normal(job, "SuccessfulDelete", format!("Deleted pod: {name}"))
        .await;
    Ok(())
}

fn pod_of(job: &Job, index: Option<i32>) -> Pod {
    let (name, uid) = (job.name_any(), job.uid().unwrap_or_default());
    let template = job.spec.clone().unwrap_or_default().template;
    let described = template.metadata.unwrap_or_default();
    let mut labels = described.labels.unwrap_or_default();
    labels.extend([UID_LABEL, OLD_UID_LABEL].map(|label| (label.into(), uid.clone())));
    labels.extend([NAME_LABEL, OLD_NAME_LABEL].map(|label| (label.into(), name.clone())));
    let mut pod = Pod {
        metadata: ObjectMeta {
            generate_name: Some(format!("{name}-")),
            namespace: job.namespace(),
            labels: Some(labels),
            annotations: described.annotations,
            owner_references: owner::reference(job).map(|owner| vec![owner]),
            ..ObjectMeta::default()
        },
        spec: template.spec,
        status: None,
    };
    if let Some(index) = index {
        number(&mut pod, &name, index);
    }
    pod
}

// The pod can learn its number from its label, its annotation, its host name and its environment.
fn number(pod: &mut Pod, job: &str, index: i32) {
    pod.metadata.generate_name = Some(format!("{job}-{index}-"));
    pod.labels_mut().insert(INDEX.into(), index.to_string());
    pod.annotations_mut()
        .insert(INDEX.into(), index.to_string());
    let Some(PodSpec {
        containers,
        init_containers,
        hostname,
        ..
    }) = &mut pod.spec
    else {
        return;
    };
    hostname.get_or_insert_with(|| format!("{job}-{index}"));
    for container in containers
        .iter_mut()
        .chain(init_containers.iter_mut().flatten())
    {
        let variable = EnvVar {
            name: "JOB_COMPLETION_INDEX".into(),
            value: Some(index.to_string()),
            value_from: None,
        };
        container.env.get_or_insert_default().push(variable);
    }
}

async fn write(
    jobs: &Api<Job>,
    events: &Events,
    job: &Job,
    status: JobStatus,
) -> Result<(), kube::Error> {
    // Compared as written: the API keeps whole seconds.
    let before = job
        .status
        .as_ref()
        .and_then(|before| serde_json::to_value(before).ok());
    if before == serde_json::to_value(&status).ok() {
        return Ok(());
    }
    let has_ended = conditions::is_finished(&status)
        && !job.status.as_ref().is_some_and(conditions::is_finished);
    let end = conditions::decided(&status).filter(|_| has_ended);
    let mut next = job.clone();
    next.status = Some(status);
    run::unless_gone(
        jobs.replace_status(&job.name_any(), &PostParams::default(), &next)
            .await,
    )?;
    match end {
        Some(decide::End::Complete) => {
            events
                .normal(job, "Completed", "Job completed".into())
                .await
        }
        Some(end) => {
            events
                .warning(job, end.reason(), end.message().into())
                .await
        }
        None => {}
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn job() -> Job {
        let template = json!({"metadata": {"labels": {"app": "load"}}, "spec": {"restartPolicy": "Never", "containers": [{"name": "c"}]}});
        serde_json::from_value(json!({"metadata": {"name": "load", "namespace": "ns", "uid": "u"}, "spec": {"template": template}})).unwrap()
    }

    #[test]
    fn a_pod_carries_its_job_in_old_and_new_labels() {
        let pod = pod_of(&job(), None);
        let labels: Vec<(&str, &str)> = pod
            .labels()
            .iter()
            .map(|(key, value)| (&**key, &**value))
            .collect();
        let expected = [
            ("app", "load"),
            (UID_LABEL, "u"),
            (NAME_LABEL, "load"),
            (OLD_UID_LABEL, "u"),
            (OLD_NAME_LABEL, "load"),
        ];
        assert_eq!(labels, expected);
        assert_eq!(pod.metadata.generate_name.as_deref(), Some("load-"));
    }

    #[test]
    fn a_numbered_pod_knows_its_number() {
        let pod = serde_json::to_value(pod_of(&job(), Some(3))).unwrap();
        assert_eq!(pod["metadata"]["annotations"][INDEX], "3");
        assert_eq!(pod["metadata"]["generateName"], "load-3-");
        assert_eq!(pod["spec"]["hostname"], "load-3");
        assert_eq!(
            pod["spec"]["containers"][0]["env"],
            json!([{"name": "JOB_COMPLETION_INDEX", "value": "3"}])
        );
    }
}
