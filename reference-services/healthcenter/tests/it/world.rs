//! world — healthcenter's services in this process, on free ports, spoken to over real HTTP, with a real broker between them.

use broker::{Broker, Config};
use bytes::Bytes;
use futures::future::join_all;
use http::{HeaderMap, Method, Request, StatusCode, header};
use http_body_util::{BodyExt, Full};
use hyper_util::client::legacy::Client;
use hyper_util::rt::TokioExecutor;
use kernel::{Env, Running};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::time::Duration;
use tempfile::TempDir;

/// What came back.
pub struct Reply {
    pub status: StatusCode,
    pub headers: HeaderMap,
    pub body: String,
}

impl Reply {
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap_or_else(|why| panic!("{why}: {}", self.body))
    }

    pub fn header(&self, name: &str) -> &str {
        self.headers
            .get(name)
            .map_or("", |value| value.to_str().unwrap())
    }
}

/// All of healthcenter, each service at the address it keeps when it is started again.
pub struct World {
    pub env: Env,
    services: BTreeMap<&'static str, Running>,
    ports: BTreeMap<&'static str, u16>,
    broker: Broker,
    folder: TempDir,
}

impl World {
    /// Starts everything, with these variables more; rows are kept in files.
    pub async fn start(variables: &[(&str, &str)]) -> World {
        let folder = tempfile::tempdir().unwrap();
        let config = Config {
            initial_rebalance_delay: Duration::ZERO,
            ..Config::new("127.0.0.1:0".parse().unwrap(), folder.path().join("kafka"))
        };
        let broker = Broker::start(config).await.unwrap();
        let files = databases::lasting(folder.path(), "{service}.db");
        let env = Env::from_iter(variables.iter().copied())
            .with("KAFKA_BROKERS", broker.local_addr().to_string())
            .with_default("DATABASE_URL", files);
        let mut world = World {
            env,
            services: BTreeMap::new(),
            ports: BTreeMap::new(),
            broker,
            folder,
        };
        for name in ["payment", "order", "reservation", "notification", "gateway"] {
            let running = start(name, &world.env).await;
            let variable = format!("{}_URL", name.to_uppercase());
            world.env = world.env.with(&variable, url(&running));
            world.ports.insert(name, running.address.port());
            world.services.insert(name, running);
        }
        world
    }

    pub fn service(&self, name: &str) -> &Running {
        &self.services[name]
    }

    /// Where the broker is.
    pub fn broker(&self) -> String {
        self.broker.local_addr().to_string()
    }

    /// Where the services keep their rows.
    pub fn database(&self) -> String {
        self.env.or("DATABASE_URL", String::new())
    }

    /// Ends a service.
    pub async fn stop_one(&mut self, name: &str) {
        self.services.remove(name).expect("it runs").stop().await;
    }

    /// Starts a service that was stopped, where it was.
    pub async fn start_one(&mut self, name: &'static str, variables: &[(&str, &str)]) {
        let env = variables
            .iter()
            .fold(self.env.clone(), |env, (name, value)| {
                env.with(name, *value)
            });
        let env = env
            .with("POD_IP", "127.0.0.1")
            .with("PORT", self.ports[name].to_string());
        let service = healthcenter::service(name, &env).unwrap();
        let running = kernel::start(service, &env).await.unwrap();
        self.services.insert(name, running);
    }

    /// `http localhost:8081/orders …`: a POST to a service as the report's reader sends it.
    pub async fn post(&self, name: &str, path: &str, body: Value) -> Reply {
        send(
            Method::POST,
            self.service(name),
            host(name),
            path,
            &body.to_string(),
        )
        .await
    }

    /// A GET, likewise.
    pub async fn get(&self, name: &str, path: &str) -> Reply {
        send(Method::GET, self.service(name), host(name), path, "").await
    }

    /// A change or a deletion of an order.
    pub async fn change_order(&self, method: Method, id: i64, body: Value) -> Reply {
        let path = format!("/orders/{id}");
        let order = self.service("order");
        send(method, order, host("order"), &path, &body.to_string()).await
    }

    /// The rows of a collection, without their links.
    pub async fn rows(&self, collection: &str) -> Vec<Value> {
        let name = match collection {
            "orders" => "order",
            "paymentHistories" => "payment",
            "reservations" | "cancellations" => "reservation",
            _ => "notification",
        };
        let list = self
            .get(name, &format!("/{collection}?size=1000"))
            .await
            .json();
        let mut rows = list["_embedded"][collection].as_array().unwrap().clone();
        for row in &mut rows {
            row.as_object_mut().unwrap().remove("_links");
        }
        rows
    }

    /// The values of a field in a collection.
    pub async fn all(&self, collection: &str, field: &str) -> Value {
        let rows = self.rows(collection).await;
        rows.iter().map(|row| row[field].clone()).collect()
    }

    /// Waits until a field has these values in a collection.
    pub async fn until(&self, collection: &str, field: &str, values: Value) {
        let mut last = Value::Null;
        let waiting = async {
            while last != values {
                tokio::time::sleep(Duration::from_millis(10)).await;
                last = self.all(collection, field).await;
            }
        };
        let in_time = tokio::time::timeout(Duration::from_secs(30), waiting).await;
        assert!(
            in_time.is_ok(),
            "{collection}.{field} is {last}, not {values}"
        );
    }

    /// Applies for a check-up, and waits until it is seen as booked.
    pub async fn book(&self, name: &str) {
        let created = self
            .post(
                "order",
                "/orders",
                json!({"orderType": "basic", "name": name}),
            )
            .await;
        assert_eq!(created.status, StatusCode::CREATED, "{}", created.body);
        let seen = self.rows("orders").await.len();
        let booked = json!(vec!["Reservation Complete"; seen]);
        self.until("mypages", "status", booked).await;
    }

    pub async fn stop(self) {
        join_all(self.services.into_values().map(Running::stop)).await;
        self.broker.shutdown().await;
        drop(self.folder);
    }
}

/// What the report's reader calls a service.
fn host(name: &str) -> &'static str {
    match name {
        "order" => "localhost:8081",
        "reservation" => "localhost:8082",
        "payment" => "localhost:8083",
        "notification" => "localhost:8084",
        _ => "localhost:8080",
    }
}

/// Starts a service on a free port of the loopback.
pub async fn start(name: &str, env: &Env) -> Running {
    let env = env
        .clone()
        .with("POD_IP", "127.0.0.1")
        .with("PORT", "0")
        .with_default("KAFKA_BROKERS", "none")
        .with_default("DATABASE_URL", databases::url());
    kernel::start(healthcenter::service(name, &env).unwrap(), &env)
        .await
        .unwrap()
}

/// Where a service is, as a value for `<CALLEE>_URL`.
pub fn url(service: &Running) -> String {
    format!("http://{}", service.address)
}

/// Sends a request on a connection of its own, as `siege` and `http` do.
pub async fn send(method: Method, to: &Running, host: &str, path: &str, body: &str) -> Reply {
    let client = Client::builder(TokioExecutor::new())
        .set_host(false)
        .build_http();
    let request = Request::builder()
        .method(method)
        .uri(format!("{}{path}", url(to)))
        .header(header::HOST, host)
        .header(header::ORIGIN, "http://center.example")
        .header(header::CONTENT_TYPE, "application/json")
        .body(Full::new(Bytes::from(body.to_owned())))
        .unwrap();
    let response = client.request(request).await.unwrap();
    let (head, body) = response.into_parts();
    let body = body.collect().await.unwrap().to_bytes();
    Reply {
        status: head.status,
        headers: head.headers,
        body: String::from_utf8(body.to_vec()).unwrap(),
    }
}

/// Waits until a condition holds.
pub async fn eventually(condition: impl AsyncFn() -> bool) {
    let waiting = async {
        while !condition().await {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(30), waiting)
        .await
        .expect("it holds in time");
}
