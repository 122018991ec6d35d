//! From an application to its end, whichever that is, and what is seen of it.

use crate::topic::{kinds, told};
use crate::world::World;
use http::{Method, StatusCode};
use serde_json::{Value, json};

#[tokio::test]
async fn an_order_goes_from_payment_to_the_center_to_the_customer_under_one_id() {
    let world = World::start(&[]).await;
    let body = json!({"orderType": "basic", "name": "woo"});
    let ordered = world.post("order", "/orders", body).await;
    world
        .until("mypages", "status", json!(["Reservation Complete"]))
        .await;

    let events = told(&world, 3).await;
    let mut found = kinds(&events);
    found.sort_unstable();
    assert_eq!(
        found,
        ["Ordered", "PaymentApproved", "ReservationCompleted"]
    );
    let told = |kind: &str| {
        let mut event = events
            .iter()
            .find(|event| event["eventType"] == kind)
            .unwrap()
            .clone();
        assert_eq!(event["correlationId"], ordered.header("x-correlation-id"));
        assert_eq!(event["key"], "1");
        for field in ["eventId", "correlationId", "key", "timestamp", "eventType"] {
            assert!(event.as_object_mut().unwrap().remove(field).is_some());
        }
        event
    };
    let order =
        json!({"id": 1, "orderType": "basic", "cardNo": null, "name": "woo", "status": null});
    assert_eq!(told("Ordered"), order);
    // The payment's own status, not `Pay Approved!!`.
    let payment = json!({"id": 1, "orderId": 1, "price": null, "payMethod": null, "status": "Reservation OK"});
    assert_eq!(told("PaymentApproved"), payment);
    let reservation = json!({"id": 1, "orderId": 1, "status": "Reservation Complete"});
    assert_eq!(told("ReservationCompleted"), reservation);
    world.stop().await;
}

/// Everything there is to see of order 1 after its cancellation.
async fn is_cancelled(world: &World) {
    let deleted = world.get("order", "/orders/1").await.json();
    assert_eq!(
        (&deleted["status"], &deleted["name"]),
        (&json!("deleted"), &json!("woo"))
    );
    world
        .until("reservations", "status", json!(["Reservation Canceled"]))
        .await;
    world.until("cancellations", "orderId", json!([1])).await;
    let payments = json!(["Pay Canceled", "Pay Canceled"]);
    world.until("paymentHistories", "status", payments).await;
    let payments = world.all("paymentHistories", "payMethod").await;
    assert_eq!(payments, json!([null, "cancle"]));
    world
        .until("mypages", "status", json!(["Reservation Canceled"]))
        .await;
    assert_eq!(world.all("mypages", "reservationId").await, json!([1]));
}

#[tokio::test]
async fn a_deleted_order_is_kept_as_deleted_and_everything_is_given_back() {
    let world = World::start(&[]).await;
    world.book("woo").await;
    for _ in 0..2 {
        let deleted = world.change_order(Method::DELETE, 1, Value::Null).await;
        assert_eq!(deleted.status, StatusCode::NO_CONTENT);
    }
    is_cancelled(&world).await;
    let events = told(&world, 6).await;
    let mut found = kinds(&events);
    found.sort_unstable();
    let expected = [
        "OrderCanceled",
        "Ordered",
        "PaymentApproved",
        "PaymentCanceled",
        "ReservationCanceled",
        "ReservationCompleted",
    ];
    assert_eq!(found, expected);
    world.stop().await;
}

#[tokio::test]
async fn an_order_is_cancelled_by_its_status_too() {
    for (method, body) in [
        (Method::PATCH, json!({"status": "canceled"})),
        (Method::PUT, json!({"name": "woo", "status": "cancelled"})),
    ] {
        let world = World::start(&[]).await;
        world.book("woo").await;
        let renamed = world
            .change_order(Method::PATCH, 1, json!({"cardNo": 7}))
            .await;
        assert_eq!(renamed.json()["status"], Value::Null);
        let canceled = world.change_order(method, 1, body).await;
        assert_eq!(canceled.status, StatusCode::OK);
        assert_eq!(canceled.json()["status"], "deleted");
        is_cancelled(&world).await;
        let late = world
            .change_order(Method::PATCH, 1, json!({"name": "jung"}))
            .await;
        assert_eq!(late.status, StatusCode::CONFLICT);
        world.stop().await;
    }
}

#[tokio::test]
async fn where_that_is_wanted_every_change_of_an_order_cancels_it() {
    let world = World::start(&[("CANCEL_ON_ANY_UPDATE", "true")]).await;
    world.book("woo").await;
    world
        .change_order(Method::PATCH, 1, json!({"cardNo": "7"}))
        .await;
    is_cancelled(&world).await;
    world.stop().await;
}

#[tokio::test]
async fn a_cancellation_at_the_center_or_at_payment_cancels_the_order() {
    for (service, path, body) in [
        ("reservation", "/cancellations", json!({"orderId": "1"})),
        (
            "payment",
            "/paymentHistories",
            json!({"orderId": "1", "payMethod": "cancle"}),
        ),
    ] {
        let world = World::start(&[]).await;
        world.book("woo").await;
        let canceled = world.post(service, path, body).await;
        assert_eq!(canceled.status, StatusCode::CREATED);
        world.until("orders", "status", json!(["deleted"])).await;
        world
            .until("reservations", "status", json!(["Reservation Canceled"]))
            .await;
        crate::world::eventually(async || {
            world.all("paymentHistories", "status").await[0] == "Pay Canceled"
        })
        .await;
        world
            .until("mypages", "status", json!(["Reservation Canceled"]))
            .await;
        world.stop().await;
    }
}

#[tokio::test]
async fn the_customer_gets_an_sms_for_every_change_of_state_and_one_of_each() {
    let file = tempfile::NamedTempFile::new().unwrap();
    let path = file.path().to_str().unwrap();
    let world = World::start(&[("SMS_ADAPTER", "file"), ("SMS_FILE", path)]).await;
    world.book("woo").await;
    for _ in 0..2 {
        let confirmed = json!({"orderId": 1, "status": "confirmed"});
        world.post("reservation", "/reservations", confirmed).await;
    }
    world.until("mypages", "status", json!(["confirmed"])).await;
    world.change_order(Method::DELETE, 1, Value::Null).await;
    let states = [
        "Ordered",
        "Reservation Complete",
        "confirmed",
        "Pay Canceled",
        "deleted",
        "Reservation Canceled",
    ];
    let sorted = |messages: &Value| {
        let mut messages = messages.as_array().unwrap().clone();
        messages.sort_by_key(ToString::to_string);
        messages
    };
    let expected = json!(states.map(|state| format!("Order 1: {state}")));
    crate::world::eventually(async || {
        sorted(&world.all("notifications", "message").await) == sorted(&expected)
    })
    .await;
    let sent = std::fs::read_to_string(path).unwrap();
    let sent: Value = sent
        .lines()
        .map(|line| serde_json::from_str::<Value>(line).unwrap()["message"].clone())
        .collect();
    assert_eq!(sorted(&sent), sorted(&expected));
    world.stop().await;
}
