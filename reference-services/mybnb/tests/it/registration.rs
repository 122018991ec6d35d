//! Registering rooms: the report's preliminary verification, and its first, over real HTTP.

use crate::world::{get, post, send, start, url};
use http::{Method, StatusCode};
use kernel::{Env, Running};
use serde_json::{Value, json};

async fn room_and_auth() -> (Running, Running) {
    let auth = start("auth", &Env::default()).await;
    let room = start("room", &Env::default().with("AUTH_URL", url(&auth))).await;
    (room, auth)
}

fn room_named(name: &str, address: &str) -> Value {
    json!({"name": name, "price": "1000", "address": address, "host": "Superman"})
}

#[tokio::test]
async fn three_rooms_are_registered_listed_and_approved() {
    let (room, auth) = room_and_auth().await;
    for (id, (name, address)) in (1..).zip([("호텔", "서울"), ("펜션", "양평"), ("민박", "강릉")])
    {
        let created = post(&room, "room:8080", "/rooms", room_named(name, address)).await;
        assert_eq!(created.status, StatusCode::CREATED);
        assert_eq!(
            created.header("content-type"),
            "application/json;charset=UTF-8"
        );
        assert_eq!(
            created.header("location"),
            format!("http://room:8080/rooms/{id}")
        );
        let href = json!({"href": format!("http://room:8080/rooms/{id}")});
        let body = json!({"name": name, "price": 1000, "address": address, "host": "Superman", "_links": {"self": href, "room": href}});
        assert_eq!(created.json(), body);
    }
    let rooms = get(&room, "room:8080", "/rooms").await;
    assert_eq!(
        rooms.header("content-type"),
        "application/hal+json;charset=UTF-8"
    );
    assert_eq!(
        rooms.json()["_embedded"]["rooms"].as_array().unwrap().len(),
        3
    );
    assert_eq!(
        rooms.json()["page"],
        json!({"size": 20, "totalElements": 3, "totalPages": 1, "number": 0})
    );

    let auths = get(&auth, "auth:8080", "/auths?sort=roomId,desc")
        .await
        .json();
    let newest = &auths["_embedded"]["auths"][0];
    assert_eq!(
        (&newest["roomId"], &newest["name"], &newest["status"]),
        (&json!(3), &json!("민박"), &json!("approved"))
    );
    assert_eq!(auths["page"]["totalElements"], 3);
}

#[tokio::test]
async fn a_created_room_takes_the_bytes_of_the_load_runs() {
    let (room, _auth) = room_and_auth().await;
    let numeric = json!({"name": "호텔4", "price": 1000, "address": "서울", "host": "Superman"});
    let created = post(&room, "room:8080", "/rooms", numeric).await;
    assert_eq!(created.body.len(), 236, "{}", created.body);
    assert!(
        created
            .body
            .starts_with("{\n  \"name\" : \"호텔4\",\n  \"price\" : 1000,\n"),
        "{}",
        created.body
    );
}

#[tokio::test]
async fn without_auth_nothing_is_registered_and_the_answer_has_247_bytes() {
    let (room, auth) = room_and_auth().await;
    auth.stop().await;
    let refused = post(&room, "room:8080", "/rooms", room_named("호텔1", "서울")).await;
    assert_eq!(refused.status, StatusCode::INTERNAL_SERVER_ERROR);
    assert_eq!(
        refused.header("content-type"),
        "application/json;charset=UTF-8"
    );
    assert_eq!(refused.body.len(), 247, "{}", refused.body);
    let body = refused.json();
    assert_eq!(body["error"], "Internal Server Error");
    assert_eq!(
        body["message"],
        "Could not commit JPA transaction; nested exception is javax.persistence.RollbackException: \
         Error while committing the transaction"
    );
    assert_eq!(
        (&body["path"], &body["status"]),
        (&json!("/rooms"), &json!(500))
    );
    assert_eq!(
        get(&room, "room:8080", "/rooms").await.json()["page"]["totalElements"],
        0
    );
}

#[tokio::test]
async fn an_auth_that_is_silent_is_given_up_after_the_time_limit() {
    let silent = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = format!("http://{}", silent.local_addr().unwrap());
    let room = start(
        "room",
        &Env::from_iter([
            ("AUTH_URL", address.as_str()),
            ("EDGE_AUTH_TIMEOUT", "50ms"),
        ]),
    )
    .await;
    let refused = post(&room, "room:8080", "/rooms", room_named("호텔1", "서울")).await;
    assert_eq!(
        (refused.status, refused.body.len()),
        (StatusCode::INTERNAL_SERVER_ERROR, 247)
    );
}

#[tokio::test]
async fn with_the_call_switched_off_rooms_are_registered_without_auth() {
    let room = start(
        "room",
        &Env::from_iter([
            ("EDGE_AUTH_CALL", "off"),
            ("AUTH_URL", "http://127.0.0.1:1"),
        ]),
    )
    .await;
    assert_eq!(
        post(&room, "room:8080", "/rooms", room_named("호텔1", "서울"))
            .await
            .status,
        StatusCode::CREATED
    );
}

#[tokio::test]
async fn an_open_breaker_refuses_without_asking() {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = format!("http://{}", listener.local_addr().unwrap());
    drop(listener);
    let env = Env::from_iter([
        ("AUTH_URL", address.as_str()),
        ("EDGE_AUTH_BREAKER", "2"),
        ("EDGE_AUTH_BREAKER_WAIT", "1m"),
    ]);
    let room = start("room", &env).await;
    for _ in 0..2 {
        post(&room, "room:8080", "/rooms", room_named("호텔1", "서울")).await;
    }
    // Now somebody would answer, but nobody asks.
    let auth_env = Env::from_iter([("POD_IP", "127.0.0.1"), ("KAFKA_BROKERS", "none")]);
    let auth_env = auth_env.with("PORT", address.rsplit(':').next().unwrap());
    let auth = kernel::start(mybnb::SYSTEM.service("auth", &auth_env).unwrap(), &auth_env)
        .await
        .unwrap();
    let refused = post(&room, "room:8080", "/rooms", room_named("호텔1", "서울")).await;
    assert_eq!(refused.status, StatusCode::INTERNAL_SERVER_ERROR);
    assert_eq!(
        get(&auth, "auth:8080", "/auths").await.json()["page"]["totalElements"],
        0
    );
}

#[tokio::test]
async fn the_correlation_id_goes_from_the_request_to_the_answer() {
    let review = start("review", &Env::default()).await;
    assert_eq!(
        get(&review, "review:8080", "/reviews")
            .await
            .header("x-correlation-id")
            .len(),
        16
    );
}

#[tokio::test]
async fn an_empty_list_of_reviews_takes_349_bytes() {
    let review = start("review", &Env::default()).await;
    let list = get(&review, "review:8080", "/reviews").await;
    assert_eq!(
        (list.status, list.body.len()),
        (StatusCode::OK, 349),
        "{}",
        list.body
    );
    assert_eq!(
        list.header("content-type"),
        "application/hal+json;charset=UTF-8"
    );
}

#[tokio::test]
async fn a_booking_is_taken_read_changed_and_deleted() {
    let booking = start("booking", &Env::default()).await;
    let asked = json!({"roomId": "1", "name": "호텔", "price": "1000", "address": "서울", "host": "Superman", "guest": "배트맨", "usedate": "20201010"});
    let created = post(&booking, "booking:8080", "/bookings", asked).await;
    assert_eq!(
        (created.status, created.header("location")),
        (StatusCode::CREATED, "http://booking:8080/bookings/1")
    );

    let read = get(&booking, "booking:8080", "/bookings/1").await;
    assert_eq!(
        (read.status, read.header("content-type")),
        (StatusCode::OK, "application/hal+json;charset=UTF-8")
    );
    assert_eq!(
        (&read.json()["roomId"], &read.json()["usedate"]),
        (&json!(1), &json!("20201010"))
    );
    assert_eq!(
        read.json()["_links"]["booking"]["href"],
        "http://booking:8080/bookings/1"
    );

    let changed = send(
        Method::PATCH,
        &booking,
        "booking:8080",
        "/bookings/1",
        r#"{"status":"canceled"}"#,
    )
    .await
    .json();
    assert_eq!(
        (&changed["status"], &changed["guest"]),
        (&json!("canceled"), &json!("배트맨"))
    );
    let replaced = send(
        Method::PUT,
        &booking,
        "booking:8080",
        "/bookings/1",
        r#"{"guest":"Robin"}"#,
    )
    .await
    .json();
    assert_eq!(
        (&replaced["guest"], &replaced["price"]),
        (&json!("Robin"), &json!(0))
    );

    assert_eq!(
        send(Method::DELETE, &booking, "booking:8080", "/bookings/1", "")
            .await
            .status,
        StatusCode::NO_CONTENT
    );
    let gone = get(&booking, "booking:8080", "/bookings/1").await;
    assert_eq!(
        (gone.status, gone.body.as_str()),
        (StatusCode::NOT_FOUND, "")
    );
}

#[tokio::test]
async fn a_body_that_is_no_room_is_refused() {
    let (room, _auth) = room_and_auth().await;
    for body in ["", "[]", "{\"price\":\"dear\"}"] {
        let refused = send(Method::POST, &room, "room:8080", "/rooms", body).await;
        assert_eq!(
            (refused.status, &refused.json()["status"]),
            (StatusCode::BAD_REQUEST, &json!(400))
        );
    }
}
