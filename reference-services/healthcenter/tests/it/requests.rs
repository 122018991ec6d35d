//! The requests the report states, and what they are answered.

use crate::world::{World, start, url};
use http::{Method, StatusCode};
use kernel::Env;
use serde_json::{Value, json};

const JSON: &str = "application/json;charset=UTF-8";
const HAL_JSON: &str = "application/hal+json;charset=UTF-8";

/// An order as the report prints it.
fn order(id: i64, order_type: &str, name: Option<&str>) -> Value {
    let href = json!({"href": format!("http://localhost:8081/orders/{id}")});
    json!({
        "_links": {"order": href, "self": href},
        "cardNo": null, "name": name, "orderType": order_type, "status": null,
    })
}

/// A my-page as the report prints it.
fn mypage(id: i64, name: Option<&str>, order_id: i64, reservation_id: i64, status: &str) -> Value {
    let href = json!({"href": format!("http://localhost:8084/mypages/{id}")});
    json!({
        "_links": {"mypage": href, "self": href},
        "name": name, "orderId": order_id, "reservationId": reservation_id, "status": status,
    })
}

/// The report's first walk, step by step.
async fn walk(world: &World) -> Value {
    let ordered = world
        .post("order", "/orders", json!({"orderType": "basic"}))
        .await;
    assert_eq!(
        (ordered.status, ordered.json()),
        (StatusCode::CREATED, order(1, "basic", None))
    );
    world.until("mypages", "reservationId", json!([1])).await;

    let payment = json!({"orderId": "1", "price": "50000", "payMethod": "card"});
    let paid = world.post("payment", "/paymentHistories", payment).await;
    assert_eq!(paid.status, StatusCode::CREATED);
    let href = json!({"href": "http://localhost:8083/paymentHistories/2"});
    let expected = json!({
        "_links": {"paymentHistory": href, "self": href},
        "orderId": 1, "price": 50000, "payMethod": "card", "status": null,
    });
    assert_eq!(paid.json(), expected);
    if world.env.get::<String>("IDEMPOTENT_EVENTS").is_some() {
        world.until("mypages", "reservationId", json!([2])).await;
    }

    let reservation = json!({"orderId": "1", "status": "confirmed"});
    let confirmed = world
        .post("reservation", "/reservations", reservation)
        .await;
    assert_eq!(confirmed.status, StatusCode::CREATED);
    world.until("mypages", "status", json!(["confirmed"])).await;
    let seen = world.get("notification", "/mypages/1").await;
    assert_eq!(
        (seen.status, seen.header("content-type")),
        (StatusCode::OK, HAL_JSON)
    );
    let mut body = confirmed.json();
    body["seen"] = seen.json();
    body
}

#[tokio::test]
async fn the_first_walk_ends_as_printed_where_every_payment_and_every_post_makes_a_reservation() {
    let world = World::start(&[("IDEMPOTENT_EVENTS", "false")]).await;
    let confirmed = walk(&world).await;
    assert_eq!(confirmed["seen"], mypage(1, None, 1, 3, "confirmed"));
    let statuses = json!(["Reservation Complete", "Reservation Complete", "confirmed"]);
    assert_eq!(world.all("reservations", "status").await, statuses);
    world.stop().await;
}

#[tokio::test]
async fn otherwise_the_same_walk_makes_one_reservation_and_confirms_it() {
    let world = World::start(&[]).await;
    let confirmed = walk(&world).await;
    assert_eq!(confirmed["seen"], mypage(1, None, 1, 1, "confirmed"));
    let href = json!({"href": "http://localhost:8082/reservations/1"});
    assert_eq!(
        confirmed["_links"],
        json!({"reservation": href, "self": href})
    );
    assert_eq!(
        world.all("reservations", "status").await,
        json!(["confirmed"])
    );
    let payments = json!(["Reservation OK", null]);
    assert_eq!(world.all("paymentHistories", "status").await, payments);
    world.stop().await;
}

#[tokio::test]
async fn an_order_is_answered_as_printed_and_seen_on_the_my_page() {
    let world = World::start(&[]).await;
    world.book("first").await;
    let body = json!({"orderType": "basic", "name": "woo"});
    let ordered = world.post("order", "/orders", body).await;
    assert_eq!(ordered.status, StatusCode::CREATED);
    assert_eq!(ordered.header("content-type"), JSON);
    assert_eq!(ordered.header("location"), "http://localhost:8081/orders/2");
    assert_eq!(ordered.json(), order(2, "basic", Some("woo")));

    let status = json!(["Reservation Complete", "Reservation Complete"]);
    world.until("mypages", "status", status).await;
    let seen = world.get("notification", "/mypages/2").await;
    assert_eq!(
        seen.json(),
        mypage(2, Some("woo"), 2, 2, "Reservation Complete")
    );

    let list = world.get("notification", "/mypages").await.json();
    assert_eq!(list["_embedded"]["mypages"].as_array().unwrap().len(), 2);
    assert_eq!(list["_embedded"]["mypages"][1], seen.json());
    let page = json!({"size": 20, "totalElements": 2, "totalPages": 1, "number": 0});
    assert_eq!(list["page"], page);
    world.stop().await;
}

#[tokio::test]
async fn order_keeps_its_rows_elsewhere_than_the_others_and_nobody_can_tell() {
    let mut world = World::start(&[]).await;
    world.stop_one("order").await;
    world
        .start_one("order", &[("DATABASE_URL", "sqlite::memory:")])
        .await;
    let body = json!({"orderType": "basic", "name": "woo"});
    let ordered = world.post("order", "/orders", body).await;
    assert_eq!(ordered.json(), order(1, "basic", Some("woo")));
    let status = json!(["Reservation Complete"]);
    world.until("mypages", "status", status).await;
    let seen = world.get("notification", "/mypages/1").await.json();
    let expected = mypage(1, Some("woo"), 1, 1, "Reservation Complete");
    assert_eq!(seen, expected);
    world.stop().await;
}

#[tokio::test]
async fn without_payment_no_order_is_taken_and_with_it_again_one_is() {
    let mut world = World::start(&[]).await;
    world.stop_one("payment").await;
    let body = json!({"orderType": "prime", "name": "jung"});
    let refused = world.post("order", "/orders", body.clone()).await;
    assert_eq!(refused.status, StatusCode::INTERNAL_SERVER_ERROR);
    assert_eq!(refused.header("content-type"), JSON);
    let mut error = refused.json();
    assert!(error.as_object_mut().unwrap().remove("timestamp").is_some());
    let expected = json!({
        "error": "Internal Server Error",
        "message": "Could not commit JPA transaction; nested exception is javax.persistence.RollbackException: \
                    Error while committing the transaction",
        "path": "/orders",
        "status": 500,
    });
    assert_eq!(error, expected);
    assert_eq!(world.rows("orders").await, [Value::Null; 0]);

    world.start_one("payment", &[]).await;
    let taken = world.post("order", "/orders", body).await;
    assert_eq!(taken.status, StatusCode::CREATED);
    // The attempt that failed has used up the first id.
    assert_eq!(taken.header("location"), "http://localhost:8081/orders/2");
    assert_eq!(taken.json(), order(2, "prime", Some("jung")));
    world.until("mypages", "orderId", json!([2])).await;
    world.stop().await;
}

#[tokio::test]
async fn orders_are_taken_without_the_center_and_it_catches_up() {
    let settings = [("IDEMPOTENT_EVENTS", "false")];
    let mut world = World::start(&settings).await;
    world.book("one").await;
    world.book("two").await;
    world.stop_one("reservation").await;

    let body = json!({"orderType": "prime", "name": "jung"});
    let ordered = world.post("order", "/orders", body).await;
    assert_eq!(ordered.status, StatusCode::CREATED);
    let payment = json!({"orderId": "3", "price": "50000", "payMethod": "cash"});
    let paid = world.post("payment", "/paymentHistories", payment).await;
    assert_eq!(paid.status, StatusCode::CREATED);
    let read = world.get("order", "/orders/3").await;
    assert_eq!(
        (read.status, read.header("content-type")),
        (StatusCode::OK, HAL_JSON)
    );
    assert_eq!(read.json(), order(3, "prime", Some("jung")));

    // As in the report, its rows were in memory: the ids begin again.
    world
        .start_one("reservation", &[("DATABASE_URL", &databases::url())])
        .await;
    world
        .until("mypages", "reservationId", json!([1, 2, 2]))
        .await;
    let seen = world.get("notification", "/mypages/3").await.json();
    assert_eq!(seen, mypage(3, Some("jung"), 3, 2, "Reservation Complete"));
    world.stop().await;
}

#[tokio::test]
async fn the_gateway_passes_requests_on_and_links_lead_to_the_service() {
    let world = World::start(&[]).await;
    let body = json!({"orderType": "prime", "name": "jung"});
    let ordered = world.post("gateway", "/orders", body).await;
    assert_eq!(ordered.status, StatusCode::CREATED);
    let order = url(world.service("order"));
    assert_eq!(ordered.header("location"), format!("{order}/orders/1"));
    assert_eq!(ordered.json()["name"], "jung");
    assert_eq!(
        ordered.header("access-control-allow-origin"),
        "http://center.example"
    );
    assert_eq!(ordered.header("access-control-allow-credentials"), "true");
    world
        .until("mypages", "status", json!(["Reservation Complete"]))
        .await;
    for collection in [
        "orders",
        "reservations",
        "cancellations",
        "paymentHistories",
        "mypages",
    ] {
        let list = world.get("gateway", &format!("/{collection}")).await;
        assert_eq!(list.status, StatusCode::OK, "{collection}");
        assert!(
            list.json()["_embedded"][collection].is_array(),
            "{collection}"
        );
    }
    assert_eq!(
        world.get("gateway", "/rooms").await.status,
        StatusCode::NOT_FOUND
    );
    world.stop().await;
}

#[tokio::test]
async fn what_an_order_does_not_know_is_left_out_and_numbers_may_be_texts() {
    let world = World::start(&[]).await;
    let body =
        json!({"hotelId": "4001", "roomType": "standard", "cardNo": "1234", "status": "canceled"});
    let ordered = world.post("order", "/orders", body).await;
    assert_eq!(ordered.status, StatusCode::CREATED);
    let body = ordered.json();
    assert_eq!(
        (&body["cardNo"], &body["orderType"], &body["status"]),
        (&json!(1234), &Value::Null, &Value::Null)
    );
    assert_eq!(body.as_object().unwrap().len(), 5);
    assert_eq!(
        world.get("order", "/failures").await.status,
        StatusCode::NOT_FOUND
    );
    assert_eq!(
        world.get("notification", "/knowns").await.status,
        StatusCode::NOT_FOUND
    );
    world.stop().await;
}

#[tokio::test]
async fn what_a_configmap_and_a_secret_gave_is_answered() {
    let customer1 = [
        ("TEXT1", "Customer1_Company"),
        ("TEXT2", "Welcomes You"),
        ("COMPANY", "Customer1 Company Technology Pct. Ltd."),
    ];
    let given = [
        ("password", "mysqlpassword"),
        ("key1", "value1"),
        ("key2", "value2"),
    ];
    let asked = async |name: &str, env: Env| {
        let service = start(name, &env).await;
        let answer = crate::world::send(Method::GET, &service, "x", "/configuration", "").await;
        assert_eq!(answer.status, StatusCode::OK);
        answer.body
    };
    assert_eq!(
        asked("notification", Env::from_iter(customer1)).await,
        r#"{"TEXT1":"Customer1_Company","TEXT2":"Welcomes You","COMPANY":"Customer1 Company Technology Pct. Ltd."}"#
    );
    assert_eq!(
        asked("order", Env::from_iter(given)).await,
        r#"{"key1":"value1","key2":"value2","password":"mysqlpassword"}"#
    );
    assert_eq!(asked("order", Env::default()).await, "{}");
}

#[tokio::test]
async fn every_service_says_that_it_is_up() {
    let world = World::start(&[]).await;
    for name in healthcenter::SERVICES {
        let health = world.get(name, "/actuator/health").await;
        assert_eq!(
            (health.status, &health.json()["status"]),
            (StatusCode::OK, &json!("UP"))
        );
    }
    world.stop().await;
}
