//! world — demand-response's services in this process, on free ports, spoken to over real HTTP, with a real broker between them.

use broker::{Broker, Config};
use bytes::Bytes;
use futures::future::join_all;
use http::{HeaderMap, Method, Request, StatusCode, header};
use http_body_util::{BodyExt, Full};
use hyper_util::client::legacy::Client;
use hyper_util::rt::TokioExecutor;
use kernel::{Env, Running};
use rdkafka::Message;
use rdkafka::consumer::{Consumer, StreamConsumer};
use rdkafka::producer::{FutureProducer, FutureRecord};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::time::Duration;
use tempfile::TempDir;

/// What came back.
#[derive(Debug)]
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

/// All of demand-response, with rows in files.
pub struct World {
    pub env: Env,
    services: BTreeMap<&'static str, Running>,
    broker: Broker,
    folder: TempDir,
}

/// Callees before callers, the gateway last.
const SERVICES: [&str; 6] = ["user", "kepco", "response", "dr", "frontend", "gateway"];

impl World {
    /// Starts everything, with these variables more.
    pub async fn start(variables: &[(&str, &str)]) -> World {
        let folder = tempfile::tempdir().unwrap();
        let config = Config {
            initial_rebalance_delay: Duration::ZERO,
            ..Config::new("127.0.0.1:0".parse().unwrap(), folder.path().join("kafka"))
        };
        let broker = Broker::start(config).await.unwrap();
        let files = databases::lasting(folder.path(), "{service}.db");
        let mut env = Env::from_iter(variables.iter().copied())
            .with("KAFKA_BROKERS", broker.local_addr().to_string())
            .with("DATABASE_URL", files);
        let mut services = BTreeMap::new();
        for name in SERVICES {
            let running = start(name, &env).await;
            let variable = format!("{}_URL", name.to_uppercase());
            env = env.with(&variable, url(&running));
            services.insert(name, running);
        }
        World {
            env,
            services,
            broker,
            folder,
        }
    }

    pub fn service(&self, name: &str) -> &Running {
        &self.services[name]
    }

    /// Ends a service well; it can be started again at the same place.
    pub async fn away(&mut self, name: &'static str) {
        self.services.remove(name).unwrap().stop().await;
    }

    /// Ends a service in the middle of whatever it does.
    pub fn kill(&mut self, name: &'static str) {
        drop(self.services.remove(name).unwrap());
    }

    /// Starts a service again where it was.
    pub async fn back(&mut self, name: &'static str) {
        let place: String = self
            .env
            .or(&format!("{}_URL", name.to_uppercase()), String::new());
        let port = place.rsplit(':').next().unwrap();
        let env = self
            .env
            .clone()
            .with("POD_IP", "127.0.0.1")
            .with("PORT", port);
        let service = || demand_response::service(name, &env).unwrap();
        // The one before may still hold the port.
        let starting = async {
            loop {
                if let Ok(running) = kernel::start(service(), &env).await {
                    return running;
                }
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
        };
        let running = tokio::time::timeout(Duration::from_secs(10), starting).await;
        self.services.insert(name, running.expect("it starts"));
    }

    /// A request through the gateway.
    pub async fn ask(&self, method: Method, path: &str, body: Value) -> Reply {
        let body = if body.is_null() {
            String::new()
        } else {
            body.to_string()
        };
        send(
            method,
            self.service("gateway"),
            "localhost:8088",
            path,
            &body,
        )
        .await
    }

    pub async fn get(&self, path: &str) -> Reply {
        self.ask(Method::GET, path, Value::Null).await
    }

    pub async fn put(&self, path: &str) -> Reply {
        self.ask(Method::PUT, path, Value::Null).await
    }

    /// Registers customers who use so much as a rule: user 1, user 2, …
    pub async fn register(&self, capacities: &[i64]) {
        for (n, capacity) in capacities.iter().enumerate() {
            let body = json!({"name": format!("고객{}", n + 1), "capacity": capacity.to_string()});
            let created = self.ask(Method::POST, "/users", body).await;
            assert_eq!(created.status, StatusCode::CREATED, "{}", created.body);
        }
    }

    /// Notes what a customer's meter shows.
    pub async fn uses(&self, user: usize, used: i64) {
        let path = format!("/meters/{user}");
        let noted = self
            .ask(Method::PUT, &path, json!({"usedKw": used.to_string()}))
            .await;
        assert_eq!(noted.status, StatusCode::OK, "{}", noted.body);
    }

    /// The report's request, through the gateway.
    pub async fn start_order(&self) -> Reply {
        let started = self.ask(Method::POST, "/startdr", report_order()).await;
        assert_eq!(started.status, StatusCode::CREATED, "{}", started.body);
        started
    }

    /// The answers to an order, by customer.
    pub async fn answers(&self, dr_id: &str) -> Vec<String> {
        let mut rows = self.list("responses").await;
        rows.retain(|row| row["drId"] == dr_id);
        rows.sort_by_key(|row| row["userId"].as_i64());
        let answers = rows.iter().map(|row| row["answer"].as_str().unwrap());
        answers.map(str::to_owned).collect()
    }

    pub async fn answers_become(&self, dr_id: &str, answers: &[&str]) {
        eventually(async || self.answers(dr_id).await == answers).await;
    }

    /// Chooses for a customer, whatever the number of the response is.
    pub async fn choose(&self, dr_id: &str, user: i64, answer: &str) -> Reply {
        let rows = self.list("responses").await;
        let is_it = |row: &&Value| row["drId"] == dr_id && row["userId"] == user;
        let row = rows.iter().find(is_it).expect("there is a response");
        let href = row["_links"]["self"]["href"].as_str().unwrap();
        let id = href.rsplit('/').next().unwrap();
        self.put(&format!("/responses/{id}/{answer}")).await
    }

    pub async fn points_become(&self, points: &[i64]) {
        let expected: Vec<Value> = points.iter().map(|point| json!(point)).collect();
        eventually(async || self.all("users", "point").await == expected).await;
    }

    /// The rows of a collection, through the gateway.
    pub async fn list(&self, collection: &str) -> Vec<Value> {
        let list = self.get(&format!("/{collection}?size=1000")).await.json();
        list["_embedded"][collection].as_array().unwrap().clone()
    }

    /// The values of a field in a collection.
    pub async fn all(&self, collection: &str, field: &str) -> Vec<Value> {
        let rows = self.list(collection).await;
        rows.iter().map(|row| row[field].clone()).collect()
    }

    /// Everything told on the topic so far, read until this many events have come.
    pub async fn told(&self, count: usize) -> Vec<Value> {
        let consumer: StreamConsumer = rdkafka::ClientConfig::new()
            .set("bootstrap.servers", self.broker.local_addr().to_string())
            .set("group.id", "witness")
            .set("auto.offset.reset", "earliest")
            .create()
            .unwrap();
        consumer.subscribe(&["demand-response"]).unwrap();
        let mut events: Vec<Value> = Vec::new();
        while events.len() < count {
            let message = tokio::time::timeout(Duration::from_secs(10), consumer.recv()).await;
            let message = message
                .unwrap_or_else(|_| panic!("only {events:?}"))
                .unwrap();
            events.push(serde_json::from_slice(message.payload().unwrap()).unwrap());
        }
        // A consumer says good-bye to the broker and waits, and the broker is on this thread.
        tokio::task::spawn_blocking(move || drop(consumer))
            .await
            .unwrap();
        events
    }

    /// Tells something on the topic.
    pub async fn tell(&self, event: &Value) {
        let producer: FutureProducer = rdkafka::ClientConfig::new()
            .set("bootstrap.servers", self.broker.local_addr().to_string())
            .create()
            .unwrap();
        let payload = event.to_string();
        let key = event["key"].as_str().unwrap();
        let record = FutureRecord::to("demand-response")
            .key(key)
            .payload(&payload);
        producer
            .send(record, Duration::from_secs(10))
            .await
            .unwrap();
    }

    pub async fn stop(self) {
        let World {
            services,
            broker,
            folder,
            ..
        } = self;
        join_all(services.into_values().map(Running::stop)).await;
        broker.shutdown().await;
        drop(folder);
    }
}

/// `name="kt" type="reliable" status="running" date="2024-10-08"`, as the report starts an order.
pub fn report_order() -> Value {
    json!({"name": "kt", "type": "reliable", "status": "running", "date": "2024-10-08"})
}

/// Starts a service on a free port of the loopback.
pub async fn start(name: &str, env: &Env) -> Running {
    let env = env
        .clone()
        .with("POD_IP", "127.0.0.1")
        .with("PORT", "0")
        .with_default("KAFKA_BROKERS", "none")
        .with_default("DATABASE_URL", databases::url());
    kernel::start(demand_response::service(name, &env).unwrap(), &env)
        .await
        .unwrap()
}

/// Where a service is, as a value for `<CALLEE>_URL`.
pub fn url(service: &Running) -> String {
    format!("http://{}", service.address)
}

/// Sends a request on a connection of its own, as `http` does.
pub async fn send(method: Method, service: &Running, host: &str, path: &str, body: &str) -> Reply {
    let client = Client::builder(TokioExecutor::new())
        .set_host(false)
        .build_http();
    let request = Request::builder()
        .method(method)
        .uri(format!("{}{path}", url(service)))
        .header(header::HOST, host)
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
