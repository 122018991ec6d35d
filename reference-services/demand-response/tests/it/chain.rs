//! From the start of an order to the points for it, and what is told on the way.

use crate::world::{World, eventually};
use http::{Method, StatusCode};
use serde_json::{Value, json};

fn of_kind<'a>(events: &'a [Value], kind: &str) -> Vec<&'a Value> {
    let is_it = |event: &&Value| event["eventType"] == kind;
    events.iter().filter(is_it).collect()
}

fn kinds(events: &[Value]) -> Vec<&str> {
    events
        .iter()
        .map(|event| event["eventType"].as_str().unwrap())
        .collect()
}

#[tokio::test]
async fn who_saves_gets_points_who_does_not_is_denied_and_who_did_not_accept_is_not_checked() {
    let world = World::start(&[]).await;
    world.register(&[100, 50, 70, 30]).await;
    for (user, used) in [(1, 40), (2, 50), (3, 0)] {
        world.uses(user, used).await;
    }
    let started = world.start_order().await;
    world.answers_become("1", &["ignore"; 4]).await;
    for (user, answer) in [(1, "accept"), (2, "accept"), (3, "deny")] {
        let chosen = world.choose("1", user, answer).await;
        assert_eq!(chosen.status, StatusCode::OK);
    }
    let ended = world.put("/drs/1/enddr").await;
    world
        .answers_become("1", &["accept", "deny", "deny", "ignore"])
        .await;
    world.points_become(&[60, 0, 0, 0]).await;
    let rows = world.list("kepcos").await;
    let checks: Vec<_> = rows
        .iter()
        .map(|row| {
            let fields = ["userId", "drId", "capacity", "reducedAmount", "isReal"];
            json!(fields.map(|field| row[field].clone()))
        })
        .collect();
    let expected = [
        json!([1, "1", 100, 60, true]),
        json!([2, "1", 50, 0, false]),
    ];
    assert_eq!(checks, expected);

    // Start: 1 + 4 made and saved; 3 choices; end: 1 + 4 saved; 2 checks, points for one.
    let events = world.told(1 + 8 + 3 + 1 + 4 + 2 + 1).await;
    // Each service's own are in order; those of two may overtake each other.
    let by_response: Vec<_> = kinds(&events)
        .into_iter()
        .filter(|kind| kind.starts_with("List") || kind.ends_with("Chosen"))
        .collect();
    assert_eq!(by_response[..8], ["Listmade", "Listsaved"].repeat(4));
    let choices = ["AcceptChosen", "AcceptChosen", "DenyChosen"];
    assert_eq!(by_response[8..11], choices);
    assert_eq!(by_response[11..], ["Listsaved"; 4]);
    assert_eq!(of_kind(&events, "ReductionCheck").len(), 2);
    let points = of_kind(&events, "PointAdded")[0];
    assert_eq!(
        (&points["userId"], &points["added"], &points["point"]),
        (&json!(1), &json!(60), &json!(60))
    );

    // One id for what follows from a request, and the order's for everything about it.
    let of_request = |kinds: &[&str], id: &str| {
        let about = events
            .iter()
            .filter(|event| event["correlationId"] == id)
            .map(|event| event["eventType"].as_str().unwrap());
        assert!(about.clone().count() > 0);
        for kind in about {
            assert!(kinds.contains(&kind), "{kind}");
        }
    };
    let by_start = started.header("x-correlation-id");
    of_request(&["DRstarted", "Listmade", "Listsaved"], by_start);
    let by_end = ended.header("x-correlation-id");
    of_request(
        &["DrEnded", "Listsaved", "ReductionCheck", "PointAdded"],
        by_end,
    );
    let order = json!({"name": "kt", "type": "reliable", "status": "ended", "date": "2024-10-08"});
    for (field, value) in order.as_object().unwrap() {
        assert_eq!(of_kind(&events, "DrEnded")[0][field], *value);
    }
    for event in &events {
        let is_about_points = event["eventType"] == "PointAdded";
        let key = if is_about_points { "user 1" } else { "1" };
        assert_eq!(event["key"], key, "{event}");
    }
    let accepted = of_kind(&events, "AcceptChosen")[0];
    let fields = ["id", "userId", "userName", "drId", "answer", "userCapacity"];
    let six = json!(fields.map(|field| accepted[field].clone()));
    assert_eq!(six, json!([1, 1, "고객1", "1", "accept", 100]));
    world.stop().await;
}

#[tokio::test]
async fn the_administrator_sees_users_orders_and_responses_at_a_glance() {
    let world = World::start(&[]).await;
    world.register(&[100, 50]).await;
    world.uses(1, 40).await;
    world.start_order().await;
    world.answers_become("1", &["ignore"; 2]).await;
    world.choose("1", 1, "accept").await;
    world.choose("1", 2, "accept").await;
    world.put("/drs/1/enddr").await;
    world.points_become(&[60, 0]).await;
    world.start_order().await;
    world.answers_become("2", &["ignore"; 2]).await;
    let row = |response: i64,
               dr: &str,
               status: &str,
               user: (i64, i64, i64),
               answer: &str,
               reduced: i64| {
        let (user, capacity, point) = user;
        json!({
            "drId": dr, "drName": "kt", "drType": "reliable", "drStatus": status, "responseId": response, "userId": user,
            "userName": format!("고객{user}"), "userCapacity": capacity, "point": point, "answer": answer, "reducedAmount": reduced,
        })
    };
    let expected = [
        row(1, "1", "ended", (1, 100, 60), "accept", 60),
        row(2, "1", "ended", (2, 50, 0), "deny", 0),
        row(3, "2", "running", (1, 100, 60), "ignore", 0),
        row(4, "2", "running", (2, 50, 0), "ignore", 0),
    ];
    eventually(async || {
        let mut seen = world.list("overviews").await;
        for row in &mut seen {
            row.as_object_mut().unwrap().remove("_links");
        }
        seen == expected
    })
    .await;
    world.stop().await;
}

#[tokio::test]
async fn every_user_gets_a_response_however_many_there_are() {
    let world = World::start(&[]).await;
    world.register(&[10; 25]).await;
    world.start_order().await;
    world.answers_become("1", &["ignore"; 25]).await;
    world.stop().await;
}

#[tokio::test]
async fn as_printed_only_the_users_of_the_first_page_get_one_and_choices_are_not_told() {
    let printed = [
        ("FIRST_PAGE_OF_USERS_ONLY", "on"),
        ("CHOICES_TOLD_ON_INSERT_ONLY", "on"),
    ];
    let world = World::start(&printed).await;
    world.register(&[10; 25]).await;
    world.start_order().await;
    world.answers_become("1", &["ignore"; 20]).await;
    world.choose("1", 1, "accept").await;
    // A response that is inserted with an answer is told with it.
    let inserted = json!({"userId": 21, "userName": "고객21", "drId": "1", "answer": "accept", "userCapacity": "10"});
    let created = world.ask(Method::POST, "/responses", inserted).await;
    assert_eq!(created.status, StatusCode::CREATED, "{}", created.body);
    let events = world.told(1 + 40 + 3).await;
    assert_eq!(
        kinds(&events)[41..],
        ["Listmade", "Listsaved", "AcceptChosen"]
    );
    assert_eq!(events[43]["userId"], 21);
    world.stop().await;
}

#[tokio::test]
async fn orders_at_the_same_time_have_their_own_responses() {
    let world = World::start(&[]).await;
    world.register(&[100]).await;
    world.uses(1, 40).await;
    world.start_order().await;
    world.start_order().await;
    world.answers_become("1", &["ignore"]).await;
    world.answers_become("2", &["ignore"]).await;
    world.choose("2", 1, "accept").await;
    world.put("/drs/1/enddr").await;
    world.put("/drs/2/enddr").await;
    world.points_become(&[60]).await;
    assert_eq!(world.answers("1").await, ["ignore"]);
    world.stop().await;
}
