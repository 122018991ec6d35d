//! Programs in pods that speak to the cluster's API, and what they may do there.

use axum::http::Request;
use k8s_openapi::api::core::v1::{Pod, ServiceAccount};
use k8s_openapi::api::rbac::v1::{Role, RoleBinding};
use kube::api::PostParams;
use serde_json::{Value, json};

use crate::kinds::phase;
use crate::world::{World, conform};

/// What a pod under this account is told when it asks for a path; it asks until it is told what is `wanted`.
async fn until_told(world: &World, pod: &str, path: &str, wanted: &str) {
    let what = format!("{pod} is told {wanted}");
    let within = std::time::Duration::from_secs(30);
    let mut told = String::new();
    let asked = world.eventually(&what, within, async || {
        told = world.sh(pod, &format!("conformance-pod api {path}")).await;
        told.trim() == wanted
    });
    asked.await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_program_in_a_pod_may_do_what_roles_say_and_is_told_what_it_may_not() {
    conform("In-cluster access", async |world| {
        let namespace = &world.namespace;
        world
            .create::<ServiceAccount>(json!({"metadata": {"name": "chaos"}}))
            .await;
        let account = json!({"serviceAccountName": "chaos"});
        world.pod("caller", world.shell("sleep 1000"), account).await;
        world
            .until::<Pod>("caller", "running", |pod| phase(pod) == "Running")
            .await;
        let pods = format!("/api/v1/namespaces/{namespace}/pods");
        let user = format!("User \"system:serviceaccount:{namespace}:chaos\"");
        let refused = format!(
            "403 pods is forbidden: {user} cannot list resource \"pods\" in API group \"\" in the namespace \"{namespace}\""
        );
        until_told(world, "caller", &pods, &refused).await;
        world
            .create::<Role>(json!({"metadata": {"name": "reader"},
                "rules": [{"apiGroups": [""], "resources": ["pods"], "verbs": ["list"]}]}))
            .await;
        world
            .create::<RoleBinding>(json!({"metadata": {"name": "reader"},
                "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "Role", "name": "reader"},
                "subjects": [{"kind": "ServiceAccount", "name": "chaos", "namespace": namespace}]}))
            .await;
        until_told(world, "caller", &pods, "PodList 1").await;
        let one = format!("{pods}/caller");
        let refused = format!(
            "403 pods \"caller\" is forbidden: {user} cannot get resource \"pods\" in API group \"\" in the namespace \"{namespace}\""
        );
        until_told(world, "caller", &one, &refused).await;
        let nodes = format!(
            "403 nodes is forbidden: {user} cannot list resource \"nodes\" in API group \"\" at the cluster scope"
        );
        until_told(world, "caller", "/api/v1/nodes", &nodes).await;
        let folder = "/var/run/secrets/kubernetes.io/serviceaccount";
        let read = world.sh("caller", &format!("cat {folder}/namespace")).await;
        assert_eq!(read, *namespace);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_pod_that_wants_no_token_gets_none() {
    conform("No token", async |world| {
        let none = json!({"automountServiceAccountToken": false});
        let pod = world.pod("alone", world.shell("sleep 1000"), none).await;
        let volumes = pod.spec.unwrap().volumes.unwrap();
        assert_eq!(volumes.len(), 1, "{volumes:?}");
        world
            .until::<Pod>("alone", "running", |pod| phase(pod) == "Running")
            .await;
        let told = world.sh("alone", "conformance-pod api /api || true").await;
        assert!(told.starts_with("no client: "), "{told}");
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_pod_of_an_account_that_does_not_exist_is_forbidden() {
    conform("No account", async |world| {
        let pod = json!({"metadata": {"name": "nobody"},
            "spec": {"serviceAccountName": "nobody", "containers": [world.shell("true")]}});
        let pod: Pod = serde_json::from_value(pod).unwrap();
        let (pods, params) = (world.api::<Pod>(), PostParams::default());
        let Err(kube::Error::Api(refusal)) = pods.create(&params, &pod).await else {
            panic!("it was admitted")
        };
        let namespace = &world.namespace;
        let message = format!(
            "pods \"nobody\" is forbidden: error looking up service account {namespace}/nobody: serviceaccount \"nobody\" not found"
        );
        assert_eq!((refusal.code, &*refusal.message), (403, &*message));
    })
    .await;
}

/// Creates a role in the name of an account; what it is told if that is refused.
async fn told(world: &World, account: &str, role: Value) -> Result<(), (u16, String)> {
    let namespace = &world.namespace;
    let path = format!("/apis/rbac.authorization.k8s.io/v1/namespaces/{namespace}/roles");
    let request = Request::post(path)
        .header("content-type", "application/json")
        .header("impersonate-user", account)
        .body(role.to_string().into_bytes())
        .unwrap();
    match world.client.request::<Role>(request).await {
        Ok(_) => Ok(()),
        Err(kube::Error::Api(refusal)) => Err((refusal.code, refusal.message)),
        Err(error) => panic!("{error}"),
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn in_the_name_of_an_account_no_role_gives_more_than_the_account_has() {
    conform("Escalation", async |world| {
        let namespace = &world.namespace;
        let account = format!("system:serviceaccount:{namespace}:maker");
        let role = |name: &str, rules: Value| json!({"apiVersion": "rbac.authorization.k8s.io/v1", "kind": "Role",
            "metadata": {"name": name}, "rules": rules});
        let pods = |verbs: &[&str]| json!([{"apiGroups": [""], "resources": ["pods"], "verbs": verbs}]);
        let refused = format!(
            "roles.rbac.authorization.k8s.io is forbidden: User \"{account}\" cannot create resource \"roles\" in API group \"rbac.authorization.k8s.io\" in the namespace \"{namespace}\""
        );
        assert_eq!(told(world, &account, role("a", pods(&["get"]))).await, Err((403, refused)));
        let rules = json!([{"apiGroups": ["rbac.authorization.k8s.io"], "resources": ["roles"], "verbs": ["create"]},
            {"apiGroups": [""], "resources": ["pods"], "verbs": ["get"]}]);
        world.create::<Role>(role("maker", rules)).await;
        world
            .create::<RoleBinding>(json!({"metadata": {"name": "maker"},
                "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "Role", "name": "maker"},
                "subjects": [{"kind": "ServiceAccount", "name": "maker", "namespace": namespace}]}))
            .await;
        let told_at_last = async |name: &str, verbs: &[&str]| {
            let mut last = Ok(());
            let moments = std::time::Duration::from_secs(30);
            // A real server learns of a new binding a moment later.
            let known = async || {
                last = told(world, &account, role(name, pods(verbs))).await;
                !matches!(&last, Err((_, why)) if why.contains("cannot create resource"))
            };
            world.eventually("the binding is known", moments, known).await;
            last
        };
        assert_eq!(told_at_last("b", &["get"]).await, Ok(()));
        let refused = format!(
            "roles.rbac.authorization.k8s.io \"c\" is forbidden: user \"{account}\" (groups=[\"system:serviceaccounts\" \"system:serviceaccounts:{namespace}\" \"system:authenticated\"]) is attempting to grant RBAC permissions not currently held:\n{{APIGroups:[\"\"], Resources:[\"pods\"], Verbs:[\"list\"]}}"
        );
        assert_eq!(told_at_last("c", &["get", "list"]).await, Err((403, refused)));
    })
    .await;
}
