//! The canary: a pod of brownout's own that answers at once, behind a Service of the kind the system's are.
use crate::{Cluster, Error};
use serde_json::{Value, json};

/// Name of its Deployment and its Service.
pub const CANARY: &str = "brownout-canary";

impl Cluster {
    /// Starts it from an image whose entry point knows `canary`; it listens at `port`. It goes with the namespace.
    ///
    /// # Errors
    /// When one of its objects is refused.
    pub async fn start_canary(&self, namespace: &str, image: &str, port: u16) -> Result<(), Error> {
        for object in objects(image, port) {
            self.apply(namespace, &object).await?;
        }
        Ok(())
    }
}

/// Its container names no port: what it counts is of no interest to whoever reads metrics.
fn objects(image: &str, port: u16) -> [Value; 2] {
    let labels = json!({"app.kubernetes.io/name": CANARY});
    let address =
        json!({"name": "POD_IP", "valueFrom": {"fieldRef": {"fieldPath": "status.podIP"}}});
    let container = json!({
        "name": "canary",
        "image": image,
        "imagePullPolicy": "IfNotPresent",
        "args": ["canary"],
        "env": [address],
    });
    [
        json!({
            "apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": CANARY},
            "spec": {
                "replicas": 1,
                "selector": {"matchLabels": labels},
                "template": {
                    "metadata": {"labels": labels},
                    "spec": {"terminationGracePeriodSeconds": 1, "containers": [container]},
                },
            },
        }),
        json!({
            "apiVersion": "v1", "kind": "Service", "metadata": {"name": CANARY},
            "spec": {"selector": labels, "ports": [{"name": "http", "port": port, "targetPort": port}]},
        }),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn its_service_selects_its_pod() {
        let [deployment, service] = objects("brownout:dev", 8080);
        let labels = &deployment["spec"]["template"]["metadata"]["labels"];
        assert_eq!(&service["spec"]["selector"], labels);
        assert_eq!(service["spec"]["ports"][0]["targetPort"], 8080);
    }
}
