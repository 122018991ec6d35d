//! Single pods: which there are, ending one, a program in one, scaling.
use crate::{Cluster, Error, facts::state_of, objects::doing};
use k8s_openapi::api::{
    apps::v1::Deployment,
    core::v1::{Namespace, Pod},
};
use kube::{
    Api, Client,
    api::{AttachParams, AttachedProcess, DeleteParams, ListParams, Patch, PatchParams},
};
use model::PodState;
use serde_json::json;
use std::{collections::BTreeMap, time::Duration};
use tokio::{
    io::{AsyncBufReadExt, AsyncRead, AsyncWrite, AsyncWriteExt, BufReader, Lines},
    time::timeout,
};

/// What a program says at its end comes within this, or never.
const LAST_WORDS_MAX: Duration = Duration::from_secs(5);

impl Cluster {
    /// The pods of a namespace with these labels (a `labelSelector`; empty for all), by name.
    ///
    /// # Errors
    /// When the API server refuses.
    pub async fn pods(&self, namespace: &str, labels: &str) -> Result<Vec<PodState>, Error> {
        let list = self
            .pod_api(namespace)
            .list(&ListParams::default().labels(labels))
            .await
            .map_err(doing("listing pods"))?;
        let mut pods: Vec<PodState> = list.iter().filter_map(|pod| state_of(pod, false)).collect();
        pods.sort_by(|a, b| a.name.cmp(&b.name));
        Ok(pods)
    }

    /// Deletes a pod with this grace in seconds, or its own. False for one that is gone already: another of the same name is left
    /// alone.
    ///
    /// # Errors
    /// When the API server refuses.
    pub async fn delete_pod(
        &self,
        namespace: &str,
        pod: &PodState,
        grace: Option<u32>,
    ) -> Result<bool, Error> {
        let mut params = DeleteParams::default().preconditions(kube::api::Preconditions {
            uid: Some(pod.uid.clone()),
            ..kube::api::Preconditions::default()
        });
        params.grace_period_seconds = grace;
        match self.pod_api(namespace).delete(&pod.name, &params).await {
            Ok(_) => Ok(true),
            Err(kube::Error::Api(status)) if status.is_not_found() || status.is_conflict() => {
                Ok(false)
            }
            Err(e) => Err(doing(format!("deleting pod {}", pod.name))(e)),
        }
    }

    /// Starts one more program in a container of a running pod (the first container if none is named), with its input open.
    ///
    /// # Errors
    /// When the API server refuses. A program that cannot be started says so in [`Inside::line`].
    pub async fn start_inside(
        &self,
        namespace: &str,
        pod: &str,
        container: Option<&str>,
        command: &[&str],
    ) -> Result<Inside, Error> {
        let params = AttachParams {
            container: container.map(str::to_owned),
            ..AttachParams::default()
        };
        let params = params.stdin(true).stdout(true).stderr(false);
        let api = self.pod_api(namespace);
        let mut process = api
            .exec(pod, command.iter().copied(), &params)
            .await
            .map_err(doing(format!(
                "starting {} in pod {pod}",
                command.join(" ")
            )))?;
        let out = process.stdout().expect("it was asked for");
        let out: Box<dyn AsyncRead + Send + Unpin> = Box::new(out);
        let input = process.stdin().expect("it was asked for");
        Ok(Inside {
            lines: BufReader::new(out).lines(),
            input: Box::new(input),
            _process: process,
        })
    }

    /// Scales a Deployment; the number of replicas that were asked for until then.
    ///
    /// # Errors
    /// When the API server refuses.
    pub async fn scale(
        &self,
        namespace: &str,
        deployment: &str,
        replicas: u32,
    ) -> Result<(), Error> {
        let api = Api::<Deployment>::namespaced(self.client.clone(), namespace);
        let patch = Patch::Merge(json!({"spec": {"replicas": replicas}}));
        api.patch_scale(deployment, &PatchParams::default(), &patch)
            .await
            .map_err(doing(format!("scaling {deployment} to {replicas}")))?;
        Ok(())
    }

    /// The number of replicas that are asked for of a Deployment.
    ///
    /// # Errors
    /// When there is no such Deployment, or the API server refuses.
    pub async fn scale_of(&self, namespace: &str, deployment: &str) -> Result<u32, Error> {
        let api = Api::<Deployment>::namespaced(self.client.clone(), namespace);
        let scale = api
            .get_scale(deployment)
            .await
            .map_err(doing(format!("reading the scale of {deployment}")))?;
        let replicas = scale.spec.and_then(|spec| spec.replicas).unwrap_or(1);
        Ok(u32::try_from(replicas).unwrap_or(0))
    }

    /// The annotations of a namespace.
    ///
    /// # Errors
    /// When there is no such namespace, or the API server refuses.
    pub async fn annotations_of(&self, namespace: &str) -> Result<BTreeMap<String, String>, Error> {
        let namespace = Api::<Namespace>::all(self.client.clone())
            .get(namespace)
            .await
            .map_err(doing(format!("reading namespace {namespace}")))?;
        Ok(namespace.metadata.annotations.unwrap_or_default())
    }

    /// The namespace of the kubeconfig's context, or of the pod this runs in.
    pub fn own_namespace(&self) -> &str {
        self.client.default_namespace()
    }

    fn pod_api(&self, namespace: &str) -> Api<Pod> {
        let client: Client = self.client.clone();
        Api::namespaced(client, namespace)
    }
}

/// A program that was started in a container. Dropping it closes its input, and a node that notices ends it.
pub struct Inside {
    lines: Lines<BufReader<Box<dyn AsyncRead + Send + Unpin>>>,
    input: Box<dyn AsyncWrite + Send + Unpin>,
    _process: AttachedProcess,
}

impl Inside {
    /// The next line it prints; none at its end.
    pub async fn line(&mut self) -> Option<String> {
        self.lines.next_line().await.ok().flatten()
    }

    /// Writes a line to its input. False when it does not read any more.
    pub async fn say(&mut self, line: &str) -> bool {
        let line = format!("{line}\n");
        self.input.write_all(line.as_bytes()).await.is_ok() && self.input.flush().await.is_ok()
    }

    /// Closes its input and takes its last line, if it says one.
    pub async fn end(mut self) -> Option<String> {
        // It may have ended by itself.
        let _ = self.input.shutdown().await;
        let mut last = None;
        let rest = async {
            while let Some(line) = self.line().await {
                last = Some(line);
            }
        };
        let _ = timeout(LAST_WORDS_MAX, rest).await;
        last
    }
}
