//! The whole system in one process, seen through the gateway.

use crate::world::{get, post, start, url};
use http::StatusCode;
use kernel::Env;
use serde_json::json;

#[tokio::test]
async fn the_gateway_passes_requests_on_and_links_lead_to_the_service() {
    let auth = start("auth", &Env::default()).await;
    let room = start("room", &Env::default().with("AUTH_URL", url(&auth))).await;
    let html = start("html", &Env::default()).await;
    let gateway = start(
        "gateway",
        &Env::default()
            .with("ROOM_URL", url(&room))
            .with("HTML_URL", url(&html)),
    )
    .await;

    let created = post(
        &gateway,
        "gateway:8080",
        "/rooms",
        json!({"name": "호텔", "price": "1000"}),
    )
    .await;
    assert_eq!(created.status, StatusCode::CREATED);
    assert_eq!(
        created.header("location"),
        format!("{}/rooms/1", url(&room))
    );
    let listed = get(&gateway, "gateway:8080", "/rooms?size=1").await.json();
    assert_eq!(listed["page"]["size"], 1);
    assert_eq!(
        get(&gateway, "gateway:8080", "/rooms/1").await.json()["name"],
        "호텔"
    );

    let page = get(&gateway, "gateway:8080", "/html/index.html").await;
    assert_eq!(
        (page.status, page.header("content-type")),
        (StatusCode::OK, "text/html; charset=utf-8")
    );
    assert!(page.body.contains("<title>mybnb</title>"));
    let root = get(&gateway, "gateway:8080", "/").await;
    assert_eq!(
        (root.status, root.header("location")),
        (StatusCode::TEMPORARY_REDIRECT, "/html/index.html")
    );

    assert_eq!(
        get(&gateway, "gateway:8080", "/weather").await.status,
        StatusCode::NOT_FOUND
    );
    room.stop().await;
    assert_eq!(
        get(&gateway, "gateway:8080", "/rooms").await.status,
        StatusCode::SERVICE_UNAVAILABLE
    );
}
