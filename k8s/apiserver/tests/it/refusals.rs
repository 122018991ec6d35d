//! Refusals: what is wrong with an object, in the words of Kubernetes 1.33.

use crate::target::{Target, deployment, target};
use serde_json::{Value, json};

/// A Deployment with fields added to its container.
fn container(fields: Value) -> Value {
    let mut body = deployment("bad");
    extend(
        &mut body["spec"]["template"]["spec"]["containers"][0],
        fields,
    );
    body
}

/// A Deployment with fields added to its pods.
fn pods(fields: Value) -> Value {
    let mut body = deployment("bad");
    extend(&mut body["spec"]["template"]["spec"], fields);
    body
}

/// A Deployment with fields added to its specification.
fn spec(fields: Value) -> Value {
    let mut body = deployment("bad");
    extend(&mut body["spec"], fields);
    body
}

fn extend(target: &mut Value, fields: Value) {
    let fields = fields.as_object().unwrap().clone();
    target.as_object_mut().unwrap().extend(fields);
}

fn service(spec: Value) -> Value {
    json!({"apiVersion": "v1", "kind": "Service", "metadata": {"name": "bad"}, "spec": spec})
}

fn scaler(fields: Value) -> Value {
    let mut spec = json!({"maxReplicas": 2, "scaleTargetRef": {"apiVersion": "apps/v1", "kind": "Deployment", "name": "web"}});
    extend(&mut spec, fields);
    json!({"apiVersion": "autoscaling/v2", "kind": "HorizontalPodAutoscaler", "metadata": {"name": "bad"}, "spec": spec})
}

/// Sends each body and compares what is said about it, without the name of the object.
async fn refused(target: &Target, resource: &str, cases: Vec<(Value, &str)>) {
    for (body, expected) in cases {
        let answer = target.ask("POST", resource, body.clone()).await;
        assert_eq!(answer.reason(), (422, "Invalid"), "{body}");
        let said = answer
            .message()
            .split_once(" is invalid: ")
            .map(|(_, said)| said);
        assert_eq!(said, Some(expected), "{body}");
    }
}

#[tokio::test(start_paused = true)]
async fn api_2_texts_about_containers() {
    let target = target().await;
    let probe = |name: &str, probe: Value| container(json!({name: probe}));
    let cases = vec![
        (
            container(json!({"image": ""})),
            "spec.template.spec.containers[0].image: Required value",
        ),
        (
            container(json!({"imagePullPolicy": "Foo"})),
            "spec.template.spec.containers[0].imagePullPolicy: Unsupported value: \"Foo\": supported values: \"Always\", \"IfNotPresent\", \"Never\"",
        ),
        (
            container(json!({"ports": [{"containerPort": 70000}]})),
            "spec.template.spec.containers[0].ports[0].containerPort: Invalid value: 70000: must be between 1 and 65535, inclusive",
        ),
        (
            container(
                json!({"ports": [{"containerPort": 7, "name": "a"}, {"containerPort": 8, "name": "a"}]}),
            ),
            "spec.template.spec.containers[0].ports[1].name: Duplicate value: \"a\"",
        ),
        (
            container(json!({"env": [{"name": "A", "valueFrom": {}}]})),
            "spec.template.spec.containers[0].env[0].valueFrom: Invalid value: \"\": must specify one of: `fieldRef`, `resourceFieldRef`, `configMapKeyRef` or `secretKeyRef`",
        ),
        (
            container(json!({"volumeMounts": [{"name": "x", "mountPath": "/x"}]})),
            "spec.template.spec.containers[0].volumeMounts[0].name: Not found: \"x\"",
        ),
        (
            container(json!({"resources": {"limits": {"cpu": "1"}, "requests": {"cpu": "2"}}})),
            "spec.template.spec.containers[0].resources.requests: Invalid value: \"2\": must be less than or equal to cpu limit of 1",
        ),
        (
            container(json!({"lifecycle": {"preStop": {}}})),
            "spec.template.spec.containers[0].lifecycle.preStop: Required value: must specify a handler type",
        ),
        (
            probe("livenessProbe", json!({})),
            "spec.template.spec.containers[0].livenessProbe: Required value: must specify a handler type",
        ),
        (
            probe(
                "livenessProbe",
                json!({"exec": {"command": ["a"]}, "successThreshold": 2}),
            ),
            "spec.template.spec.containers[0].livenessProbe.successThreshold: Invalid value: 2: must be 1",
        ),
        (
            probe("readinessProbe", json!({"httpGet": {"path": "/"}})),
            "spec.template.spec.containers[0].readinessProbe.httpGet.port: Invalid value: 0: must be between 1 and 65535, inclusive",
        ),
        (
            probe(
                "readinessProbe",
                json!({"tcpSocket": {"port": 1}, "terminationGracePeriodSeconds": 5}),
            ),
            "spec.template.spec.containers[0].readinessProbe.terminationGracePeriodSeconds: Invalid value: 5: must not be set for readinessProbes",
        ),
        (
            probe(
                "livenessProbe",
                json!({"httpGet": {"port": 1, "scheme": "FTP"}}),
            ),
            "spec.template.spec.containers[0].livenessProbe.httpGet.scheme: Unsupported value: \"FTP\": supported values: \"HTTP\", \"HTTPS\"",
        ),
    ];
    refused(&target, "apps/deployments", cases).await;
}

#[tokio::test(start_paused = true)]
async fn api_2_texts_about_deployments() {
    let target = target().await;
    let strategy = |rolling: Value| spec(json!({"strategy": {"rollingUpdate": rolling}}));
    let cases = vec![
        (
            spec(json!({"selector": null})),
            "[spec.selector: Required value, spec.template.metadata.labels: Invalid value: map[string]string{\"app\":\"bad\"}: `selector` does not match template `labels`]",
        ),
        (
            spec(json!({"selector": {"matchLabels": {"app": "b"}}})),
            "spec.template.metadata.labels: Invalid value: map[string]string{\"app\":\"bad\"}: `selector` does not match template `labels`",
        ),
        (
            spec(json!({"replicas": -1})),
            "spec.replicas: Invalid value: -1: must be greater than or equal to 0",
        ),
        (
            strategy(json!({"maxSurge": 0, "maxUnavailable": 0})),
            "spec.strategy.rollingUpdate.maxUnavailable: Invalid value: intstr.IntOrString{Type:0, IntVal:0, StrVal:\"\"}: may not be 0 when `maxSurge` is 0",
        ),
        (
            strategy(json!({"maxUnavailable": "101%"})),
            "spec.strategy.rollingUpdate.maxUnavailable: Invalid value: intstr.IntOrString{Type:1, IntVal:0, StrVal:\"101%\"}: must not be greater than 100%",
        ),
        (
            spec(json!({"strategy": {"type": "Recreate", "rollingUpdate": {"maxSurge": 1}}})),
            "spec.strategy.rollingUpdate: Forbidden: may not be specified when strategy `type` is 'Recreate'",
        ),
        (
            spec(json!({"progressDeadlineSeconds": 5, "minReadySeconds": 10})),
            "spec.progressDeadlineSeconds: Invalid value: 5: must be greater than minReadySeconds",
        ),
        (
            pods(json!({"containers": []})),
            "spec.template.spec.containers: Required value",
        ),
        (
            pods(json!({"restartPolicy": "Never"})),
            "spec.template.spec.restartPolicy: Unsupported value: \"Never\": supported values: \"Always\"",
        ),
        (
            pods(json!({"volumes": [{"name": "v", "configMap": {}}]})),
            "spec.template.spec.volumes[0].configMap.name: Required value",
        ),
        (
            pods(json!({"volumes": [{"name": "v", "emptyDir": {}, "hostPath": {"path": "/x"}}]})),
            "spec.template.spec.volumes[0].hostPath: Forbidden: may not specify more than 1 volume type",
        ),
    ];
    refused(&target, "apps/deployments", cases).await;
}

#[tokio::test(start_paused = true)]
async fn api_2_texts_about_services_and_autoscalers() {
    let target = target().await;
    let services = vec![
        (service(json!({})), "spec.ports: Required value"),
        (
            service(json!({"ports": [{"port": 1}, {"port": 2}]})),
            "[spec.ports[0].name: Required value, spec.ports[1].name: Required value]",
        ),
        (
            service(json!({"ports": [{"port": 0}]})),
            "[spec.ports[0].port: Invalid value: 0: must be between 1 and 65535, inclusive, spec.ports[0].targetPort: Invalid value: 0: must be between 1 and 65535, inclusive]",
        ),
        (
            service(json!({"type": "Foo", "ports": [{"port": 1}]})),
            "spec.type: Unsupported value: \"Foo\": supported values: \"ClusterIP\", \"ExternalName\", \"LoadBalancer\", \"NodePort\"",
        ),
        (
            service(json!({"clusterIP": "1.2.3.4", "ports": [{"port": 1}]})),
            "spec.clusterIPs: Invalid value: []string{\"1.2.3.4\"}: failed to allocate IP 1.2.3.4: the provided network does not match the current range",
        ),
        (
            service(json!({"type": "NodePort", "ports": [{"port": 1, "nodePort": 1}]})),
            "spec.ports[0].nodePort: Invalid value: 1: provided port is not in the valid range. The range of valid ports is 30000-32767",
        ),
    ];
    refused(&target, "services", services).await;
    let scalers = vec![
        (
            scaler(json!({"minReplicas": 3})),
            "spec.maxReplicas: Invalid value: 2: must be greater than or equal to `minReplicas`",
        ),
        (
            scaler(json!({"metrics": [{"type": "Resource"}]})),
            "spec.metrics[0].resource: Required value: must populate information for the given metric source",
        ),
    ];
    refused(&target, "autoscaling/horizontalpodautoscalers", scalers).await;
}

#[tokio::test(start_paused = true)]
async fn api_2_texts_about_changes() {
    let target = target().await;
    target.create("apps/deployments", deployment("web")).await;
    let other = json!({"spec": {"selector": {"matchLabels": {"q": "r"}}, "template": {"metadata": {"labels": {"q": "r"}}}}});
    let changed = target.merge("apps/deployments/web", other).await;
    assert_eq!(
        changed.message(),
        "Deployment.apps \"web\" is invalid: spec.selector: Invalid value: v1.LabelSelector{MatchLabels:map[string]string{\"app\":\"web\", \"q\":\"r\"}, MatchExpressions:[]v1.LabelSelectorRequirement(nil)}: field is immutable"
    );
    let renamed = target
        .merge(
            "apps/deployments/web",
            json!({"metadata": {"name": "other"}}),
        )
        .await;
    assert_eq!(
        renamed.message(),
        "the name of the object (other) does not match the name on the URL (web)"
    );
}

#[tokio::test(start_paused = true)]
async fn a_token_is_for_an_account_that_exists() {
    let target = target().await;
    let request = json!({"spec": {"expirationSeconds": 600}});
    let none = target
        .ask("POST", "serviceaccounts/none/token", request.clone())
        .await;
    assert_eq!(none.reason(), (404, "NotFound"));
    let account = json!({"metadata": {"name": "robot"}});
    target.create("serviceaccounts", account).await;
    let made = target
        .ask("POST", "serviceaccounts/robot/token", request)
        .await;
    assert_eq!(
        (made.code, &made.body["kind"]),
        (201, &json!("TokenRequest"))
    );
    assert!(made.body["status"]["token"].is_string());
}

#[tokio::test(start_paused = true)]
async fn an_administrator_may_do_everything() {
    let target = target().await;
    let asked = json!({"spec": {"resourceAttributes": {"verb": "delete", "resource": "nodes"}}});
    let path = "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews";
    let answer = target.ask("POST", path, asked).await;
    assert_eq!(
        (answer.code, &answer.body["status"]["allowed"]),
        (201, &json!(true))
    );
}
