//! A program that runs once in a pod: a Job, and its log lines as they come.
use crate::{Cluster, Error, Observer, View, objects::doing};
use futures::{AsyncBufReadExt, StreamExt};
use k8s_openapi::api::{batch::v1::Job, core::v1::Pod};
use kube::{
    Api,
    api::{LogParams, PostParams},
};
use serde_json::json;
use std::{collections::BTreeMap, time::Duration};
use tokio::sync::mpsc;

/// What runs.
#[derive(Debug, Clone, PartialEq)]
pub struct Worker {
    /// Name of the Job; its pod's name begins with it.
    pub name: String,
    /// Image; its entrypoint gets `args`.
    pub image: String,
    /// Arguments.
    pub args: Vec<String>,
    /// Environment.
    pub env: BTreeMap<String, String>,
    /// The Job is ended by the cluster after so long, whatever becomes of us.
    pub deadline: Duration,
}

impl Cluster {
    /// Starts a worker: a Job with one pod that is not repeated.
    ///
    /// # Errors
    /// When the Job is refused.
    pub async fn start_worker(&self, namespace: &str, worker: &Worker) -> Result<(), Error> {
        let env: Vec<_> = worker
            .env
            .iter()
            .map(|(k, v)| json!({"name": k, "value": v}))
            .collect();
        let job: Job = serde_json::from_value(json!({
            "metadata": {"name": worker.name},
            "spec": {
                "backoffLimit": 0,
                "activeDeadlineSeconds": worker.deadline.as_secs().max(1),
                "template": {
                    "spec": {
                        "restartPolicy": "Never",
                        "terminationGracePeriodSeconds": 2,
                        "containers": [{
                            "name": "worker",
                            "image": worker.image,
                            "imagePullPolicy": "IfNotPresent",
                            "args": worker.args,
                            "env": env,
                        }],
                    },
                },
            },
        }))
        .expect("names and texts make a Job");
        Api::<Job>::namespaced(self.client.clone(), namespace)
            .create(&PostParams::default(), &job)
            .await
            .map_err(doing(format!("creating Job {}", worker.name)))?;
        Ok(())
    }

    /// Sends the log lines of a started worker, from its first to its last, and returns when the log has ended.
    ///
    /// A log that breaks off is opened again and the lines already sent are skipped.
    ///
    /// # Errors
    /// When no pod runs within `start_limit`, or the log cannot be read to its end.
    pub async fn follow_worker(
        &self,
        namespace: &str,
        name: &str,
        observer: &Observer,
        start_limit: Duration,
        lines: &mpsc::UnboundedSender<String>,
    ) -> Result<(), Error> {
        let what = format!("the pod of Job {name} did not run");
        let pod = observer
            .until(&what, start_limit, |view| {
                let mut pods = view.pods_of(name);
                pods.find(|p| p.phase != "Pending").map(|p| p.name.clone())
            })
            .await?;
        let pods = Api::<Pod>::namespaced(self.client.clone(), namespace);
        let is_over = |view: &View| {
            let phase = view
                .pods_of(name)
                .find(|p| p.name == pod)
                .map(|p| p.phase.as_str());
            matches!(phase, None | Some("Succeeded" | "Failed")).then_some(())
        };
        let mut seen = 0;
        for _ in 0..FOLLOWS_MAX {
            let was_over = is_over(&observer.view()).is_some();
            match self.follow(&pods, &pod, seen, lines).await {
                Ok(count) => seen = count,
                Err(e) if was_over => return Err(e),
                Err(error) => tracing::debug!(%error, pod, "a log broke off and is opened again"),
            }
            // What was followed after the pod had ended is all there is.
            if was_over {
                return Ok(());
            }
            // A kubelet tells of the end some time after the log has ended; a log that broke off is opened again.
            let _ = observer
                .until("the pod had not ended", END_TOLD_MAX, is_over)
                .await;
        }
        Err(Error::TimedOut {
            what: format!("the log of {pod} did not end"),
            limit: END_TOLD_MAX * FOLLOWS_MAX,
            so_far: format!("it broke off {FOLLOWS_MAX} times after {seen} lines"),
        })
    }

    /// Follows once; the number of lines the log had until then.
    async fn follow(
        &self,
        pods: &Api<Pod>,
        pod: &str,
        skip: usize,
        lines: &mpsc::UnboundedSender<String>,
    ) -> Result<usize, Error> {
        let params = LogParams {
            follow: true,
            ..LogParams::default()
        };
        let reader = pods
            .log_stream(pod, &params)
            .await
            .map_err(doing(format!("reading the log of {pod}")))?;
        let mut count = 0;
        let mut stream = Box::pin(reader.lines());
        while let Some(line) = stream.next().await {
            let Ok(line) = line else { break };
            count += 1;
            if count > skip {
                // The run is over when nobody takes them; the pod ends with its namespace.
                let _ = lines.send(line);
            }
        }
        Ok(count.max(skip))
    }
}

/// So often a broken log is opened again; a kubelet that rotates logs breaks a few times in an hour.
const FOLLOWS_MAX: u32 = 50;

/// A kubelet surveys its containers every second and tells the API soon after.
const END_TOLD_MAX: Duration = Duration::from_secs(5);
