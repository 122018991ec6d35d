//! The report's second verification: while alarm is away rooms are registered, and their alarms are there when it is back.

use crate::world::{eventually, get, post, start, url};
use broker::{Broker, Config};
use futures::future::join_all;
use http::StatusCode;
use kernel::{Env, Running};
use serde_json::{Value, json};
use std::time::Duration;
use tempfile::TempDir;

async fn broker() -> (Broker, TempDir, Env) {
    let folder = tempfile::tempdir().unwrap();
    let listen = "127.0.0.1:0".parse().unwrap();
    let config = Config {
        initial_rebalance_delay: Duration::ZERO,
        ..Config::new(listen, folder.path())
    };
    let broker = Broker::start(config).await.unwrap();
    let env = Env::default().with("KAFKA_BROKERS", broker.local_addr().to_string());
    (broker, folder, env)
}

async fn list(service: &Running, collection: &str) -> Vec<Value> {
    let list = get(service, "alarm:8080", &format!("/{collection}?size=1000"))
        .await
        .json();
    list["_embedded"][collection].as_array().unwrap().clone()
}

#[tokio::test]
async fn every_room_registered_while_alarm_was_away_has_one_alarm() {
    const ROOMS: usize = 100;
    let (_broker, _folder, env) = broker().await;
    let auth = start("auth", &env).await;
    let room = start("room", &env.clone().with("AUTH_URL", url(&auth))).await;
    for n in 0..ROOMS {
        let asked = json!({"name": "호텔3", "price": "1000", "address": "서울", "host": format!("Superman{n}")});
        assert_eq!(
            post(&room, "room:8080", "/rooms", asked).await.status,
            StatusCode::CREATED
        );
    }
    let alarm = start("alarm", &env).await;
    eventually(async || list(&alarm, "alarms").await.len() >= ROOMS).await;
    let receivers: Vec<_> = list(&alarm, "alarms")
        .await
        .iter()
        .map(|alarm| alarm["receiver"].clone())
        .collect();
    assert_eq!(
        receivers,
        (0..ROOMS)
            .map(|n| json!(format!("(host)Superman{n}")))
            .collect::<Vec<_>>()
    );

    let first = get(&alarm, "alarm:8080", "/alarms/1").await;
    let href = json!({"href": "http://alarm:8080/alarms/1"});
    let stated = json!({"_links": {"alarm": href, "self": href}, "message": "AuthApproved", "receiver": "(host)Superman0"});
    assert_eq!(first.json(), stated);
    alarm.stop().await;
}

#[tokio::test]
async fn a_booking_is_paid_for_and_canceled_and_everyone_knows() {
    let (_broker, _folder, env) = broker().await;
    let booking = start("booking", &env).await;
    let (pay, mypage, alarm) = (
        start("pay", &env).await,
        start("mypage", &env).await,
        start("alarm", &env).await,
    );
    let asked = json!({"roomId": "1", "name": "호텔", "price": "1000", "host": "Superman", "guest": "배트맨", "usedate": "20201010"});
    post(&booking, "booking:8080", "/bookings", asked).await;
    let is = async |service: &Running, collection: &str, status: &str| {
        list(service, collection)
            .await
            .first()
            .is_some_and(|row| row["status"] == status)
    };
    eventually(async || {
        is(&booking, "bookings", "paid").await && is(&mypage, "mypages", "paid").await
    })
    .await;
    assert_eq!(list(&pay, "pays").await[0]["price"], 1000);

    crate::world::send(
        http::Method::PATCH,
        &booking,
        "booking:8080",
        "/bookings/1",
        r#"{"status":"canceled"}"#,
    )
    .await;
    eventually(async || {
        is(&pay, "pays", "canceled").await && is(&mypage, "mypages", "canceled").await
    })
    .await;
    eventually(async || list(&alarm, "alarms").await.len() >= 2).await;
    let messages: Vec<_> = list(&alarm, "alarms")
        .await
        .iter()
        .map(|alarm| alarm["message"].clone())
        .collect();
    assert_eq!(messages, ["PayApproved", "PayCanceled"]);
    join_all([booking, pay, mypage, alarm].map(Running::stop)).await;
}
