//! The server under test: one in this process, or a real one when `BROWNOUT_KUBECONFIG` names its kubeconfig.

use apiserver::{ApiServer, Config};
use http::Request;
use http_body_util::BodyExt;
use k8s_openapi::api::core::v1::Namespace;
use kube::{Api, Client, api::DeleteParams, client::Body, config::Kubeconfig};
use serde_json::{Value, json};

/// A client and a namespace of its own.
pub struct Target {
    pub client: Client,
    pub namespace: String,
    /// The server itself, if it is the embedded one.
    pub embedded: Option<ApiServer>,
}

/// A real server keeps nothing of a test.
impl Drop for Target {
    fn drop(&mut self) {
        let Ok(path) = std::env::var("BROWNOUT_KUBECONFIG") else {
            return;
        };
        let namespace = std::mem::take(&mut self.namespace);
        // The test's own runtime is about to end and cannot be waited for from here.
        let deleting = std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread()
                .enable_all()
                .start_paused(true)
                .build()
                .expect("a runtime");
            runtime.block_on(async {
                let namespaces: Api<Namespace> = Api::all(real(&path).await);
                let params = DeleteParams::default();
                namespaces.delete(&namespace, &params).await.map(drop)
            })
        });
        if let Ok(Err(error)) = deleting.join() {
            println!("namespace left behind: {error}");
        }
    }
}

/// What a server said.
#[derive(Debug)]
pub struct Answer {
    pub code: u16,
    pub body: Value,
    pub warnings: Vec<String>,
}

/// The server under test.
pub async fn target() -> Target {
    let (client, embedded) = match std::env::var("BROWNOUT_KUBECONFIG") {
        Ok(path) => (real(&path).await, None),
        Err(_) => {
            let server = ApiServer::new(Config::default());
            (server.client("default"), Some(server))
        }
    };
    let mut target = Target {
        client,
        namespace: String::new(),
        embedded,
    };
    let body =
        json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"generateName": "api-"}});
    let made = target.ask("POST", "/api/v1/namespaces", body).await;
    target.namespace = made.body["metadata"]["name"]
        .as_str()
        .expect("a namespace")
        .into();
    target
}

/// The embedded server, or none and a printed line where the statement holds for it alone.
pub async fn embedded_only(statement: &str) -> Option<Target> {
    if std::env::var("BROWNOUT_KUBECONFIG").is_ok() {
        println!("{statement}: skipped, it is about the embedded server only");
        return None;
    }
    Some(target().await)
}

async fn real(path: &str) -> Client {
    // Sockets are not part of virtual time.
    tokio::time::resume();
    let kubeconfig = Kubeconfig::read_from(path).expect("a kubeconfig");
    let config = kube::Config::from_custom_kubeconfig(kubeconfig, &Default::default()).await;
    Client::try_from(config.expect("a usable kubeconfig")).expect("a client")
}

impl Target {
    /// `pods/a` or `apps/deployments/web` in the namespace of this test; what starts with a slash is meant as it is.
    fn path(&self, resource: &str) -> String {
        let namespace = &self.namespace;
        for (group, version) in [
            ("apps", "v1"),
            ("batch", "v1"),
            ("autoscaling", "v2"),
            ("metrics.k8s.io", "v1beta1"),
            ("policy", "v1"),
            ("discovery.k8s.io", "v1"),
        ] {
            if let Some(rest) = resource.strip_prefix(&format!("{group}/")) {
                return format!("/apis/{group}/{version}/namespaces/{namespace}/{rest}");
            }
        }
        match resource.starts_with('/') {
            true => resource.into(),
            false => format!("/api/v1/namespaces/{namespace}/{resource}"),
        }
    }

    pub async fn ask(&self, method: &str, resource: &str, body: Value) -> Answer {
        self.ask_as(method, resource, "application/json", body)
            .await
    }

    pub async fn ask_as(
        &self,
        method: &str,
        resource: &str,
        media_type: &str,
        body: Value,
    ) -> Answer {
        let bytes = if body.is_null() {
            vec![]
        } else {
            body.to_string().into_bytes()
        };
        let request = Request::builder()
            .method(method)
            .uri(self.path(resource))
            .header("content-type", media_type)
            .body(Body::from(bytes))
            .expect("a request");
        let response = self.client.send(request).await.expect("an answer");
        let warnings = response.headers().get_all("warning").iter();
        let warnings = warnings
            .filter_map(|w| w.to_str().ok())
            .map(String::from)
            .collect();
        let code = response.status().as_u16();
        let bytes = response
            .into_body()
            .collect()
            .await
            .expect("a body")
            .to_bytes();
        let body = serde_json::from_slice(&bytes)
            .unwrap_or_else(|_| json!(String::from_utf8_lossy(&bytes)));
        Answer {
            code,
            body,
            warnings,
        }
    }

    pub async fn get(&self, resource: &str) -> Answer {
        self.ask("GET", resource, Value::Null).await
    }

    pub async fn merge(&self, resource: &str, patch: Value) -> Answer {
        self.ask_as("PATCH", resource, "application/merge-patch+json", patch)
            .await
    }

    /// Creates what must be creatable.
    pub async fn create(&self, resource: &str, body: Value) -> Value {
        let answer = self.ask("POST", resource, body).await;
        assert_eq!(answer.code, 201, "{answer:?}");
        answer.body
    }
}

impl Answer {
    pub fn version(&self) -> u64 {
        let version = self.body["metadata"]["resourceVersion"].as_str();
        version
            .and_then(|v| v.parse().ok())
            .expect("a resource version")
    }

    pub fn reason(&self) -> (u16, &str) {
        (self.code, self.body["reason"].as_str().unwrap_or(""))
    }

    pub fn message(&self) -> &str {
        self.body["message"].as_str().unwrap_or("")
    }
}

/// A Deployment of one container.
pub fn deployment(name: &str) -> Value {
    json!({
        "apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": name},
        "spec": {"replicas": 2, "selector": {"matchLabels": {"app": name}}, "template": {
            "metadata": {"labels": {"app": name}},
            "spec": {"containers": [{"name": "c", "image": "app:1", "ports": [{"containerPort": 80}],
                "env": [{"name": "A", "value": "1"}], "resources": {"limits": {"cpu": "0.5", "memory": "1024Mi"}}}]}}},
    })
}

/// A pod of one container.
pub fn pod(name: &str, labels: Value) -> Value {
    json!({"apiVersion": "v1", "kind": "Pod", "metadata": {"name": name, "labels": labels},
        "spec": {"containers": [{"name": "c", "image": "app:1"}]}})
}

/// A ConfigMap with one entry.
pub fn config_map(name: &str, text: &str) -> Value {
    json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name}, "data": {"text": text}})
}
