//! world — airbnb's services in this process, on free ports, spoken to over real HTTP, with a real broker between them.

use broker::{Broker, Config};
use bytes::Bytes;
use futures::future::join_all;
use http::{HeaderMap, Method, Request, StatusCode, header};
use http_body_util::{BodyExt, Full};
use hyper_util::client::legacy::Client;
use hyper_util::rt::TokioExecutor;
use kernel::{Env, Running};
use serde_json::{Value, json};
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

/// All of airbnb.
pub struct World {
    pub env: Env,
    pub room: Running,
    pub reservation: Running,
    pub payment: Running,
    pub message: Running,
    pub viewpage: Running,
    pub gateway: Running,
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
            .with("DATABASE_URL", files);
        let (room, payment) = (start("room", &env).await, start("payment", &env).await);
        let env = env
            .with("ROOM_URL", url(&room))
            .with("PAYMENT_URL", url(&payment));
        let reservation = start("reservation", &env).await;
        let (message, viewpage) = (start("message", &env).await, start("viewpage", &env).await);
        let env = env
            .with("RESERVATION_URL", url(&reservation))
            .with("MESSAGE_URL", url(&message))
            .with("VIEWPAGE_URL", url(&viewpage));
        let gateway = start("gateway", &env).await;
        World {
            env,
            room,
            reservation,
            payment,
            message,
            viewpage,
            gateway,
            broker,
            folder,
        }
    }

    /// Where the broker is.
    pub fn broker(&self) -> String {
        self.broker.local_addr().to_string()
    }

    /// Starts a service again where one was that has been stopped.
    pub async fn restart(&self, name: &str, was: &str) -> Running {
        let port = was.rsplit(':').next().unwrap();
        let env = self
            .env
            .clone()
            .with("POD_IP", "127.0.0.1")
            .with("PORT", port);
        kernel::start(airbnb::SYSTEM.service(name, &env).unwrap(), &env)
            .await
            .unwrap()
    }

    /// Registers a room with the report's request.
    pub async fn register(&self) {
        let created = post(
            &self.room,
            "room:8080",
            "/rooms",
            json!({"desc": "Beautiful House3"}),
        )
        .await;
        assert_eq!(created.status, StatusCode::CREATED);
    }

    /// The report's request for a reservation of room 1, through the gateway.
    pub async fn reserve(&self) -> Reply {
        self.reserve_for(json!({"roomId": "1", "status": "reqReserve"}))
            .await
    }

    pub async fn reserve_for(&self, body: Value) -> Reply {
        post(&self.gateway, "localhost:8088", "/reservations", body).await
    }

    /// The rows of a collection, through the gateway.
    pub async fn list(&self, collection: &str) -> Vec<Value> {
        let path = format!("/{collection}?size=1000");
        let list = get(&self.gateway, "localhost:8088", &path).await.json();
        list["_embedded"][collection].as_array().unwrap().clone()
    }

    /// The values of a field in a collection.
    pub async fn all(&self, collection: &str, field: &str) -> Vec<Value> {
        let rows = self.list(collection).await;
        rows.iter().map(|row| row[field].clone()).collect()
    }

    /// Waits until a field has these values in a collection.
    pub async fn until(&self, collection: &str, field: &str, values: &[&str]) {
        eventually(async || self.all(collection, field).await == values).await;
    }

    pub async fn stop(self) {
        let World {
            room,
            reservation,
            payment,
            message,
            viewpage,
            gateway,
            broker,
            folder,
            ..
        } = self;
        let running = [room, reservation, payment, message, viewpage, gateway];
        join_all(running.map(Running::stop)).await;
        broker.shutdown().await;
        drop(folder);
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
    kernel::start(airbnb::SYSTEM.service(name, &env).unwrap(), &env)
        .await
        .unwrap()
}

/// Where a service is, as a value for `<CALLEE>_URL`.
pub fn url(service: &Running) -> String {
    format!("http://{}", service.address)
}

/// Sends a request on a connection of its own, as `siege` and `http` do.
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

pub async fn get(service: &Running, host: &str, path: &str) -> Reply {
    send(Method::GET, service, host, path, "").await
}

pub async fn post(service: &Running, host: &str, path: &str, body: Value) -> Reply {
    send(Method::POST, service, host, path, &body.to_string()).await
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
