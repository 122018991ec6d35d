//! chain — headquarters, logistics, a till and a station around one broker, and what people do with them.

use crate::world::{becomes, post, post_form, start};
use broker::{Broker, Config};
use futures::future::join_all;
use http::StatusCode;
use kernel::{Env, Running};
use serde_json::{Value, json};
use std::time::Duration;
use tempfile::TempDir;

/// The chain's services. Each has a database that outlives it.
pub struct Chain {
    pub logistics: Running,
    pub pos: Running,
    pub station: Running,
    order: Option<Running>,
    env: Env,
    broker: Broker,
    _folder: TempDir,
}

impl Chain {
    pub async fn start() -> Chain {
        let folder = tempfile::tempdir().unwrap();
        let listen = "127.0.0.1:0".parse().unwrap();
        let config = Config {
            initial_rebalance_delay: Duration::ZERO,
            ..Config::new(listen, folder.path().join("kafka"))
        };
        let broker = Broker::start(config).await.unwrap();
        let database = databases::lasting(folder.path(), "{service}.db");
        let env = Env::from_iter([("station_nm", "SK Imme"), ("station_cd", "ST0001")])
            .with("KAFKA_BROKERS", broker.local_addr().to_string())
            .with("DATABASE_URL", database);
        Chain {
            order: Some(start("order", &env).await),
            logistics: start("logistics", &env).await,
            pos: start("pos", &env).await,
            station: start("station", &env).await,
            env,
            broker,
            _folder: folder,
        }
    }

    pub fn order(&self) -> &Running {
        self.order.as_ref().expect("order is up")
    }

    pub async fn stop_order(&mut self) {
        self.order.take().expect("order is up").stop().await;
    }

    pub async fn start_order(&mut self) {
        self.order = Some(start("order", &self.env).await);
    }

    /// Has the station read everything again from the beginning, as a group that nobody knows.
    pub async fn tell_the_station_everything_again(&mut self) {
        let env = self.env.clone().with("KAFKA_GROUP", "station-again");
        let again = start("station", &env).await;
        std::mem::replace(&mut self.station, again).stop().await;
    }

    /// Ends the services, then what they spoke through.
    pub async fn stop(self) {
        let services = [self.logistics, self.pos, self.station];
        join_all(services.into_iter().chain(self.order).map(Running::stop)).await;
        self.broker.shutdown().await;
    }

    /// Orders stock: the first order of this chain.
    pub async fn place(&self, qty: i64) {
        let form = format!("productId=CD1001&qty={qty}&destAddr=SK_Imme_Station");
        let placed = post_form(self.order(), "/orders/placeOrder", &form).await;
        assert_eq!(placed.status, StatusCode::OK);
    }

    /// Waits until the station expects the first order.
    pub async fn expected(&self, qty: i64) {
        becomes(&self.station, "incomings", incoming(qty, "expected")).await;
    }

    /// The first order has arrived.
    pub async fn arrive(&self) {
        let done = post(&self.station, "/incomings/1/complete", json!({})).await;
        assert_eq!(
            (done.status, &done.json()["status"]),
            (StatusCode::OK, &json!("completed"))
        );
    }

    /// Orders stock, which arrives.
    pub async fn stock_up(&self, qty: i64) {
        self.place(qty).await;
        self.expected(qty).await;
        self.arrive().await;
        becomes(self.order(), "orders", order(qty, "received")).await;
    }

    /// Sets the price, and waits until the till knows it.
    pub async fn price(&self, price: i64) {
        let asked = json!({"productId": "CD1001", "price": price});
        let set = post(&self.station, "/prices", asked).await;
        assert_eq!(set.status, StatusCode::CREATED);
        let known = json!([{"productId": "CD1001", "price": price}]);
        becomes(&self.pos, "prices", known).await;
    }

    /// Sells; the answer says what it was sold for.
    pub async fn sell(&self, qty: i64) -> Value {
        let asked = json!({"productId": "CD1001", "qty": qty});
        let sold = post(&self.pos, "/sales", asked).await;
        assert_eq!(sold.status, StatusCode::CREATED);
        sold.json()
    }

    pub async fn cancel(&self, sale: usize) {
        let path = format!("/sales/{sale}/cancel");
        let canceled = post(&self.pos, &path, json!({})).await;
        assert_eq!(
            (canceled.status, &canceled.json()["status"]),
            (StatusCode::OK, &json!("canceled"))
        );
    }

    pub async fn stock_becomes(&self, qty: i64, price: i64) {
        let stock = json!([{"productId": "CD1001", "qty": qty, "price": price}]);
        becomes(&self.station, "stocks", stock).await;
    }

    pub async fn summary_becomes(&self, qty: i64, amount: i64) {
        let summary = json!([{"productId": "CD1001", "salesQty": qty, "salesAmount": amount}]);
        becomes(&self.station, "salesSummaries", summary).await;
    }
}

/// The first order, as headquarters shows it.
pub fn order(qty: i64, status: &str) -> Value {
    json!([{"orderId": 1, "productId": "CD1001", "qty": qty, "destAddr": "SK_Imme_Station", "stationCode": "ST0001", "status": status}])
}

/// The first order, as logistics shows it.
pub fn delivery(qty: i64, status: &str) -> Value {
    json!([{"deliveryId": 1, "orderId": 1, "productId": "CD1001", "qty": qty, "destAddr": "SK_Imme_Station", "status": status}])
}

/// The first order, as the station shows it.
pub fn incoming(qty: i64, status: &str) -> Value {
    json!([{"orderId": 1, "productId": "CD1001", "qty": qty, "status": status}])
}
