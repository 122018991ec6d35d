//! From a request to its end, whichever that is, and what is seen of it.

use crate::world::{World, eventually, send};
use http::{Method, StatusCode};
use rdkafka::Message;
use rdkafka::consumer::{Consumer, StreamConsumer};
use serde_json::{Value, json};
use std::time::Duration;

/// Everything told on the topic so far, read until this many events have come.
async fn told(world: &World, count: usize) -> Vec<Value> {
    let consumer: StreamConsumer = rdkafka::ClientConfig::new()
        .set("bootstrap.servers", world.broker())
        .set("group.id", "witness")
        .set("auto.offset.reset", "earliest")
        .set("isolation.level", "read_uncommitted")
        .create()
        .unwrap();
    consumer.subscribe(&["airbnb"]).unwrap();
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

fn kinds(events: &[Value]) -> Vec<&str> {
    events
        .iter()
        .map(|event| event["eventType"].as_str().unwrap())
        .collect()
}

#[tokio::test]
async fn a_reservation_goes_from_room_to_payment_to_room_to_guest_under_one_id() {
    let world = World::start(&[]).await;
    world.register().await;
    let taken = world.reserve().await;
    world
        .until("messages", "content", &["Your reservation 1 is confirmed."])
        .await;
    world.until("rooms", "status", &["reserved"]).await;
    eventually(async || {
        // The view may know nothing yet.
        let seen = world.list("roomviews").await.pop().unwrap_or_default();
        let seen = [
            "desc",
            "roomStatus",
            "rsvId",
            "rsvStatus",
            "payId",
            "payStatus",
        ]
        .map(|field| seen[field].clone());
        json!(seen) == json!(["Beautiful House3", "reserved", 1, "reserved", 1, "paid"])
    })
    .await;

    let events = told(&world, 6).await;
    let mut expected = vec![
        "RoomRegistered",
        "PaymentApproved",
        "ReservationCreated",
        "RoomReserved",
        "RoomReserved",
        "ReservationConfirmed",
    ];
    let mut found = kinds(&events);
    let place = |kind: &str| found.iter().position(|found| *found == kind).unwrap();
    // Payment and reservation publish from outboxes of their own, so that either may be the first heard of.
    assert!(
        place("PaymentApproved").min(place("ReservationCreated")) < place("RoomReserved"),
        "{found:?}"
    );
    assert!(
        place("RoomReserved") < place("ReservationConfirmed"),
        "{found:?}"
    );
    expected.sort_unstable();
    found.sort_unstable();
    assert_eq!(found, expected);
    for event in events
        .iter()
        .filter(|event| event["eventType"] != "RoomRegistered")
    {
        assert_eq!(event["rsvId"], 1, "{event}");
        assert_eq!(event["key"], "1", "{event}");
        assert_eq!(
            event["correlationId"],
            taken.header("x-correlation-id"),
            "{event}"
        );
    }
    world.stop().await;
}

#[tokio::test]
async fn a_cancelled_reservation_is_paid_back_and_its_room_can_be_reserved_again() {
    let world = World::start(&[]).await;
    world.register().await;
    world.reserve().await;
    world.until("reservations", "status", &["reserved"]).await;
    let path = "/reservations/1";
    let cancel = async |body: &str| {
        send(Method::PATCH, &world.gateway, "localhost:8088", path, body)
            .await
            .status
    };
    assert_eq!(
        cancel(r#"{"status":"cancelled"}"#).await,
        StatusCode::CONFLICT
    );
    assert_eq!(cancel(r#"{"status":"reqCancel"}"#).await, StatusCode::OK);
    world.until("payments", "status", &["cancelled"]).await;
    world.until("reservations", "status", &["cancelled"]).await;
    world.until("rooms", "status", &["available"]).await;
    let messages = [
        "Your reservation 1 is confirmed.",
        "Your reservation 1 is cancelled.",
    ];
    world.until("messages", "content", &messages).await;
    world.until("roomviews", "payStatus", &["cancelled"]).await;
    assert_eq!(
        cancel(r#"{"status":"reqCancel"}"#).await,
        StatusCode::CONFLICT
    );

    assert_eq!(world.reserve().await.status, StatusCode::CREATED);
    world
        .until("reservations", "status", &["cancelled", "reserved"])
        .await;
    world.until("roomviews", "rsvStatus", &["reserved"]).await;
    assert_eq!(world.all("roomviews", "rsvId").await, [2]);
    world.stop().await;
}

#[tokio::test]
async fn an_unpaid_reservation_can_be_cancelled_and_the_room_stays_with_the_other() {
    let world = World::start(&[]).await;
    world.register().await;
    world.reserve().await;
    world.reserve().await;
    world
        .until("reservations", "status", &["reserved", "reqReserve"])
        .await;
    let cancel = r#"{"status":"reqCancel"}"#;
    send(
        Method::PATCH,
        &world.gateway,
        "localhost:8088",
        "/reservations/2",
        cancel,
    )
    .await;
    world
        .until("reservations", "status", &["reserved", "cancelled"])
        .await;
    assert_eq!(world.all("rooms", "status").await, ["reserved"]);
    assert_eq!(world.all("payments", "status").await, ["paid"]);
    world.stop().await;
}
