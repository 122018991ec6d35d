//! Points are what was really saved, no more and no less, whatever happens at the same time and however often it is told.

use crate::world::{World, eventually};
use futures::future::join_all;
use serde_json::{Value, json};

/// The sum of a field over a collection.
async fn sum(world: &World, collection: &str, field: &str) -> i64 {
    let values = world.all(collection, field).await;
    values.iter().filter_map(Value::as_i64).sum()
}

#[tokio::test]
async fn points_are_what_was_saved_with_many_orders_at_once() {
    const USERS: i64 = 8;
    const ORDERS: usize = 5;
    let world = World::start(&[]).await;
    world.register(&[100; USERS as usize]).await;
    // The last two save nothing.
    for user in 1..=USERS {
        world.uses(user as usize, 88 + 2 * user).await;
    }
    join_all((0..ORDERS).map(|_| world.start_order())).await;
    let orders: Vec<String> = (1..=ORDERS).map(|id| id.to_string()).collect();
    for dr_id in &orders {
        world
            .answers_become(dr_id, &["ignore"; USERS as usize])
            .await;
    }
    let choosing = orders.iter().flat_map(|dr_id| {
        let world = &world;
        (1..=USERS).map(move |user| world.choose(dr_id, user, "accept"))
    });
    join_all(choosing).await;
    // Each is ended by three administrators at the same moment.
    let ending = [1, 2, 3].into_iter().flat_map(|_| {
        let paths = orders.iter().map(|id| format!("/drs/{id}/enddr"));
        paths.map(|path| {
            let world = &world;
            async move { world.put(&path).await.status.as_u16() }
        })
    });
    let mut answers = join_all(ending).await;
    answers.sort_unstable();
    assert_eq!(answers[..ORDERS], [200; ORDERS]);
    assert_eq!(answers[ORDERS..], [409; 2 * ORDERS]);

    let each = |user: i64| (100 - (88 + 2 * user)).max(0) * ORDERS as i64;
    let expected: Vec<i64> = (1..=USERS).map(each).collect();
    world.points_become(&expected).await;
    assert_eq!(
        sum(&world, "kepcos", "reducedAmount").await,
        expected.iter().sum::<i64>()
    );
    assert_eq!(world.list("kepcos").await.len(), ORDERS * USERS as usize);
    world.stop().await;
}

#[tokio::test]
async fn what_is_told_again_changes_nothing() {
    let world = World::start(&[]).await;
    world.register(&[100, 50]).await;
    world.uses(1, 40).await;
    world.start_order().await;
    world.answers_become("1", &["ignore"; 2]).await;
    world.choose("1", 1, "accept").await;
    world.choose("1", 2, "accept").await;
    world.put("/drs/1/enddr").await;
    world.points_become(&[60, 0]).await;
    world.answers_become("1", &["accept", "deny"]).await;

    // 1 + 4, 2 choices, 1 + 2, 2 checks and points for one: each as it was, and each once more as if it had happened again.
    let events = world.told(1 + 4 + 2 + 1 + 2 + 2 + 1).await;
    for (n, event) in events.iter().enumerate() {
        let mut again = event.clone();
        again["eventId"] = json!(format!("again {n}"));
        world.tell(event).await;
        world.tell(&again).await;
    }
    // What is told last is heard last.
    world.start_order().await;
    world.answers_become("2", &["ignore"; 2]).await;
    world.choose("2", 1, "accept").await;
    world.put("/drs/2/enddr").await;
    world.points_become(&[120, 0]).await;
    assert_eq!(world.answers("1").await, ["accept", "deny"]);
    assert_eq!(world.list("kepcos").await.len(), 3);
    eventually(async || world.all("overviews", "point").await == [120, 0, 120, 0]).await;
    world.stop().await;
}
