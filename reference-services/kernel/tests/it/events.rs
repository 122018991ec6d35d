//! Every event that was committed is handled, and handled once, whatever dies in between.

use crate::world::{
    broker, broker_at, env, heard, heard_at_least, hearer, note, send, start, teller,
};
use futures::future::join_all;
use http::Method;
use rdkafka::ClientConfig;
use rdkafka::producer::{FutureProducer, FutureRecord};
use serde_json::json;
use std::net::SocketAddr;
use std::time::Duration;

async fn publish(broker: SocketAddr, payload: &str) {
    let producer: FutureProducer = ClientConfig::new()
        .set("bootstrap.servers", broker.to_string())
        .create()
        .unwrap();
    let record = FutureRecord::to("events").key("k").payload(payload);
    producer
        .send(record, Duration::from_secs(10))
        .await
        .unwrap();
}

fn event(id: &str, text: &str) -> String {
    let time = "2020-08-05T12:33:03Z";
    json!({"eventId": id, "correlationId": "c", "key": "k", "timestamp": time, "eventType": "Noted", "text": text}).to_string()
}

#[tokio::test]
async fn a_copy_of_an_event_changes_nothing() {
    let (broker, _folder) = broker().await;
    let hearer = start(hearer(), &env(broker.local_addr())).await.unwrap();
    for payload in [event("e1", "one"), event("e1", "one"), event("e2", "two")] {
        publish(broker.local_addr(), &payload).await;
    }
    assert_eq!(heard_at_least(&hearer, 2).await, ["one", "two"]);
    hearer.stop().await;
}

#[tokio::test]
async fn an_event_that_was_sent_but_not_marked_is_sent_again_and_handled_once() {
    let (broker, folder) = broker().await;
    let url = format!("sqlite://{}/teller.db", folder.path().display());
    let env = env(broker.local_addr());
    let hearer = start(hearer(), &env).await.unwrap();
    let teller_env = env.clone().with("DATABASE_URL", &url);

    let first = start(teller(), &teller_env).await.unwrap();
    note(&first, "one").await;
    heard_at_least(&hearer, 1).await;
    first.stop().await;
    let database = sqlx::AnyPool::connect(&url).await.unwrap();
    let unmarked = sqlx::query("UPDATE outbox SET sent = 0")
        .execute(&database)
        .await
        .unwrap();
    assert_eq!(unmarked.rows_affected(), 1);
    database.close().await;

    let second = start(teller(), &teller_env).await.unwrap();
    note(&second, "two").await;
    assert_eq!(heard_at_least(&hearer, 2).await, ["one", "two"]);
    hearer.stop().await;
    second.stop().await;
}

#[tokio::test]
async fn what_happened_while_a_service_was_down_it_hears_later() {
    let (broker, _folder) = broker().await;
    let env = env(broker.local_addr());
    let teller = start(teller(), &env).await.unwrap();
    let before = start(hearer(), &env).await.unwrap();
    note(&teller, "before").await;
    heard_at_least(&before, 1).await;
    before.stop().await;
    for n in 0..50 {
        note(&teller, &format!("missed {n}")).await;
    }
    let after = start(hearer(), &env).await.unwrap();
    let expected: Vec<_> = (0..50).map(|n| format!("missed {n}")).collect();
    assert_eq!(heard_at_least(&after, 50).await, expected);
    after.stop().await;
    teller.stop().await;
}

#[tokio::test]
async fn without_a_group_what_happened_meanwhile_is_lost() {
    let (broker, _folder) = broker().await;
    let env = env(broker.local_addr());
    let teller = start(teller(), &env).await.unwrap();
    note(&teller, "missed").await;
    let witness = start(hearer(), &env).await.unwrap();
    heard_at_least(&witness, 1).await;
    let anonymous = start(hearer(), &env.with("KAFKA_GROUP", "anonymous"))
        .await
        .unwrap();
    while heard(&anonymous).await.is_empty() {
        note(&teller, "heard").await;
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    assert!(heard(&anonymous).await.iter().all(|text| text == "heard"));
    witness.stop().await;
    anonymous.stop().await;
    teller.stop().await;
}

#[tokio::test]
async fn events_wait_for_a_broker_that_is_not_there_yet() {
    let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = port.local_addr().unwrap();
    drop(port);
    let env = env(address);
    let teller = start(teller(), &env).await.unwrap();
    let hearer = start(hearer(), &env).await.unwrap();
    note(&teller, "patience").await;
    let (_broker, _folder) = broker_at(address).await;
    assert_eq!(heard_at_least(&hearer, 1).await, ["patience"]);
    hearer.stop().await;
    teller.stop().await;
}

#[tokio::test]
async fn an_event_that_cannot_be_handled_is_left_aside_after_three_tries() {
    let (broker, _folder) = broker().await;
    let hearer = start(hearer(), &env(broker.local_addr())).await.unwrap();
    publish(broker.local_addr(), "no event").await;
    publish(broker.local_addr(), &event("e1", "next")).await;
    let began = std::time::Instant::now();
    assert_eq!(heard_at_least(&hearer, 1).await, ["next"]);
    assert!(
        began.elapsed() >= Duration::from_millis(2500),
        "{:?}",
        began.elapsed()
    );
    hearer.stop().await;
}

#[tokio::test]
async fn a_broker_that_is_gone_does_not_keep_a_service_from_ending() {
    let (broker, _folder) = broker().await;
    let env = env(broker.local_addr());
    let teller = start(teller(), &env).await.unwrap();
    let hearer = start(hearer(), &env).await.unwrap();
    note(&teller, "one").await;
    heard_at_least(&hearer, 1).await;
    broker.shutdown().await;
    note(&teller, "two").await;
    let began = std::time::Instant::now();
    join_all([teller.stop(), hearer.stop()]).await;
    assert!(
        began.elapsed() < Duration::from_secs(8),
        "{:?}",
        began.elapsed()
    );
}

#[tokio::test]
async fn the_id_of_the_request_is_the_id_of_its_event() {
    let folder = tempfile::tempdir().unwrap();
    let url = format!("sqlite://{}/{{service}}.db", folder.path().display());
    let env = env("127.0.0.1:9".parse().unwrap())
        .with("KAFKA_BROKERS", "none")
        .with("DATABASE_URL", &url);
    let teller = start(teller(), &env).await.unwrap();
    let (_, headers, _) = send(
        Method::POST,
        teller.address,
        "/notes",
        json!({"text": "one"}),
    )
    .await;
    teller.stop().await;

    let database = sqlx::AnyPool::connect(&url.replace("{service}", "teller"))
        .await
        .unwrap();
    let payload: String = sqlx::query_scalar("SELECT payload FROM outbox")
        .fetch_one(&database)
        .await
        .unwrap();
    let event = kernel::Event::from_json(payload.as_bytes()).unwrap();
    assert_eq!(
        (event.correlation_id.as_str(), event.kind()),
        (headers["x-correlation-id"].to_str().unwrap(), "Noted")
    );
}
