//! What becomes of rows that are changed, deleted, or there already; and what is handed out beside them.

use crate::world::{broker, env, note, send, start, teller};
use futures::future::join_all;
use http::{Method, StatusCode};
use kernel::{Collection, Effect, Env, Running, Service};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use std::collections::BTreeSet;
use std::io;
use std::sync::{Arc, Mutex};
use std::time::Duration;

#[derive(Default, Serialize, Deserialize)]
#[serde(default)]
struct Place {
    table: i64,
    guest: Option<String>,
    card: Option<i64>,
    status: Option<String>,
}

/// Keeps one place for each table; a place that is given up stays in the book, and every change is noted.
fn book() -> Service {
    let places = Collection::new("places", "place")
        .one_per("table")
        .revising(|was: &Place, is| match was.guest.as_deref() {
            Some("Ann") => Place {
                status: Some("Ann changed".to_owned()),
                ..is
            },
            _ => is,
        })
        .remains(|place| Place {
            status: Some("given up".to_owned()),
            ..place
        })
        .on_update(|_, was, is| {
            let status = |place: &Place| json!(place.status);
            let noted = json!({"text": format!("{} to {}", status(was), status(is))});
            vec![Effect::save("notes", &noted)]
        });
    Service::new("book")
        .collection(places)
        .collection(Collection::<Note>::new("notes", "note"))
}

#[derive(Default, Serialize, Deserialize)]
#[serde(default)]
struct Note {
    text: String,
}

async fn started(service: Service) -> Running {
    let env = [
        ("POD_IP", "127.0.0.1"),
        ("PORT", "0"),
        ("KAFKA_BROKERS", "none"),
    ];
    start(service, &Env::from_iter(env)).await.unwrap()
}

async fn rows(service: &Running, collection: &str, field: &str) -> Value {
    let path = format!("/{collection}?size=1000");
    let (_, _, list) = send(Method::GET, service.address, &path, Value::Null).await;
    let rows = list["_embedded"][collection].as_array().unwrap();
    rows.iter().map(|row| row[field].clone()).collect()
}

#[tokio::test]
async fn what_was_not_given_is_null_and_a_number_that_may_be_null_is_a_number() {
    let book = started(book()).await;
    let given = json!({"table": "7", "card": "4001"});
    let (_, _, place) = send(Method::POST, book.address, "/places", given).await;
    assert_eq!(
        (&place["guest"], &place["card"]),
        (&Value::Null, &json!(4001))
    );
    let (_, _, place) = send(Method::GET, book.address, "/places/1", Value::Null).await;
    assert_eq!(
        (&place["guest"], &place["card"]),
        (&Value::Null, &json!(4001))
    );
}

#[tokio::test]
async fn a_changed_row_is_revised_and_a_deleted_one_remains() {
    let book = started(book()).await;
    let place = json!({"table": 1, "guest": "Ann"});
    send(Method::POST, book.address, "/places", place).await;
    let change = json!({"card": 1});
    let (_, _, changed) = send(Method::PATCH, book.address, "/places/1", change).await;
    assert_eq!(changed["status"], "Ann changed");
    let deleted = send(Method::DELETE, book.address, "/places/1", Value::Null).await;
    assert_eq!(deleted.0, StatusCode::NO_CONTENT);
    assert_eq!(rows(&book, "places", "status").await, json!(["given up"]));
    let told = ["null to \"Ann changed\"", "\"Ann changed\" to \"given up\""];
    assert_eq!(rows(&book, "notes", "text").await, json!(told));
}

#[tokio::test]
async fn of_many_who_create_the_same_at_once_one_creates_and_the_others_change_it() {
    let book = started(book()).await;
    let creating = (0..20).map(|n| {
        let place = json!({"table": 1, "guest": n.to_string()});
        send(Method::POST, book.address, "/places", place)
    });
    let (mut done, mut places) = (0, BTreeSet::new());
    for (status, headers, _) in join_all(creating).await {
        // Whoever meets others again and again is told so.
        if status != StatusCode::CONFLICT {
            let location = headers["location"].to_str().unwrap();
            assert_eq!(status, StatusCode::CREATED);
            places.insert(location.to_owned());
            done += 1;
        }
    }
    // Which one is anybody's guess: ids are given out before it is known who creates.
    assert_eq!(places.len(), 1, "{places:?}");
    let other = json!({"table": 2});
    send(Method::POST, book.address, "/places", other).await;
    assert_eq!(rows(&book, "places", "table").await, json!([1, 2]));
    let changes = rows(&book, "notes", "text").await;
    assert_eq!(changes.as_array().unwrap().len(), done - 1);
}

#[tokio::test]
async fn what_cannot_be_delivered_is_not_written_and_what_an_event_delivers_is_tried_again() {
    let (broker, _folder) = broker().await;
    let env = env(broker.local_addr());
    let handed: Arc<Mutex<Vec<Value>>> = Arc::default();
    let failures = Mutex::new(1);
    let noted = handed.clone();
    let postman = Service::new("postman")
        .collection(Collection::<Note>::new("letters", "letter"))
        .port("door", move |what| {
            let mut failures = failures.lock().unwrap();
            if *failures > 0 {
                *failures -= 1;
                return Err(io::Error::other("nobody at home"));
            }
            noted.lock().unwrap().push(what.clone());
            Ok(())
        })
        .on_event(|event: &Value| {
            let letter = json!({"text": event["text"]});
            vec![
                Effect::deliver("door", &letter),
                Effect::save("letters", &letter),
            ]
        });
    let postman = start(postman, &env).await.unwrap();
    let teller = start(teller(), &env).await.unwrap();
    note(&teller, "hello").await;
    let waiting = async {
        while rows(&postman, "letters", "text").await != json!(["hello"]) {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(30), waiting)
        .await
        .expect("delivered in time");
    assert_eq!(*handed.lock().unwrap(), [json!({"text": "hello"})]);
    postman.stop().await;
    teller.stop().await;
    broker.shutdown().await;
}

#[tokio::test]
async fn work_that_takes_a_while_takes_it_before_anything_is_written() {
    let (least, most) = (Duration::from_millis(50), Duration::from_millis(60));
    let slow = Collection::<Note>::new("notes", "note")
        .on_create(move |_, _| vec![Effect::wait(least, most)]);
    let slow = started(Service::new("slow").collection(slow)).await;
    let begin = std::time::Instant::now();
    let one = || send(Method::POST, slow.address, "/notes", json!({"text": "x"}));
    // They wait at the same time: nobody holds the database meanwhile.
    join_all((0..50).map(|_| one())).await;
    assert!(begin.elapsed() >= least);
    assert!(begin.elapsed() < least * 50);
}
