//! A server that is asked by an administrator, by an account, and in the names of others.

use apiserver::{ApiServer, Config};
use axum::body::Body;
use http::{Method, Request};
use http_body_util::BodyExt;
use serde_json::{Value, json};
use tower::ServiceExt;

pub const RBAC: &str = "/apis/rbac.authorization.k8s.io/v1";
pub const PODS: &str = "/api/v1/namespaces/shop/pods";
pub const ROBOT: &str = "system:serviceaccount:shop:robot";

/// A server with a namespace `shop` and, in it, an account `robot`.
pub struct Server {
    pub server: ApiServer,
    pub token: String,
}

pub async fn server() -> Server {
    let mut server = Server {
        server: ApiServer::new(Config::default()),
        token: String::new(),
    };
    let namespace = json!({"metadata": {"name": "shop"}});
    server.made("/api/v1/namespaces", namespace).await;
    let accounts = "/api/v1/namespaces/shop/serviceaccounts";
    server
        .made(accounts, json!({"metadata": {"name": "robot"}}))
        .await;
    let (_, issued) = server
        .ask(
            &[],
            "POST",
            &format!("{accounts}/robot/token"),
            json!({"spec": {}}),
        )
        .await;
    server.token = issued["status"]["token"].as_str().unwrap().into();
    server
}

impl Server {
    pub async fn ask(
        &self,
        headers: &[(&str, &str)],
        method: &str,
        path: &str,
        body: Value,
    ) -> (u16, Value) {
        let mut request = Request::builder()
            .uri(path)
            .method(Method::try_from(method).unwrap());
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let kind = match method {
            "PATCH" => "application/merge-patch+json",
            _ => "application/json",
        };
        let request = request.header("content-type", kind);
        let body = match body {
            Value::Null => Body::empty(),
            body => Body::from(body.to_string()),
        };
        let answer = self.server.router().oneshot(request.body(body).unwrap());
        let answer = answer.await.unwrap();
        let code = answer.status().as_u16();
        let bytes = answer.into_body().collect().await.unwrap().to_bytes();
        (code, serde_json::from_slice(&bytes).unwrap_or_default())
    }

    /// As an administrator.
    pub async fn made(&self, path: &str, body: Value) {
        let (code, answer) = self.ask(&[], "POST", path, body).await;
        assert_eq!(code, 201, "{answer}");
    }

    /// By the account, shown by its token: the answer's code and message.
    pub async fn robot(&self, method: &str, path: &str, body: Value) -> (u16, String) {
        let token = format!("Bearer {}", self.token);
        self.told(&[("authorization", &token)], method, path, body)
            .await
    }

    pub async fn told(
        &self,
        headers: &[(&str, &str)],
        method: &str,
        path: &str,
        body: Value,
    ) -> (u16, String) {
        let (code, answer) = self.ask(headers, method, path, body).await;
        (code, answer["message"].as_str().unwrap_or("").to_owned())
    }

    /// Gives the account rules, in `shop` or everywhere.
    pub async fn give(&self, name: &str, rules: Value, everywhere: bool) {
        let subjects = json!([{"kind": "ServiceAccount", "name": "robot", "namespace": "shop"}]);
        let group = "rbac.authorization.k8s.io";
        let role = json!({"metadata": {"name": name}, "rules": rules});
        self.made(&format!("{RBAC}/clusterroles"), role).await;
        let binding = json!({"metadata": {"name": name}, "subjects": subjects,
            "roleRef": {"apiGroup": group, "kind": "ClusterRole", "name": name}});
        let place = match everywhere {
            true => format!("{RBAC}/clusterrolebindings"),
            false => format!("{RBAC}/namespaces/shop/rolebindings"),
        };
        self.made(&place, binding).await;
    }
}
