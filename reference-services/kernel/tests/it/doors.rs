//! What a gateway does with requests that are for nobody in particular, and what a service makes of its own front page.

use crate::world::{env, send, start, teller};
use http::{Method, StatusCode};
use kernel::Service;
use serde_json::Value;

#[tokio::test]
async fn what_nothing_else_answers_goes_to_the_service_for_the_rest() {
    let env = env("127.0.0.1:9".parse().unwrap()).with("KAFKA_BROKERS", "none");
    let screen = Service::new("screen")
        .page("/", "<title>screen</title>")
        .operation(Method::GET, "/deep/down", |_| {
            vec![kernel::Effect::reply(&"screen")]
        });
    let (screen, teller) = (
        start(screen, &env).await.unwrap(),
        start(teller(), &env).await.unwrap(),
    );
    let door = Service::new("door")
        .route("/notes", "teller")
        .otherwise("screen");
    let env = env
        .with("SCREEN_URL", format!("http://{}", screen.address))
        .with("TELLER_URL", format!("http://{}", teller.address));
    let door = start(door, &env).await.unwrap();
    let get = async |path: &str| send(Method::GET, door.address, path, Value::Null).await;

    assert_eq!(get("/notes").await.2["page"]["totalElements"], 0);
    assert_eq!(get("/deep/down").await.2, "screen");
    let (status, headers, _) = get("/").await;
    assert_eq!(
        (status, headers["content-type"].to_str().unwrap()),
        (StatusCode::OK, "text/html; charset=utf-8")
    );
    // The screen's own word for what it does not have.
    let (status, _, body) = get("/weather").await;
    assert_eq!(
        (status, &body["path"]),
        (StatusCode::NOT_FOUND, &Value::from("/weather"))
    );
    // The door itself is well.
    let (status, ..) = get("/actuator/health/readiness").await;
    assert_eq!(status, StatusCode::OK);
    screen.stop().await;
    assert_eq!(get("/").await.0, StatusCode::SERVICE_UNAVAILABLE);
    assert_eq!(get("/notes").await.0, StatusCode::OK);
}
