//! What is away is missed by nobody who does not need it, and catches up when it is back.

use crate::world::{World, start, url};
use http::StatusCode;
use kernel::Env;
use serde_json::json;
use std::time::Duration;

#[tokio::test]
async fn without_kepco_orders_start_and_end_and_points_come_when_it_is_back() {
    let mut world = World::start(&[]).await;
    world.register(&[100, 50]).await;
    world.uses(1, 40).await;
    world.away("kepco").await;
    world.start_order().await;
    world.answers_become("1", &["ignore"; 2]).await;
    let chosen = world.choose("1", 1, "accept").await;
    assert_eq!(chosen.status, StatusCode::OK);
    assert_eq!(world.put("/drs/1/enddr").await.status, StatusCode::OK);
    world.start_order().await;
    world.answers_become("2", &["ignore"; 2]).await;
    assert_eq!(world.all("users", "point").await, [0, 0]);

    world.back("kepco").await;
    world.points_become(&[60, 0]).await;
    world.stop().await;
}

#[tokio::test]
async fn while_the_meters_do_not_answer_checks_wait_and_none_is_lost() {
    // The API outside is another kepco, which knows nobody, and is not there yet.
    let meters = start("kepco", &Env::default()).await;
    let place = url(&meters);
    meters.stop().await;
    let world = World::start(&[("METER_URL", &place)]).await;
    world.register(&[100]).await;
    world.start_order().await;
    world.answers_become("1", &["ignore"]).await;
    world.choose("1", 1, "accept").await;
    world.put("/drs/1/enddr").await;
    world.start_order().await;
    world.answers_become("2", &["ignore"]).await;
    assert_eq!(world.answers("1").await, ["accept"]);

    let port = place.rsplit(':').next().unwrap().to_owned();
    let env = Env::from_iter([("POD_IP", "127.0.0.1"), ("KAFKA_BROKERS", "none")]);
    let env = env.with("PORT", port);
    let service = demand_response::service("kepco", &env).unwrap();
    let meters = kernel::start(service, &env).await.unwrap();
    // Its meter was never read, so nothing was saved.
    world.answers_become("1", &["deny"]).await;
    assert_eq!(world.all("kepcos", "isReal").await, [json!(false)]);
    meters.stop().await;
    world.stop().await;
}

#[tokio::test]
async fn without_user_an_order_starts_and_its_responses_are_made_when_it_is_back() {
    let mut world = World::start(&[]).await;
    world.register(&[100, 50]).await;
    world.away("user").await;
    world.start_order().await;
    assert_eq!(world.answers("1").await, [""; 0]);
    world.back("user").await;
    world.answers_become("1", &["ignore"; 2]).await;
    world.stop().await;
}

// A consumer that is dropped says good-bye to the broker and waits for its answer, hence the second thread.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_response_that_is_killed_while_orders_start_makes_every_response_once() {
    const ORDERS: usize = 30;
    let mut world = World::start(&[]).await;
    world.register(&[10; 5]).await;
    for order in 1..=ORDERS {
        world.start_order().await;
        if order % 10 == 0 {
            world.kill("response");
            world.back("response").await;
        }
    }
    let orders: Vec<String> = (1..=ORDERS).map(|id| id.to_string()).collect();
    for dr_id in &orders {
        world.answers_become(dr_id, &["ignore"; 5]).await;
    }
    let responses = world.list("responses").await;
    assert_eq!(responses.len(), ORDERS * 5);
    world.stop().await;
}

// A consumer that is dropped says good-bye to the broker and waits for its answer, hence the second thread.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_kepco_that_is_killed_while_it_checks_checks_every_response_once() {
    const USERS: usize = 40;
    let mut world = World::start(&[]).await;
    world.register(&[100; USERS]).await;
    for user in 1..=USERS {
        world.uses(user, 90).await;
    }
    world.start_order().await;
    world.answers_become("1", &["ignore"; USERS]).await;
    for user in 1..=USERS {
        world.choose("1", user as i64, "accept").await;
    }
    world.put("/drs/1/enddr").await;
    let waiting = async {
        while world.list("kepcos").await.is_empty() {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(30), waiting)
        .await
        .expect("the first check");
    world.kill("kepco");
    world.back("kepco").await;
    world.points_become(&[10; USERS]).await;
    assert_eq!(world.list("kepcos").await.len(), USERS);
    world.stop().await;
}

#[tokio::test]
async fn what_was_seen_is_seen_while_everybody_else_is_away() {
    let mut world = World::start(&[]).await;
    world.register(&[100]).await;
    world.start_order().await;
    crate::world::eventually(async || world.all("overviews", "drStatus").await == ["running"])
        .await;
    for name in ["dr", "response", "user", "kepco"] {
        world.away(name).await;
    }
    assert_eq!(world.all("overviews", "userName").await, ["고객1"]);
    assert_eq!(
        world.get("/drs").await.status,
        StatusCode::SERVICE_UNAVAILABLE
    );
    world.stop().await;
}
