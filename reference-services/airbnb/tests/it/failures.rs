//! What goes wrong half way is undone.

use crate::world::{World, eventually, post, send};
use http::{Method, StatusCode};
use rdkafka::producer::{FutureProducer, FutureRecord};
use serde_json::{Value, json};
use std::time::Duration;

async fn publish(world: &World, events: &[Value]) {
    let producer: FutureProducer = rdkafka::ClientConfig::new()
        .set("bootstrap.servers", world.broker())
        .create()
        .unwrap();
    for event in events {
        let payload = event.to_string();
        let record = FutureRecord::to("airbnb").key("1").payload(&payload);
        producer
            .send(record, Duration::from_secs(10))
            .await
            .unwrap();
    }
}

fn event(id: &str, kind: &str, fields: Value) -> Value {
    let time = "2021-05-24T15:44:00Z";
    let mut event = json!({"eventId": id, "correlationId": "c", "key": "1", "timestamp": time, "eventType": kind});
    let fields = fields.as_object().unwrap().clone();
    event.as_object_mut().unwrap().extend(fields);
    event
}

#[tokio::test]
async fn who_paid_for_a_room_that_went_to_another_is_paid_back_and_cancelled() {
    let world = World::start(&[]).await;
    world.register().await;
    let check = "/check/chkAndReqReserve?roomId=1&rsvId=77";
    let held = send(Method::GET, &world.room, "room:8080", check, "").await;
    assert_eq!(held.body, "true");
    let late = json!({"rsvId": 5, "roomId": 1, "status": "paid"});
    assert_eq!(
        post(&world.payment, "payment:8080", "/payments", late)
            .await
            .status,
        StatusCode::CREATED
    );
    world.until("payments", "status", &["cancelled"]).await;
    assert_eq!(world.all("rooms", "status").await, ["available"]);
    world.stop().await;
}

#[tokio::test]
async fn a_reservation_whose_room_was_lost_is_cancelled() {
    let world = World::start(&[]).await;
    world.register().await;
    world.reserve().await;
    world.reserve().await;
    world
        .until("reservations", "status", &["reserved", "reqReserve"])
        .await;
    let lost = event(
        "lost",
        "RoomReserveFailed",
        json!({"rsvId": 2, "roomId": 1}),
    );
    publish(&world, &[lost]).await;
    world
        .until("reservations", "status", &["reserved", "cancelled"])
        .await;
    let messages = [
        "Your reservation 1 is confirmed.",
        "Your reservation 2 is cancelled.",
    ];
    world.until("messages", "content", &messages).await;
    world.stop().await;
}

#[tokio::test]
async fn events_that_come_twice_or_say_the_same_again_change_nothing() {
    let world = World::start(&[]).await;
    world.register().await;
    world.reserve().await;
    world
        .until("messages", "content", &["Your reservation 1 is confirmed."])
        .await;
    let reservation = json!({"rsvId": 1, "roomId": 1, "status": "reserved"});
    let payment = json!({"payId": 1, "rsvId": 1, "roomId": 1, "status": "paid"});
    let again = [
        event("a", "ReservationConfirmed", reservation.clone()),
        event("a", "ReservationConfirmed", reservation.clone()),
        event("b", "ReservationConfirmed", reservation.clone()),
        event("c", "PaymentApproved", payment),
        event("d", "ReservationCreated", reservation),
        event(
            "e",
            "RoomRegistered",
            json!({"roomId": 2, "desc": "last", "status": "available"}),
        ),
    ];
    publish(&world, &again).await;
    world
        .until("roomviews", "desc", &["Beautiful House3", "last"])
        .await;
    // What is told last is heard last, by message as by viewpage.
    let stranger = event(
        "f",
        "ReservationCancelled",
        json!({"rsvId": 9, "roomId": 1}),
    );
    publish(&world, &[stranger]).await;
    let messages = [
        "Your reservation 1 is confirmed.",
        "Your reservation 9 is cancelled.",
    ];
    world.until("messages", "content", &messages).await;
    assert_eq!(world.all("reservations", "status").await, ["reserved"]);
    assert_eq!(world.all("rooms", "status").await, ["reserved"]);
    assert_eq!(world.all("payments", "status").await, ["paid"]);
    world.stop().await;
}

#[tokio::test]
async fn a_request_that_failed_after_the_room_was_held_gives_the_room_back() {
    let world = World::start(&[]).await;
    world.register().await;
    // The first id of the other service that takes reservations in this test is taken.
    world.reserve_for(json!({"roomId": "99"})).await;
    // A payment service that takes calls and never answers.
    let silent = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let silent_url = format!("http://{}", silent.local_addr().unwrap());
    let env = world.env.clone().with("PAYMENT_URL", silent_url);
    let env = env
        .with("EDGE_PAYMENT_TIMEOUT", "100ms")
        .with("DATABASE_URL", databases::url());
    let env = env.with("KAFKA_GROUP", "impatient");
    let impatient = crate::world::start("reservation", &env).await;
    let refused = post(
        &impatient,
        "reservation:8080",
        "/reservations",
        json!({"roomId": 1}),
    )
    .await;
    assert_eq!(refused.status, StatusCode::INTERNAL_SERVER_ERROR);
    eventually(async || {
        world.list("rooms").await.pop().unwrap_or_default()["lastAction"] == "cancel"
    })
    .await;
    assert_eq!(world.reserve().await.status, StatusCode::CREATED);
    world.until("rooms", "status", &["reserved"]).await;
    impatient.stop().await;
    world.stop().await;
}
