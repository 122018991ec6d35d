//! No room twice, however many ask at once.

use crate::world::{World, eventually, get, post, start};
use futures::future::join_all;
use http::StatusCode;
use kernel::Env;
use serde_json::json;
use std::collections::BTreeMap;

#[tokio::test]
async fn of_many_checks_at_once_one_is_granted() {
    let room = start("room", &Env::default()).await;
    post(
        &room,
        "room:8080",
        "/rooms",
        json!({"desc": "Beautiful House3"}),
    )
    .await;
    let checks = (1..=50).map(|rsv| {
        let path = format!("/check/chkAndReqReserve?roomId=1&rsvId={rsv}");
        let room = &room;
        async move { get(room, "room:8080", &path).await.body }
    });
    let answers = join_all(checks).await;
    assert_eq!(
        answers.iter().filter(|answer| *answer == "true").count(),
        1,
        "{answers:?}"
    );
}

#[tokio::test]
async fn of_many_reservations_at_once_each_room_has_one_and_one_payment() {
    const ROOMS: usize = 3;
    let world = World::start(&[]).await;
    for _ in 0..ROOMS {
        world.register().await;
    }
    let reserving = (0..30).map(|n| {
        let body = json!({"roomId": (n % ROOMS + 1).to_string(), "status": "reqReserve"});
        world.reserve_for(body)
    });
    let replies = join_all(reserving).await;
    assert!(
        replies
            .iter()
            .all(|reply| reply.status == StatusCode::CREATED)
    );
    world.until("rooms", "status", &["reserved"; ROOMS]).await;
    let reserved = async || {
        let mut rooms = BTreeMap::new();
        for reservation in world.list("reservations").await {
            if reservation["status"] == "reserved" {
                *rooms
                    .entry(reservation["roomId"].as_i64().unwrap())
                    .or_insert(0) += 1;
            }
        }
        rooms
    };
    eventually(async || reserved().await.len() == ROOMS).await;
    assert_eq!(reserved().await, BTreeMap::from([(1, 1), (2, 1), (3, 1)]));
    assert_eq!(world.list("payments").await.len(), ROOMS);
    world
        .until("roomviews", "rsvStatus", &["reserved"; ROOMS])
        .await;
    let winners = world.all("roomviews", "rsvId").await;
    let paid = world.all("payments", "rsvId").await;
    let sorted = |mut ids: Vec<serde_json::Value>| {
        ids.sort_by_key(|id| id.as_i64());
        ids
    };
    assert_eq!(sorted(winners), sorted(paid));
    world.stop().await;
}
