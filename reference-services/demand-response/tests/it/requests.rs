//! Every request of the report, what is added to it, and what they are answered.

use crate::world::{World, report_order, send, start, url};
use bytes::Bytes;
use http::{Method, Request, StatusCode, header};
use http_body_util::Full;
use hyper_util::client::legacy::Client;
use hyper_util::rt::TokioExecutor;
use kernel::Env;
use serde_json::{Value, json};

/// The walk through the report, at the services' own addresses as printed.
#[tokio::test]
async fn an_order_is_started_accepted_and_listed_as_in_the_report() {
    let world = World::start(&[]).await;
    world.register(&[100, 50, 70]).await;
    // http POST :8082/startdr name="kt" type="reliable" status="running" date="2024-10-08"
    let body = report_order().to_string();
    let dr = world.service("dr");
    let started = send(Method::POST, dr, "localhost:8082", "/startdr", &body).await;
    assert_eq!(started.status, StatusCode::CREATED);
    let expected =
        r#"{"id":1,"name":"kt","type":"reliable","status":"running","date":"2024-10-08"}"#;
    assert_eq!(started.body, expected);
    assert_eq!(
        started.header("content-type"),
        "application/json;charset=UTF-8"
    );
    world.answers_become("1", &["ignore"; 3]).await;

    // http PUT :8083/responses/2/accept
    let response = world.service("response");
    let at = "localhost:8083";
    let accepted = send(Method::PUT, response, at, "/responses/2/accept", "").await;
    assert_eq!(accepted.status, StatusCode::OK);
    let expected =
        r#"{"id":2,"userId":2,"userName":"고객2","drId":"1","answer":"accept","userCapacity":50}"#;
    assert_eq!(accepted.body, expected);

    // http :8083/responses
    let list = send(Method::GET, response, at, "/responses", "").await;
    assert_eq!(
        list.header("content-type"),
        "application/hal+json;charset=UTF-8"
    );
    let row = |id: i64, answer: &str, capacity: i64| {
        let href = json!({"href": format!("http://localhost:8083/responses/{id}")});
        json!({
            "userId": id, "userName": format!("고객{id}"), "drId": "1", "answer": answer, "userCapacity": capacity,
            "_links": {"self": href, "response": href},
        })
    };
    let expected = json!({
        "_embedded": {"responses": [row(1, "ignore", 100), row(2, "accept", 50), row(3, "ignore", 70)]},
        "_links": {
            "self": {"href": "http://localhost:8083/responses{?page,size,sort}", "templated": true},
            "profile": {"href": "http://localhost:8083/profile/responses"},
        },
        "page": {"size": 20, "totalElements": 3, "totalPages": 1, "number": 0},
    });
    assert_eq!(list.json(), expected);
    world.stop().await;
}

#[tokio::test]
async fn a_user_is_registered_without_points_and_listed() {
    let user = start("user", &Env::default()).await;
    let post = async |body: Value| {
        send(
            Method::POST,
            &user,
            "localhost:8084",
            "/users",
            &body.to_string(),
        )
        .await
    };
    let created = post(json!({"name": "강감찬", "capacity": "100", "point": 7})).await;
    assert_eq!(created.status, StatusCode::CREATED);
    assert_eq!(created.header("location"), "http://localhost:8084/users/1");
    let href = json!({"href": "http://localhost:8084/users/1"});
    let body = json!({"name": "강감찬", "capacity": 100, "point": 0, "_links": {"self": href, "user": href}});
    assert_eq!(created.json(), body);
    let list = send(Method::GET, &user, "localhost:8084", "/users", "").await;
    assert_eq!(list.json()["_embedded"]["users"], json!([body]));

    let refused = |reply: crate::world::Reply| (reply.status, reply.json()["message"].clone());
    let why = json!("name: say who it is");
    let bad = StatusCode::BAD_REQUEST;
    assert_eq!(refused(post(json!({"capacity": 1})).await), (bad, why));
    let why = json!("capacity: 0 is not from 1 to 1000000000 kW");
    assert_eq!(refused(post(json!({"name": "강감찬"})).await), (bad, why));
    let given = r#"{"point":1000}"#;
    let given = send(Method::PATCH, &user, "localhost:8084", "/users/1", given).await;
    let why = json!("points follow from what was saved");
    assert_eq!(refused(given), (StatusCode::CONFLICT, why));
    let credits = send(Method::GET, &user, "localhost:8084", "/credits", "").await;
    assert_eq!(credits.status, StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn an_order_is_ended_once_in_either_way() {
    let dr = start("dr", &Env::default()).await;
    let ask = async |method: Method, path: &str, body: Value| {
        send(method, &dr, "localhost:8082", path, &body.to_string()).await
    };
    for id in 1..=3 {
        let started = ask(Method::POST, "/startdr", report_order()).await;
        assert_eq!(started.json()["id"], id);
    }
    let ended = |id: i64| {
        format!(
            r#"{{"id":{id},"name":"kt","type":"reliable","status":"ended","date":"2024-10-08"}}"#
        )
    };
    let first = ask(Method::POST, "/enddr", json!({"id": "1"})).await;
    assert_eq!((first.status, first.body), (StatusCode::OK, ended(1)));
    let second = ask(Method::PUT, "/drs/2/enddr", Value::Null).await;
    assert_eq!((second.status, second.body), (StatusCode::OK, ended(2)));
    let third = ask(Method::PATCH, "/drs/3", json!({"status": "ended"})).await;
    assert_eq!(third.json()["status"], "ended");

    let again = ask(Method::PUT, "/drs/1/enddr", Value::Null).await;
    let why = json!("order 1 has ended");
    assert_eq!(
        (again.status, &again.json()["message"]),
        (StatusCode::CONFLICT, &why)
    );
    let again = ask(Method::POST, "/enddr", json!({"id": 2})).await;
    assert_eq!(again.status, StatusCode::CONFLICT);
    for (method, path, body) in [
        (Method::POST, "/enddr", json!({"id": 9})),
        (Method::PUT, "/drs/9/enddr", Value::Null),
        (Method::PUT, "/drs/x/enddr", Value::Null),
    ] {
        let missing = ask(method, path, body).await;
        assert_eq!(missing.status, StatusCode::NOT_FOUND, "{path}");
    }
    let bad = ask(Method::POST, "/startdr", json!({"status": "ended"})).await;
    assert_eq!(bad.status, StatusCode::BAD_REQUEST);
    let bad = ask(Method::POST, "/startdr", json!([])).await;
    assert_eq!(bad.status, StatusCode::BAD_REQUEST);
}

#[tokio::test]
async fn a_choice_can_be_changed_until_the_order_ends_and_not_after() {
    let world = World::start(&[]).await;
    world.register(&[100]).await;
    world.start_order().await;
    world.answers_become("1", &["ignore"]).await;
    for answer in ["accept", "accept", "deny", "accept"] {
        let chosen = world.choose("1", 1, answer).await;
        assert_eq!(
            (chosen.status, &chosen.json()["answer"]),
            (StatusCode::OK, &json!(answer))
        );
    }
    let other = world
        .ask(Method::PATCH, "/responses/1", json!({"answer": "maybe"}))
        .await;
    assert_eq!(other.status, StatusCode::BAD_REQUEST);
    let stolen = world
        .ask(Method::PATCH, "/responses/1", json!({"userId": 2}))
        .await;
    assert_eq!(stolen.status, StatusCode::CONFLICT);
    assert_eq!(
        world.put("/responses/9/accept").await.status,
        StatusCode::NOT_FOUND
    );

    world.put("/drs/1/enddr").await;
    // What was accepted and not carried out.
    world.answers_become("1", &["deny"]).await;
    let late = world.choose("1", 1, "accept").await;
    let why = json!("order 1 has ended");
    assert_eq!(
        (late.status, &late.json()["message"]),
        (StatusCode::CONFLICT, &why)
    );
    let late = json!({"userId": 2, "drId": "1"});
    let late = world.ask(Method::POST, "/responses", late).await;
    assert_eq!(late.status, StatusCode::CONFLICT);
    world.stop().await;
}

#[tokio::test]
async fn a_meter_shows_what_was_noted_last() {
    let kepco = start("kepco", &Env::default()).await;
    let ask = async |method: Method, path: &str, body: &str| {
        send(method, &kepco, "localhost:8085", path, body).await
    };
    let shown = async || ask(Method::GET, "/meters/7", "").await.body;
    assert_eq!(shown().await, r#"{"userId":7,"usedKw":null}"#);
    for used in ["40", "35"] {
        let body = format!(r#"{{"usedKw":"{used}"}}"#);
        let noted = ask(Method::PUT, "/meters/7", &body).await;
        assert_eq!(noted.status, StatusCode::OK);
    }
    assert_eq!(shown().await, r#"{"userId":7,"usedKw":35}"#);
    for (path, body) in [
        ("/meters/7", r#"{"usedKw":-1}"#),
        ("/meters/x", r#"{"usedKw":1}"#),
    ] {
        let refused = ask(Method::PUT, path, body).await;
        assert_eq!(refused.status, StatusCode::BAD_REQUEST);
    }
    let checks = ask(Method::GET, "/kepcos", "").await.json();
    assert_eq!(checks["page"]["totalElements"], 0);
}

#[tokio::test]
async fn the_gateway_knows_every_route_and_the_frontend_gets_the_rest() {
    let mut world = World::start(&[]).await;
    for collection in ["drs", "responses", "users", "kepcos", "overviews"] {
        assert_eq!(
            world.list(collection).await,
            [Value::Null; 0],
            "{collection}"
        );
    }
    world.start_order().await;
    let ended = world.ask(Method::POST, "/enddr", json!({"id": 1})).await;
    assert_eq!(ended.status, StatusCode::OK);
    for path in ["/", "/index.html"] {
        let page = world.get(path).await;
        assert_eq!(page.status, StatusCode::OK);
        assert_eq!(page.header("content-type"), "text/html; charset=utf-8");
    }
    assert_eq!(world.get("/weather").await.status, StatusCode::NOT_FOUND);
    // Each prefix leads to its own service: without it, it alone is not there.
    for (service, path) in [
        ("dr", "/drs"),
        ("response", "/responses"),
        ("user", "/users"),
        ("kepco", "/kepcos"),
        ("frontend", "/"),
    ] {
        world.away(service).await;
        assert_eq!(
            world.get(path).await.status,
            StatusCode::SERVICE_UNAVAILABLE
        );
        world.back(service).await;
        assert_eq!(world.get(path).await.status, StatusCode::OK);
    }
    world.stop().await;
}

#[tokio::test]
async fn web_pages_from_anywhere_may_use_the_gateway() {
    let user = start("user", &Env::default()).await;
    let env = Env::default().with("USER_URL", url(&user));
    let gateway = start("gateway", &env).await;
    let client = Client::builder(TokioExecutor::new()).build_http();
    let ask = |method: Method, preflight: Option<&'static str>| {
        let request = Request::builder()
            .method(method)
            .uri(format!("{}/users", url(&gateway)))
            .header(header::ORIGIN, "http://kpx.example");
        let request = match preflight {
            Some(wanted) => request.header(header::ACCESS_CONTROL_REQUEST_METHOD, wanted),
            None => request,
        };
        client.request(request.body(Full::<Bytes>::default()).unwrap())
    };
    for response in [ask(Method::OPTIONS, Some("PUT")), ask(Method::GET, None)] {
        let response = response.await.unwrap();
        assert_eq!(response.status(), StatusCode::OK);
        let header = |name: header::HeaderName| response.headers()[name].to_str().unwrap();
        assert_eq!(
            header(header::ACCESS_CONTROL_ALLOW_ORIGIN),
            "http://kpx.example"
        );
        assert_eq!(header(header::ACCESS_CONTROL_ALLOW_CREDENTIALS), "true");
    }
}
