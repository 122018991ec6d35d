//! Connecting, namespaces, objects.
use k8s_openapi::api::core::v1::{Namespace, Node, Pod};
use kube::{
    Api, Client, Config, ResourceExt,
    api::{
        ApiResource, DeleteParams, DynamicObject, GroupVersionKind, ListParams, Patch, PatchParams,
        PostParams,
    },
    config::{KubeConfigOptions, Kubeconfig},
    runtime::{conditions, wait::await_condition},
};
use serde_json::{Value, json};
use std::{path::Path, time::Duration};

/// Everything the harness makes carries this label; its value is the run's id.
pub const OWNER_LABEL: &str = "brownout.dev/run";

/// Field manager of everything the harness applies.
const MANAGER: &str = "brownout";

/// Kinds without a namespace, besides Namespace itself, that a manifest may hold.
const CLUSTER_SCOPED: [&str; 5] = [
    "PersistentVolume",
    "ClusterRole",
    "ClusterRoleBinding",
    "StorageClass",
    "PriorityClass",
];

/// An object that is being deleted is asked for again so much later.
const GONE_PAUSE: Duration = Duration::from_millis(200);

/// A cluster, spoken to in the Kubernetes API.
#[derive(Clone)]
pub struct Cluster {
    pub(crate) client: Client,
}

/// What a cluster says of itself.
#[derive(Debug, Clone, PartialEq)]
pub struct About {
    /// `v1.33.13`
    pub version: String,
    /// Names and isolation of its nodes, for people.
    pub node: String,
}

/// What can go wrong while speaking to a cluster.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// No usable kubeconfig.
    #[error("the kubeconfig cannot be used: {0}")]
    Kubeconfig(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// The API server could not be reached or refused.
    #[error("{doing}: {}", answered(source))]
    Api {
        /// What was asked.
        doing: String,
        /// The answer.
        #[source]
        source: kube::Error,
    },
    /// An object that cannot be sent.
    #[error("an object has no {0}; every manifest needs apiVersion, kind and metadata.name")]
    Object(&'static str),
    /// An object that would outlive the run.
    #[error(
        "{0} belongs to no namespace, and a run only removes its own: leave it out of the manifests and make it beforehand"
    )]
    Lasting(String),
    /// Something did not become so in time.
    #[error("{what} within {limit:?}; {so_far}")]
    TimedOut {
        /// What was waited for, as a negation: `alarm was not gone`.
        what: String,
        /// How long.
        limit: Duration,
        /// What was seen instead.
        so_far: String,
    },
    /// The observation ended before what was waited for.
    #[error("the cluster is no longer observed")]
    Unobserved,
}

/// What an API server said, in its own words.
fn answered(source: &kube::Error) -> String {
    match source {
        kube::Error::Api(status) if !status.message.is_empty() => status.message.clone(),
        other => other.to_string(),
    }
}

pub(crate) fn doing(what: impl Into<String>) -> impl FnOnce(kube::Error) -> Error {
    move |source| Error::Api {
        doing: what.into(),
        source,
    }
}

impl Cluster {
    /// Speaks through this client.
    pub fn new(client: Client) -> Cluster {
        Cluster { client }
    }

    /// The cluster of a kubeconfig: `file`, else `$KUBECONFIG` and `~/.kube/config`, else the service account of this pod.
    ///
    /// # Errors
    /// [`Error::Kubeconfig`] when there is none, or no such context.
    pub async fn connect(file: Option<&Path>, context: Option<&str>) -> Result<Cluster, Error> {
        let options = KubeConfigOptions {
            context: context.map(str::to_owned),
            ..KubeConfigOptions::default()
        };
        let config = match file {
            Some(file) => {
                let file = Kubeconfig::read_from(file).map_err(|e| Error::Kubeconfig(e.into()))?;
                Config::from_custom_kubeconfig(file, &options).await
            }
            None if context.is_some() => Config::from_kubeconfig(&options).await,
            None => {
                let inferred = Config::infer()
                    .await
                    .map_err(|e| Error::Kubeconfig(e.into()))?;
                return Cluster::with(inferred);
            }
        };
        Cluster::with(config.map_err(|e| Error::Kubeconfig(e.into()))?)
    }

    fn with(mut config: Config) -> Result<Cluster, Error> {
        // A log that is followed may be silent for longer than any limit that would suit a request.
        config.read_timeout = None;
        Client::try_from(config)
            .map(Cluster::new)
            .map_err(|e| Error::Kubeconfig(e.into()))
    }

    /// Version and nodes.
    ///
    /// # Errors
    /// When the API server does not answer.
    pub async fn about(&self) -> Result<About, Error> {
        let version = self
            .client
            .apiserver_version()
            .await
            .map_err(doing("asking for the version"))?;
        let nodes = Api::<Node>::all(self.client.clone())
            .list(&ListParams::default())
            .await
            .map_err(doing("listing nodes"))?;
        let node = nodes
            .iter()
            .map(describe_node)
            .collect::<Vec<_>>()
            .join("; ");
        Ok(About {
            version: version.git_version,
            node,
        })
    }

    /// Makes a namespace that belongs to a run.
    ///
    /// # Errors
    /// When it exists already or cannot be made.
    pub async fn create_namespace(&self, name: &str, run: &str) -> Result<(), Error> {
        let namespace = serde_json::from_value(json!({
            "metadata": {"name": name, "labels": {OWNER_LABEL: run}},
        }))
        .expect("a name and a label make a namespace");
        Api::<Namespace>::all(self.client.clone())
            .create(&PostParams::default(), &namespace)
            .await
            .map_err(doing(format!("creating namespace {name}")))?;
        Ok(())
    }

    /// Deletes a namespace and waits until it is gone. One that is gone already is fine.
    ///
    /// # Errors
    /// [`Error::TimedOut`] when it is still there after `limit`.
    pub async fn delete_namespace(&self, name: &str, limit: Duration) -> Result<(), Error> {
        let api = Api::<Namespace>::all(self.client.clone());
        let uid = match api.delete(name, &DeleteParams::default()).await {
            Err(kube::Error::Api(status)) if status.is_not_found() => return Ok(()),
            Err(e) => return Err(doing(format!("deleting namespace {name}"))(e)),
            Ok(answer) => answer.either(|n| n.uid(), |s| s.details.map(|d| d.uid)),
        };
        let uid = uid.unwrap_or_default();
        let gone = await_condition(api, name, conditions::is_deleted(&uid));
        match tokio::time::timeout(limit, gone).await {
            Ok(Ok(_)) => Ok(()),
            Ok(Err(_)) => Err(Error::Unobserved),
            Err(_) => Err(Error::TimedOut {
                what: format!("namespace {name} was not gone"),
                limit,
                so_far: "objects with finalizers may be left in it".into(),
            }),
        }
    }

    /// Namespaces that belong to a run, with the run's id.
    ///
    /// # Errors
    /// When they cannot be listed.
    pub async fn namespaces_of_runs(&self) -> Result<Vec<(String, String)>, Error> {
        let list = Api::<Namespace>::all(self.client.clone())
            .list(&ListParams::default().labels(OWNER_LABEL))
            .await
            .map_err(doing("listing namespaces"))?;
        Ok(list
            .iter()
            .map(|n| (n.name_any(), n.labels()[OWNER_LABEL].clone()))
            .collect())
    }

    /// Applies an object as `kubectl apply --server-side --force-conflicts` does. An object that names another namespace
    /// is put into this one; of a Namespace among the objects, this one gets the labels and annotations.
    ///
    /// # Errors
    /// When it is refused, and [`Error::Lasting`] for one that belongs to no namespace.
    pub async fn apply(&self, namespace: &str, object: &Value) -> Result<(), Error> {
        match object["kind"].as_str() {
            Some("Namespace") => return self.mark_namespace(namespace, object).await,
            Some(kind) if CLUSTER_SCOPED.contains(&kind) => {
                return Err(Error::Lasting(title(object)));
            }
            _ => {}
        }
        let (api, name) = self.api_of(namespace, object)?;
        let mut object = object.clone();
        if let Some(metadata) = object["metadata"].as_object_mut() {
            metadata.remove("namespace");
        }
        in_namespace(&mut object, namespace);
        let params = PatchParams::apply(MANAGER).force().validation_strict();
        api.patch(&name, &params, &Patch::Apply(&object))
            .await
            .map_err(doing(format!("applying {}", title(&object))))?;
        Ok(())
    }

    /// As `kubectl label` and `kubectl annotate`.
    async fn mark_namespace(&self, namespace: &str, like: &Value) -> Result<(), Error> {
        let metadata = &like["metadata"];
        let marks = json!({"metadata": {"labels": metadata["labels"], "annotations": metadata["annotations"]}});
        Api::<Namespace>::all(self.client.clone())
            .patch(namespace, &PatchParams::default(), &Patch::Merge(marks))
            .await
            .map_err(doing(format!("labelling namespace {namespace}")))?;
        Ok(())
    }

    /// Deletes an object, as `kubectl delete` does; a Deployment's pods with this grace in seconds, if one is given. What is
    /// gone already is fine.
    ///
    /// # Errors
    /// When it is refused.
    pub async fn delete(
        &self,
        namespace: &str,
        object: &Value,
        grace: Option<u32>,
    ) -> Result<(), Error> {
        let (api, name) = self.api_of(namespace, object)?;
        unless_gone(api.delete(&name, &DeleteParams::background()).await)
            .map_err(doing(format!("deleting {}", title(object))))?;
        match (grace, &object["spec"]["selector"]["matchLabels"]) {
            (Some(grace), Value::Object(labels)) if object["kind"] == "Deployment" => {
                let labels = labels
                    .iter()
                    .map(|(k, v)| format!("{k}={}", v.as_str().unwrap_or_default()));
                let selector = labels.collect::<Vec<_>>().join(",");
                self.delete_pods(namespace, &selector, grace).await
            }
            _ => Ok(()),
        }
    }

    async fn delete_pods(&self, namespace: &str, selector: &str, grace: u32) -> Result<(), Error> {
        let pods = Api::<Pod>::namespaced(self.client.clone(), namespace);
        let list = pods
            .list(&ListParams::default().labels(selector))
            .await
            .map_err(doing("listing pods"))?;
        for pod in list {
            let params = DeleteParams::default().grace_period(grace);
            unless_gone(pods.delete(&pod.name_any(), &params).await)
                .map_err(doing(format!("deleting pod {}", pod.name_any())))?;
        }
        Ok(())
    }

    fn api_of(
        &self,
        namespace: &str,
        object: &Value,
    ) -> Result<(Api<DynamicObject>, String), Error> {
        let text = |v: &Value, what| v.as_str().map(str::to_owned).ok_or(Error::Object(what));
        let kind = text(&object["kind"], "kind")?;
        let version = text(&object["apiVersion"], "apiVersion")?;
        let name = text(&object["metadata"]["name"], "metadata.name")?;
        Ok((self.api(namespace, &version, &kind), name))
    }

    /// Objects of a kind: those of the namespace, or all where the kind has none.
    pub(crate) fn api(&self, namespace: &str, version: &str, kind: &str) -> Api<DynamicObject> {
        let (group, version) = version.split_once('/').unwrap_or(("", version));
        let resource = ApiResource::from_gvk(&GroupVersionKind::gvk(group, version, kind));
        let client = self.client.clone();
        match kind == "Node" || CLUSTER_SCOPED.contains(&kind) {
            true => Api::all_with(client, &resource),
            false => Api::namespaced_with(client, namespace, &resource),
        }
    }

    /// Deletes an object and waits until it is gone; one that is gone already is fine.
    ///
    /// # Errors
    /// When it is refused, and [`Error::TimedOut`] when it is still there after `limit`.
    pub async fn delete_and_wait(
        &self,
        namespace: &str,
        object: &Value,
        limit: Duration,
    ) -> Result<(), Error> {
        let (api, name) = self.api_of(namespace, object)?;
        let title = title(object);
        let answer = api.delete(&name, &DeleteParams::background()).await;
        unless_gone(answer).map_err(doing(format!("deleting {title}")))?;
        let gone = async {
            while !matches!(api.get_opt(&name).await, Ok(None)) {
                tokio::time::sleep(GONE_PAUSE).await;
            }
        };
        tokio::time::timeout(limit, gone)
            .await
            .map_err(|_| Error::TimedOut {
                what: format!("{title} was not gone"),
                limit,
                so_far: "it may have a finalizer".into(),
            })
    }
}

/// The service accounts that a RoleBinding names are those of its own namespace, whichever that is in this run.
fn in_namespace(binding: &mut Value, namespace: &str) {
    if binding["kind"] != "RoleBinding" {
        return;
    }
    let subjects = binding["subjects"].as_array_mut();
    for subject in subjects.into_iter().flatten() {
        if subject["kind"] == "ServiceAccount" {
            subject["namespace"] = namespace.into();
        }
    }
}

pub(crate) fn unless_gone<T>(answer: kube::Result<T>) -> kube::Result<()> {
    match answer {
        Err(kube::Error::Api(status)) if status.is_not_found() => Ok(()),
        other => other.map(drop),
    }
}

/// An object as people call it: `Deployment/review`.
pub fn title(object: &Value) -> String {
    format!(
        "{}/{}",
        object["kind"].as_str().unwrap_or("?"),
        object["metadata"]["name"].as_str().unwrap_or("?")
    )
}

/// The node's name with what it says of its isolation, or its kubelet.
fn describe_node(node: &Node) -> String {
    let info = node.status.as_ref().and_then(|s| s.node_info.as_ref());
    let tier = node
        .labels()
        .get("brownout.dev/tier")
        .map(|t| format!(", pods {t}"));
    let runtime = info
        .map(|i| i.container_runtime_version.clone())
        .filter(|r| !r.is_empty());
    let runtime = runtime.map(|r| format!(", {r}"));
    format!(
        "{}{}{}",
        node.name_any(),
        tier.unwrap_or_default(),
        runtime.unwrap_or_default()
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_object_is_called_by_its_kind_and_name() {
        let object = json!({"kind": "Service", "metadata": {"name": "room"}});
        assert_eq!(title(&object), "Service/room");
    }

    #[test]
    fn a_role_is_bound_to_the_service_account_of_the_same_namespace() {
        let mut binding = json!({"kind": "RoleBinding", "subjects": [
            {"kind": "ServiceAccount", "name": "chaos", "namespace": "airbnb"}, {"kind": "User", "name": "me"}]});
        in_namespace(&mut binding, "airbnb-1a2b3");
        assert_eq!(binding["subjects"][0]["namespace"], "airbnb-1a2b3");
        assert_eq!(
            binding["subjects"][1],
            json!({"kind": "User", "name": "me"})
        );
    }

    #[test]
    fn an_answer_is_told_in_the_words_of_the_api_server() {
        let status: kube::core::Status = serde_json::from_value(json!({
            "status": "Failure", "code": 422, "reason": "Invalid", "message": "Deployment.apps \"order\" is invalid",
        }))
        .unwrap();
        let error = doing("applying Deployment/order")(kube::Error::Api(Box::new(status)));
        assert_eq!(
            error.to_string(),
            "applying Deployment/order: Deployment.apps \"order\" is invalid"
        );
    }

    #[test]
    fn a_node_is_described_with_its_tier() {
        let node: Node = serde_json::from_value(json!({
            "metadata": {"name": "node-1", "labels": {"brownout.dev/tier": "sandboxed"}},
        }))
        .unwrap();
        assert_eq!(describe_node(&node), "node-1, pods sandboxed");
    }

    #[tokio::test]
    async fn what_would_outlive_the_run_is_not_made() {
        let cluster =
            Cluster::new(apiserver::ApiServer::new(apiserver::Config::default()).client("default"));
        let named =
            |kind: &str| json!({"apiVersion": "v1", "kind": kind, "metadata": {"name": "mine"}});
        let refused = cluster
            .apply("default", &named("PersistentVolume"))
            .await
            .unwrap_err();
        assert!(
            refused
                .to_string()
                .starts_with("PersistentVolume/mine belongs to no namespace"),
            "{refused}"
        );
    }

    #[tokio::test]
    async fn a_namespace_of_the_manifests_marks_the_one_of_the_run() {
        let cluster =
            Cluster::new(apiserver::ApiServer::new(apiserver::Config::default()).client("default"));
        cluster.create_namespace("mine-1a2b3", "run").await.unwrap();
        let mine = json!({"apiVersion": "v1", "kind": "Namespace",
            "metadata": {"name": "mine", "labels": {"istio-injection": "enabled"}}});
        cluster.apply("mine-1a2b3", &mine).await.unwrap();
        let namespaces = Api::<Namespace>::all(cluster.client.clone());
        let marked = namespaces.get("mine-1a2b3").await.unwrap();
        assert_eq!(marked.labels()["istio-injection"], "enabled");
        assert_eq!(marked.labels()[OWNER_LABEL], "run");
        assert!(namespaces.get_opt("mine").await.unwrap().is_none());
    }
}
