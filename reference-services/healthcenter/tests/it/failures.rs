//! What goes wrong half way is undone, what comes twice is done once, and who was away catches up.

use crate::child::Process;
use crate::topic::{event, publish};
use crate::world::World;
use http::{Method, StatusCode};
use serde_json::{Value, json};

#[tokio::test]
async fn a_payment_that_succeeds_after_order_gave_up_is_given_back() {
    // Longer than order waits.
    let settings = [
        ("PAYMENT_DELAY", "400ms"),
        ("EDGE_PAYMENT_TIMEOUT", "100ms"),
    ];
    let world = World::start(&settings).await;
    let body = json!({"orderType": "basic", "name": "woo"});
    let refused = world.post("order", "/orders", body).await;
    assert_eq!(refused.status, StatusCode::INTERNAL_SERVER_ERROR);
    world
        .until("paymentHistories", "status", json!(["Pay Canceled"]))
        .await;
    world
        .until("reservations", "status", json!(["Reservation Canceled"]))
        .await;
    assert_eq!(world.rows("orders").await, [Value::Null; 0]);
    assert_eq!(world.rows("mypages").await, [Value::Null; 0]);
    assert_eq!(world.rows("notifications").await, [Value::Null; 0]);
    world.stop().await;
}

#[tokio::test]
async fn with_the_circuit_breaker_order_waits_610_ms_and_without_it_as_long_as_payment_takes() {
    let slow = ("PAYMENT_DELAY", "1500ms");
    let breaker = [
        slow,
        ("FEIGN_HYSTRIX_ENABLED", "true"),
        (
            "HYSTRIX_COMMAND_DEFAULT_EXECUTION_ISOLATION_THREAD_TIMEOUTINMILLISECONDS",
            "610",
        ),
    ];
    for (settings, status) in [
        (&breaker[..], StatusCode::INTERNAL_SERVER_ERROR),
        (&[slow][..], StatusCode::CREATED),
    ] {
        let world = World::start(settings).await;
        let body = json!({"orderType": "basic"});
        assert_eq!(world.post("order", "/orders", body).await.status, status);
        let kept = if status == StatusCode::CREATED {
            "Reservation OK"
        } else {
            "Pay Canceled"
        };
        world
            .until("paymentHistories", "status", json!([kept]))
            .await;
        world.stop().await;
    }
}

#[tokio::test]
async fn without_payment_an_order_is_not_cancelled_and_with_it_again_it_is() {
    let mut world = World::start(&[]).await;
    world.book("woo").await;
    world.stop_one("payment").await;
    let refused = world.change_order(Method::DELETE, 1, Value::Null).await;
    assert_eq!(refused.status, StatusCode::INTERNAL_SERVER_ERROR);
    assert_eq!(world.all("orders", "status").await, json!([null]));
    world.start_one("payment", &[]).await;
    let canceled = world.change_order(Method::DELETE, 1, Value::Null).await;
    assert_eq!(canceled.status, StatusCode::NO_CONTENT);
    world
        .until("reservations", "status", json!(["Reservation Canceled"]))
        .await;
    world.stop().await;
}

#[tokio::test]
async fn a_payment_for_a_cancelled_order_is_given_back() {
    let world = World::start(&[]).await;
    world.book("woo").await;
    world.change_order(Method::DELETE, 1, Value::Null).await;
    world
        .until("reservations", "status", json!(["Reservation Canceled"]))
        .await;
    let payment = json!({"orderId": 1, "price": 50000, "payMethod": "card"});
    let paid = world.post("payment", "/paymentHistories", payment).await;
    assert_eq!(paid.status, StatusCode::CREATED);
    world
        .until("paymentHistories", "status", json!(vec!["Pay Canceled"; 3]))
        .await;
    crate::world::eventually(async || {
        let statuses = world.all("reservations", "status").await;
        let canceled = |status: &Value| status == "Reservation Canceled";
        statuses.as_array().unwrap().iter().all(canceled)
    })
    .await;
    assert_eq!(world.all("orders", "status").await, json!(["deleted"]));
    world.stop().await;
}

#[tokio::test]
async fn events_that_come_twice_or_say_the_same_again_change_nothing() {
    let world = World::start(&[]).await;
    world.book("woo").await;
    let payment = json!({"id": 1, "orderId": 1, "status": "Reservation OK"});
    let reservation = json!({"id": 1, "orderId": 1, "status": "Reservation Complete"});
    let again = [
        event("a", "PaymentApproved", payment.clone()),
        event("a", "PaymentApproved", payment.clone()),
        event("b", "PaymentApproved", payment),
        event("c", "ReservationCompleted", reservation.clone()),
        event("d", "ReservationCompleted", reservation),
        event("e", "OrderFailed", json!({"orderId": 9})),
        event("f", "PaymentCanceled", json!({"id": 9, "orderId": 9})),
        // What is told last is heard last.
        event("g", "Ordered", json!({"id": 2, "name": "last"})),
    ];
    publish(&world, &again).await;
    world.until("mypages", "name", json!(["woo", "last"])).await;
    let last = event("h", "PaymentApproved", json!({"id": 8, "orderId": 2}));
    publish(&world, &[last]).await;
    world.until("mypages", "reservationId", json!([1, 2])).await;
    assert_eq!(world.all("reservations", "orderId").await, json!([1, 2]));
    let told = [
        "Order 1: Ordered",
        "Order 1: Reservation Complete",
        "Order 2: Ordered",
        "Order 2: Reservation Complete",
    ];
    world.until("notifications", "message", json!(told)).await;
    assert_eq!(world.all("orders", "status").await, json!([null]));
    assert_eq!(
        world.all("paymentHistories", "status").await,
        json!(["Reservation OK"])
    );
    world.stop().await;
}

#[tokio::test]
async fn a_center_that_is_killed_again_and_again_books_every_order_once() {
    const ORDERS: i64 = 30;
    let mut world = World::start(&[]).await;
    world.stop_one("reservation").await;
    let mut ordered = 0;
    for _ in 0..3 {
        let center = Process::start(&world, "reservation");
        for _ in 0..ORDERS / 3 {
            let body = json!({"orderType": "basic", "name": "woo"});
            let created = world.post("order", "/orders", body).await;
            assert_eq!(created.status, StatusCode::CREATED);
            ordered += 1;
        }
        // In the middle of them: it has booked some, and not yet all.
        crate::world::eventually(async || {
            let booked = world.all("mypages", "reservationId").await;
            booked.as_array().unwrap().iter().any(|id| !id.is_null())
        })
        .await;
        center.kill();
    }
    assert_eq!(ordered, ORDERS);
    world.start_one("reservation", &[]).await;
    let everything: Vec<i64> = (1..=ORDERS).collect();
    crate::world::eventually(async || {
        let booked = world.all("mypages", "status").await;
        booked == json!(vec!["Reservation Complete"; ORDERS as usize])
    })
    .await;
    assert_eq!(
        world.all("reservations", "orderId").await,
        json!(everything)
    );
    assert_eq!(world.all("mypages", "orderId").await, json!(everything));
    assert_eq!(
        world.all("mypages", "reservationId").await,
        json!(everything)
    );
    world.stop().await;
}
