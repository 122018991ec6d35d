//! What is begun with others comes to an end or is undone: asked first, looked at inside the transaction, told when it fails.

use crate::world::{broker, env, heard, heard_at_least, hearer, send, start};
use http::{Method, StatusCode};
use kernel::{Call, Collection, Effect, Env, Running, Service};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

/// Something that only one can have.
#[derive(Default, Serialize, Deserialize)]
#[serde(default)]
struct Seat {
    holder: String,
}

#[derive(Default, Serialize, Deserialize)]
#[serde(default)]
struct Ticket {
    seat: i64,
    guest: String,
}

/// What the hearer of the other tests writes down.
fn noted(text: &str) -> Value {
    json!({"eventType": "Noted", "text": text})
}

/// Lets seats be taken, each by one guest.
fn hall() -> Service {
    Service::new("hall")
        .collection(Collection::<Seat>::new("seats", "seat"))
        .operation(Method::GET, "/seats/{id}/take", |asked| {
            let (id, guest) = match (asked.number("id"), asked.text("guest")) {
                (Ok(id), Ok(guest)) => (id, guest.to_owned()),
                (Err(refusal), _) | (_, Err(refusal)) => return vec![refusal.into()],
            };
            vec![Effect::look("seats", "id", id, move |seats| {
                let is_free = seats
                    .iter()
                    .any(|seat| seat.typed::<Seat>().holder.is_empty());
                let taken = Effect::change("seats", "id", id, json!({"holder": guest}));
                let taken = is_free.then_some(taken);
                taken.into_iter().chain([Effect::reply(&is_free)]).collect()
            })]
        })
}

/// Sells tickets: a guest has one, the hall agrees, and whatever fails after that is told.
fn counter() -> Service {
    let tickets = Collection::new("tickets", "ticket").on_create(|_, ticket: &Ticket| {
        let path = format!("/seats/{}/take?guest={}", ticket.seat, ticket.guest);
        let one_each = |tickets: &[kernel::Row]| {
            let refusal = Effect::refuse(409, "one each");
            (!tickets.is_empty())
                .then_some(refusal)
                .into_iter()
                .collect()
        };
        let guest = ticket.guest.clone();
        vec![
            Effect::look("tickets", "guest", guest.as_str(), one_each),
            Effect::undo(ticket.seat, &noted(&format!("{guest} has no ticket"))),
            Effect::ask(Call::get("hall", path), |answer| match answer {
                Value::Bool(true) => vec![Call::post("bank", "/payments", &json!({})).into()],
                _ => vec![Effect::refuse(409, "taken")],
            }),
        ]
    });
    Service::new("counter")
        .calls("hall")
        .calls("bank")
        .collection::<Ticket>(tickets)
}

async fn started(service: Service, env: &Env) -> Running {
    start(service, env).await.unwrap()
}

fn bank() -> Service {
    Service::new("bank").collection(Collection::<Seat>::new("payments", "payment"))
}

fn at(service: &Running) -> String {
    format!("http://{}", service.address)
}

async fn buy(counter: &Running, guest: &str) -> (StatusCode, Value) {
    let ticket = json!({"seat": 1, "guest": guest});
    let (status, _, body) = send(Method::POST, counter.address, "/tickets", ticket).await;
    (status, body)
}

async fn holder(hall: &Running) -> Value {
    let (_, _, seat) = send(Method::GET, hall.address, "/seats/1", Value::Null).await;
    seat["holder"].clone()
}

#[tokio::test]
async fn what_fails_after_it_was_begun_is_told_and_what_succeeds_is_not() {
    let (broker, _folder) = broker().await;
    let env = env(broker.local_addr());
    let hearer = started(hearer(), &env).await;
    let (hall, bank) = (started(hall(), &env).await, started(bank(), &env).await);
    let counter_env = env
        .clone()
        .with("HALL_URL", at(&hall))
        .with("BANK_URL", at(&bank));
    let counter = started(counter(), &counter_env).await;
    send(Method::POST, hall.address, "/seats", json!({})).await;

    let (status, _) = buy(&counter, "Ann").await;
    assert_eq!(
        (status, holder(&hall).await),
        (StatusCode::CREATED, json!("Ann"))
    );
    let (status, body) = buy(&counter, "Bob").await;
    assert_eq!(
        (status, &body["message"]),
        (StatusCode::CONFLICT, &json!("taken"))
    );
    send(Method::PUT, hall.address, "/seats/1", json!({})).await;
    bank.stop().await;
    let (status, _) = buy(&counter, "Cid").await;
    assert_eq!(status, StatusCode::INTERNAL_SERVER_ERROR);

    let told = ["Bob has no ticket", "Cid has no ticket"];
    assert_eq!(heard_at_least(&hearer, 2).await, told);
    hearer.stop().await;
    counter.stop().await;
    hall.stop().await;
}

#[tokio::test]
async fn what_a_process_left_unfinished_the_next_one_tells() {
    let (broker, folder) = broker().await;
    let url = databases::lasting(folder.path(), "counter.db");
    let env = env(broker.local_addr());
    let hearer = started(hearer(), &env).await;
    // A hall that takes the call and never answers: the counter dies while it waits.
    let silent = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let silent_url = format!("http://{}", silent.local_addr().unwrap());
    let counter_env = env.with("HALL_URL", silent_url).with("DATABASE_URL", &url);
    let first = started(counter(), &counter_env).await;
    let address = first.address;
    let waiting = tokio::spawn(async move {
        send(Method::POST, address, "/tickets", json!({"guest": "Ann"})).await
    });
    let _asked = silent.accept().await.unwrap();
    assert_eq!(heard(&hearer).await, [""; 0]);
    let second = started(counter(), &counter_env).await;
    assert_eq!(heard_at_least(&hearer, 1).await, ["Ann has no ticket"]);
    waiting.abort();
    second.stop().await;
    hearer.stop().await;
}

#[tokio::test]
async fn many_who_ask_at_once_do_not_get_the_same() {
    let env = env("127.0.0.1:9".parse().unwrap()).with("KAFKA_BROKERS", "none");
    let hall = started(hall(), &env).await;
    send(Method::POST, hall.address, "/seats", json!({})).await;
    let asking = (0..50).map(|n| {
        let path = format!("/seats/1/take?guest=g{n}");
        async move { send(Method::GET, hall.address, &path, Value::Null).await.2 }
    });
    let answers = futures::future::join_all(asking).await;
    assert_eq!(
        answers
            .iter()
            .filter(|answer| **answer == json!(true))
            .count(),
        1
    );
    let (status, _, body) = send(Method::GET, hall.address, "/seats/x/take", Value::Null).await;
    let message = "Parameter 'id': x is not a whole number";
    assert_eq!(
        (status, &body["message"]),
        (StatusCode::BAD_REQUEST, &json!(message))
    );
}

#[tokio::test]
async fn a_refusal_that_is_certain_spares_the_calls() {
    let env = env("127.0.0.1:9".parse().unwrap()).with("KAFKA_BROKERS", "none");
    let (hall, bank) = (started(hall(), &env).await, started(bank(), &env).await);
    let counter_env = env
        .clone()
        .with("HALL_URL", at(&hall))
        .with("BANK_URL", at(&bank));
    let counter = started(counter(), &counter_env).await;
    for _ in 0..3 {
        send(Method::POST, hall.address, "/seats", json!({})).await;
    }
    let ticket = |seat: i64| json!({"seat": seat, "guest": "Ann"});
    for (seat, expected) in [(1, StatusCode::CREATED), (2, StatusCode::CONFLICT)] {
        let (status, ..) = send(Method::POST, counter.address, "/tickets", ticket(seat)).await;
        assert_eq!(status, expected);
    }
    let payments = async || {
        let (_, _, list) = send(Method::GET, bank.address, "/payments", Value::Null).await;
        list["page"]["totalElements"].clone()
    };
    assert_eq!(payments().await, 1);

    // Two at the same moment both pass the look before the calls; the one inside the transaction lets one of them through.
    let buying = [2, 3].map(|seat| {
        send(
            Method::POST,
            counter.address,
            "/tickets",
            json!({"seat": seat, "guest": "Bob"}),
        )
    });
    let mut statuses: Vec<_> = futures::future::join_all(buying).await;
    statuses.sort_by_key(|(status, ..)| *status);
    let statuses: Vec<_> = statuses.iter().map(|(status, ..)| *status).collect();
    assert_eq!(statuses, [StatusCode::CREATED, StatusCode::CONFLICT]);
}

/// Stores two notes for a request, tells their ids, and answers with the second's.
fn writer() -> Service {
    let new = |text: &'static str, answer: bool| {
        let note = crate::world::Note { text: text.into() };
        Effect::create("notes", &note, move |id| {
            let told = Effect::publish(id, &noted(&format!("{text} is {id}")));
            let answer = answer.then(|| Effect::reply_created(&json!({"id": id})));
            [told].into_iter().chain(answer).collect()
        })
    };
    Service::new("writer")
        .collection(Collection::<crate::world::Note>::new("notes", "note"))
        .operation(Method::POST, "/write", move |_| {
            vec![new("first", false), new("second", true)]
        })
        .operation(Method::POST, "/look-too-late", move |_| {
            let note = crate::world::Note::default();
            let look = |_| vec![Effect::look("notes", "id", 1, |_| vec![])];
            vec![Effect::create("notes", &note, look)]
        })
}

#[tokio::test]
async fn what_is_stored_can_be_told_under_its_id() {
    let (broker, _folder) = broker().await;
    let env = env(broker.local_addr());
    let hearer = started(hearer(), &env).await;
    let writer = started(writer(), &env).await;
    let post = async |path: &str| send(Method::POST, writer.address, path, Value::Null).await;
    let (status, _, body) = post("/write").await;
    assert_eq!((status, body), (StatusCode::CREATED, json!({"id": 2})));
    assert_eq!(
        heard_at_least(&hearer, 2).await,
        ["first is 1", "second is 2"]
    );
    let (status, ..) = post("/look-too-late").await;
    assert_eq!(status, StatusCode::INTERNAL_SERVER_ERROR);
    let (_, _, notes) = send(Method::GET, writer.address, "/notes", Value::Null).await;
    assert_eq!(notes["page"]["totalElements"], 2);
    writer.stop().await;
    hearer.stop().await;
}
