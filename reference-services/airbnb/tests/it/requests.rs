//! The requests the report states, and what they are answered.

use crate::world::{World, get, post, send, start};
use bytes::Bytes;
use http::{Method, Request, StatusCode, header};
use http_body_util::Full;
use hyper_util::client::legacy::Client;
use hyper_util::rt::TokioExecutor;
use kernel::Env;
use serde_json::{Value, json};

#[tokio::test]
async fn a_room_is_registered_with_254_bytes_and_two_more_for_each_digit_of_its_id() {
    let room = start("room", &Env::default()).await;
    let mut bytes = Vec::new();
    for id in 1..=12 {
        let created = post(
            &room,
            "room:8080",
            "/rooms",
            json!({"desc": "Beautiful House3"}),
        )
        .await;
        assert_eq!(created.status, StatusCode::CREATED);
        let location = format!("http://room:8080/rooms/{id}");
        assert_eq!(created.header("location"), location);
        bytes.push(created.body.len());
    }
    assert_eq!(
        bytes,
        [254, 254, 254, 254, 254, 254, 254, 254, 254, 256, 256, 256]
    );
    let read = get(&room, "room:8080", "/rooms/1").await.json();
    let href = json!({"href": "http://room:8080/rooms/1"});
    let body = json!({
        "status": "available", "desc": "Beautiful House3", "reviewCnt": 0, "lastAction": "register",
        "_links": {"self": href, "room": href},
    });
    assert_eq!(read, body);
}

#[tokio::test]
async fn a_check_says_true_once_and_then_false() {
    let room = start("room", &Env::default()).await;
    let check = async |query: &str| {
        let path = format!("/check/chkAndReqReserve{query}");
        get(&room, "room:8080", &path).await
    };
    assert_eq!(check("?roomId=1").await.body, "false");
    post(
        &room,
        "room:8080",
        "/rooms",
        json!({"desc": "Beautiful House3"}),
    )
    .await;
    let granted = check("?roomId=1").await;
    assert_eq!(
        (granted.status, granted.body.as_str()),
        (StatusCode::OK, "true")
    );
    assert_eq!(
        granted.header("content-type"),
        "application/json;charset=UTF-8"
    );
    assert_eq!(check("?roomId=1").await.body, "false");
    assert_eq!(check("").await.status, StatusCode::BAD_REQUEST);
    assert_eq!(
        get(&room, "room:8080", "/holds").await.status,
        StatusCode::NOT_FOUND
    );
}

#[tokio::test]
async fn a_reservation_is_taken_listed_and_confirmed_and_the_answer_is_as_stated() {
    let world = World::start(&[]).await;
    world.register().await;
    let taken = world.reserve().await;
    assert_eq!(taken.status, StatusCode::CREATED, "{}", taken.body);
    let body = taken.json();
    assert_eq!(
        (&body["roomId"], &body["status"]),
        (&json!(1), &json!("reqReserve"))
    );
    let list = get(&world.gateway, "localhost:8088", "/reservations").await;
    assert_eq!(list.status, StatusCode::OK);
    assert_eq!(list.json()["page"]["totalElements"], 1);
    world.until("reservations", "status", &["reserved"]).await;
    let payments = world.list("payments").await;
    let paid = |field: &str| payments[0][field].clone();
    assert_eq!(
        [paid("rsvId"), paid("roomId"), paid("status")],
        [json!(1), json!(1), json!("paid")]
    );
    world.stop().await;
}

#[tokio::test]
async fn without_payment_no_reservation_is_taken_and_with_it_again_one_is() {
    let mut world = World::start(&[]).await;
    world.register().await;
    let payment = std::mem::replace(&mut world.payment, start("message", &Env::default()).await);
    let address = crate::world::url(&payment);
    payment.stop().await;
    let refused = world.reserve().await;
    assert_eq!(refused.status, StatusCode::INTERNAL_SERVER_ERROR);
    let body = refused.json();
    let keys: Vec<_> = body.as_object().unwrap().keys().collect();
    assert_eq!(keys, ["timestamp", "status", "error", "message", "path"]);
    assert_eq!(body["path"], "/reservations");
    assert_eq!(world.list("reservations").await, [Value::Null; 0]);

    // The room is given back although payment is still away.
    world.until("rooms", "lastAction", &["cancel"]).await;
    world.payment = world.restart("payment", &address).await;
    assert_eq!(world.reserve().await.status, StatusCode::CREATED);
    world.until("reservations", "status", &["reserved"]).await;
    world.until("payments", "status", &["paid"]).await;
    world.stop().await;
}

#[tokio::test]
async fn reservations_are_taken_without_message_and_it_catches_up() {
    let mut world = World::start(&[]).await;
    world.register().await;
    let message = std::mem::replace(&mut world.message, start("message", &Env::default()).await);
    let address = crate::world::url(&message);
    message.stop().await;
    assert_eq!(world.reserve().await.status, StatusCode::CREATED);
    world.until("reservations", "status", &["reserved"]).await;
    world.message = world.restart("message", &address).await;
    world
        .until("messages", "content", &["Your reservation 1 is confirmed."])
        .await;
    world.stop().await;
}

#[tokio::test]
async fn a_taken_room_is_a_reservation_without_payment_unless_that_is_to_be_refused() {
    let world = World::start(&[]).await;
    world.register().await;
    for _ in 0..2 {
        assert_eq!(world.reserve().await.status, StatusCode::CREATED);
    }
    world
        .until("reservations", "status", &["reserved", "reqReserve"])
        .await;
    assert_eq!(world.list("payments").await.len(), 1);

    let strict_env = world.env.clone().with("REJECT_UNAVAILABLE", "true");
    let strict_env = strict_env.with("DATABASE_URL", databases::url());
    let strict = start("reservation", &strict_env.with("KAFKA_BROKERS", "none")).await;
    let refused = post(
        &strict,
        "reservation:8080",
        "/reservations",
        json!({"roomId": "1"}),
    )
    .await;
    assert_eq!(refused.status, StatusCode::CONFLICT);
    assert_eq!(refused.json()["message"], "room 1 is not available");
    let stored = get(&strict, "reservation:8080", "/reservations")
        .await
        .json();
    assert_eq!(stored["page"]["totalElements"], 0);
    world.stop().await;
}

#[tokio::test]
async fn the_eleventh_active_reservation_of_a_guest_is_refused() {
    let world = World::start(&[("MAX_RESERVATION_PER_PERSION", "10")]).await;
    for _ in 0..12 {
        world.register().await;
    }
    let body = |room: usize| json!({"roomId": room.to_string(), "status": "reqReserve", "guest": "배트맨"});
    for room in 1..=10 {
        assert_eq!(
            world.reserve_for(body(room)).await.status,
            StatusCode::CREATED
        );
    }
    let refused = world.reserve_for(body(11)).await;
    assert_eq!(refused.status, StatusCode::CONFLICT);
    assert_eq!(
        refused.json()["message"],
        "배트맨 has 10 reservations already"
    );
    world
        .until("reservations", "status", &["reserved"; 10])
        .await;
    assert_eq!(world.list("rooms").await[10]["lastAction"], "register");

    let path = "/reservations/3";
    let cancel = r#"{"status":"reqCancel"}"#;
    send(
        Method::PATCH,
        &world.gateway,
        "localhost:8088",
        path,
        cancel,
    )
    .await;
    crate::world::eventually(async || world.list("reservations").await[2]["status"] == "cancelled")
        .await;
    assert_eq!(
        world.reserve_for(body(11)).await.status,
        StatusCode::CREATED
    );
    world.stop().await;
}

#[tokio::test]
async fn web_pages_from_anywhere_may_use_the_gateway() {
    let room = start("room", &Env::default()).await;
    let gateway = start(
        "gateway",
        &Env::default().with("ROOM_URL", crate::world::url(&room)),
    )
    .await;
    let client = Client::builder(TokioExecutor::new()).build_http();
    let ask = |method: Method, preflight: Option<&'static str>| {
        let request = Request::builder()
            .method(method)
            .uri(format!("{}/rooms", crate::world::url(&gateway)))
            .header(header::ORIGIN, "http://shop.example");
        let request = match preflight {
            Some(wanted) => request.header(header::ACCESS_CONTROL_REQUEST_METHOD, wanted),
            None => request,
        };
        client.request(request.body(Full::<Bytes>::default()).unwrap())
    };
    for response in [ask(Method::OPTIONS, Some("POST")), ask(Method::GET, None)] {
        let response = response.await.unwrap();
        assert_eq!(response.status(), StatusCode::OK);
        let header = |name: header::HeaderName| response.headers()[name].to_str().unwrap();
        assert_eq!(
            header(header::ACCESS_CONTROL_ALLOW_ORIGIN),
            "http://shop.example"
        );
        assert_eq!(header(header::ACCESS_CONTROL_ALLOW_CREDENTIALS), "true");
    }
    let preflight = ask(Method::OPTIONS, Some("DELETE")).await.unwrap();
    assert_eq!(
        preflight.headers()[header::ACCESS_CONTROL_ALLOW_METHODS],
        "DELETE"
    );
}
