//! Closed loads, against the statements of semantics.md section 11.
use crate::support::{Server, closed_port, get, send, siege, timed};
use axum::{
    Router,
    extract::{Path, State},
    http::{HeaderMap, StatusCode, header},
    routing::{any, get as read},
};
use model::{Connection, Load, LoadModel, Micros, Request};
use std::{
    collections::HashMap,
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};
use tokio::time::sleep;

type Count = Arc<AtomicUsize>;

/// A server that answers its k-th request, from 0, with `status(k)` after `wait(k)` ms.
fn server(status: fn(usize) -> u16, wait: fn(usize) -> u64) -> (Server, Count) {
    let count = Count::default();
    let answer = async move |State(count): State<Count>| {
        let k = count.fetch_add(1, Ordering::SeqCst);
        sleep(Duration::from_millis(wait(k))).await;
        (StatusCode::from_u16(status(k)).unwrap(), "0123456789")
    };
    let app = Router::new()
        .fallback(any(answer))
        .with_state(count.clone());
    (Server::start(app), count)
}

fn at_once(_: usize) -> u64 {
    0
}

#[tokio::test(flavor = "multi_thread")]
async fn sge_1_a_404_is_neither_successful_nor_failed() {
    let (server, _) = server(|_| 404, at_once);
    let s = send(siege(1, 10, &server.url)).await.summary();
    assert_eq!((s.transactions, s.successful, s.failed), (10, 0, 0));
    assert_eq!(s.availability, 100.0);
}

#[tokio::test(flavor = "multi_thread")]
async fn sge_2_and_21_a_500_is_a_failure_and_its_body_is_data() {
    let (server, _) = server(|_| 500, at_once);
    let printed = send(siege(1, 10, &server.url)).await;
    let s = printed.summary();
    assert_eq!((s.transactions, s.failed, s.availability), (0, 10, 0.0));
    assert_eq!(s.data_transferred, 100.0 / 1_048_576.0);
    let body = printed.requests()[0].body.clone();
    assert_eq!(
        body.as_deref(),
        Some("0123456789"),
        "a failure's body is kept"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn sge_3_availability_is_the_share_of_transactions() {
    let (server, _) = server(|k| if k < 7 { 200 } else { 503 }, at_once);
    let printed = send(siege(1, 10, &server.url)).await;
    assert_eq!(printed.summary().availability, 70.0);
    assert_eq!(printed.requests()[0].body, None, "nobody asked for it");
}

#[tokio::test(flavor = "multi_thread")]
async fn sge_4_the_time_of_failures_is_shared_among_the_transactions() {
    let (server, _) = server(
        |k| if k % 2 == 0 { 200 } else { 503 },
        |k| if k % 2 == 0 { 100 } else { 300 },
    );
    let s = send(siege(1, 4, &server.url)).await.summary();
    assert!((0.40..0.60).contains(&s.response_time), "{s:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn sge_5_ten_users_at_a_closed_port_would_have_been_stopped() {
    let printed = send(siege(10, 120, closed_port())).await;
    assert_eq!(printed.ended().0, 1200, "we go on");
    let s = model::siege::stopped(&printed.facts(), 10).unwrap();
    assert_eq!(s.transactions, 0);
    assert!((1024..=1033).contains(&s.failed), "{}", s.failed);
}

#[tokio::test(flavor = "multi_thread")]
async fn sge_6_one_user_would_have_been_stopped_after_exactly_1024_failures() {
    let (server, _) = server(|_| 500, at_once);
    let printed = send(siege(1, 1100, &server.url)).await;
    let s = model::siege::stopped(&printed.facts(), 1).unwrap();
    assert_eq!((s.failed, s.transactions), (1024, 0));
}

#[tokio::test(flavor = "multi_thread")]
async fn sge_7_half_failing_stops_in_the_middle() {
    let (server, _) = server(|k| if k % 2 == 0 { 500 } else { 200 }, at_once);
    let printed = send(siege(10, 220, &server.url)).await;
    let s = model::siege::stopped(&printed.facts(), 10).unwrap();
    assert!((1024..=1033).contains(&s.failed), "{}", s.failed);
    assert!((48.0..52.0).contains(&s.availability), "{s:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn sge_8_repetitions_count_for_each_user() {
    let (server, count) = server(|_| 200, at_once);
    let printed = send(siege(5, 8, &server.url)).await;
    assert_eq!(count.load(Ordering::SeqCst), 40);
    let mut numbers: Vec<u64> = printed.requests().iter().map(|r| r.seq).collect();
    numbers.sort();
    assert_eq!(numbers, (1..=40).collect::<Vec<_>>());
}

#[tokio::test(flavor = "multi_thread")]
async fn sge_9_and_10_time_wins_over_repetitions_and_what_is_in_flight_at_the_end_does_not_count() {
    let (server, count) = server(|_| 200, |_| 300);
    let printed = send(timed(4, Micros::from_millis(1000), &server.url)).await;
    let s = printed.summary();
    assert!((0.6..=1.0).contains(&s.elapsed), "{s:?}");
    assert!((8..=12).contains(&s.transactions) && s.failed == 0, "{s:?}");
    let more = count.load(Ordering::SeqCst) as u64 - s.transactions;
    assert!((1..=4).contains(&more), "{more} were in flight");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_load_that_is_not_siege_waits_for_its_last_answers() {
    let (server, count) = server(|_| 200, |_| 300);
    let load = Load {
        siege: false,
        ..timed(2, Micros::from_millis(500), &server.url)
    };
    let printed = send(load).await;
    assert_eq!(printed.ended().0, count.load(Ordering::SeqCst) as u64);
    let last = printed.facts().pop().unwrap();
    assert!(last.sent < Micros::from_millis(500) && last.done > Micros::from_millis(500));
}

#[tokio::test(flavor = "multi_thread")]
async fn sge_13_each_request_has_a_connection_of_its_own_unless_they_are_reused() {
    let (server, _) = server(|_| 200, at_once);
    send(siege(3, 7, &server.url)).await;
    assert_eq!(server.accepted(), 21);
    let reused = Load {
        connection: Connection::Reused,
        ..siege(3, 7, &server.url)
    };
    send(reused).await;
    assert_eq!(server.accepted(), 21 + 3);
}

#[tokio::test(flavor = "multi_thread")]
async fn sge_14_the_body_is_sent_as_it_is_with_one_content_type() {
    let heard = Arc::new(Mutex::new(None));
    let hear = async |State(heard): State<Arc<Mutex<_>>>, headers: HeaderMap, body: String| {
        *heard.lock().unwrap() = Some((headers, body));
        StatusCode::CREATED
    };
    let app = Router::new().fallback(any(hear)).with_state(heard.clone());
    let server = Server::start(app);
    let post = Request {
        method: "POST".into(),
        headers: vec![("Content-Type".into(), "application/json".into())],
        body: Some(r#"{"a": 1}"#.into()),
        ..get(format!("{}/p", server.url))
    };
    send(Load {
        requests: vec![post],
        ..siege(1, 1, "")
    })
    .await;
    let (headers, body) = heard.lock().unwrap().take().unwrap();
    let types: Vec<_> = headers.get_all(header::CONTENT_TYPE).iter().collect();
    assert_eq!(types, ["application/json"]);
    assert_eq!(body, r#"{"a": 1}"#);
    assert_eq!(headers[header::CONTENT_LENGTH], "8");
    assert_eq!(headers[header::CONNECTION], "close");
}

#[tokio::test(flavor = "multi_thread")]
async fn sge_16_concurrency_is_the_mean_number_in_service() {
    let (server, _) = server(|_| 200, |_| 100);
    let s = send(timed(10, Micros::from_secs(2), &server.url))
        .await
        .summary();
    assert!((75.0..=100.0).contains(&s.transaction_rate), "{s:?}");
    assert!((9.0..=10.0).contains(&s.concurrency), "{s:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn sge_18_a_request_without_an_answer_fails_at_its_limit_and_has_no_time() {
    let (server, _) = server(|_| 200, |k| if k == 0 { 60_000 } else { 0 });
    let load = Load {
        timeout: Micros::from_millis(300),
        ..siege(1, 2, &server.url)
    };
    let printed = send(load).await;
    let s = printed.summary();
    assert_eq!((s.transactions, s.failed), (1, 1));
    assert!(s.response_time < 0.2 && s.elapsed >= 0.3, "{s:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn sge_19_and_20_a_redirect_is_followed_and_a_location_is_not() {
    let app = Router::new()
        .route(
            "/old",
            read(async || (StatusCode::FOUND, [(header::LOCATION, "/new")])),
        )
        .route("/new", read(async || "here"))
        .route(
            "/rooms",
            any(async || (StatusCode::CREATED, [(header::LOCATION, "/new")])),
        );
    let server = Server::start(app);
    let old = Request {
        key: Some("room-{{seq}}".into()),
        ..get(format!("{}/old", server.url))
    };
    let printed = send(Load {
        requests: vec![old],
        ..siege(1, 1, "")
    })
    .await;
    assert_eq!(printed.summary().transactions, 2);
    let seen: Vec<_> = printed
        .requests()
        .into_iter()
        .map(|r| (r.seq, r.status, r.key))
        .collect();
    assert_eq!(
        seen,
        [(1, Some(302), None), (1, Some(200), Some("room-1".into()))],
        "the write is acknowledged once, by the last hop"
    );
    let created = send(siege(1, 1, format!("{}/rooms", server.url))).await;
    assert_eq!(created.summary().transactions, 1);
    assert_eq!(created.requests()[0].location.as_deref(), Some("/new"));
}

#[tokio::test(flavor = "multi_thread")]
async fn sge_22_each_user_begins_at_another_request() {
    let seen = Arc::new(Mutex::new(HashMap::<String, u32>::new()));
    let see = async |State(seen): State<Arc<Mutex<HashMap<_, _>>>>, Path(path): Path<String>| {
        *seen.lock().unwrap().entry(path).or_default() += 1;
    };
    let app = Router::new()
        .route("/{path}", read(see))
        .with_state(seen.clone());
    let server = Server::start(app);
    let requests = ["a", "b"].map(|path| get(format!("{}/{path}", server.url)));
    let printed = send(Load {
        requests: requests.into(),
        ..siege(2, 2, "")
    })
    .await;
    let counts = seen.lock().unwrap().clone();
    assert_eq!(counts, [("a".into(), 4), ("b".into(), 4)].into());
    let mut first: Vec<u32> = printed.requests().iter().take(2).map(|r| r.index).collect();
    first.sort();
    assert_eq!(first, [0, 1]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_ceiling_spaces_the_requests_evenly() {
    let (server, _) = server(|_| 200, at_once);
    let load = Load {
        model: LoadModel::Closed {
            users: 1,
            duration: None,
            repetitions: Some(250),
            max_rate: Some(250),
        },
        connection: Connection::Reused,
        ..siege(1, 1, &server.url)
    };
    let sent: Vec<u64> = send(load)
        .await
        .requests()
        .iter()
        .map(|r| r.sent_us)
        .collect();
    let took = sent[249] - sent[0];
    assert!(took >= 990_000, "249 intervals of 4 ms took {took} µs");
    let mut apart: Vec<u64> = sent.windows(2).map(|w| w[1] - w[0]).collect();
    apart.sort();
    let (least, median) = (apart[0], apart[124]);
    assert!(
        (3_500..5_500).contains(&median) && least > 1_500,
        "apart at least {least} µs, mostly {median} µs"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn each_user_reads_what_it_created_itself_as_often_as_its_weight_says() {
    let created = Count::default();
    let create = async |State(count): State<Count>| {
        let id = count.fetch_add(1, Ordering::SeqCst) + 1;
        (
            StatusCode::CREATED,
            [(header::LOCATION, format!("/rooms/{id}"))],
            "a body that is not kept",
        )
    };
    let app = Router::new()
        .route("/rooms", axum::routing::post(create))
        .route("/rooms/{id}", read(async |Path(id): Path<String>| id))
        .with_state(created.clone());
    let server = Server::start(app);
    let journey = vec![
        Request {
            method: "POST".into(),
            save: vec![model::Save {
                name: "id".into(),
                from: model::Source::Location,
            }],
            ..get(format!("{}/rooms", server.url))
        },
        Request {
            weight: Some(2),
            keep_body: true,
            ..get(format!("{}/rooms/{{{{id}}}}", server.url))
        },
    ];
    let load = Load {
        requests: journey,
        siege: false,
        think_time: Some(Micros::from_millis(1)),
        ..siege(2, 3, &server.url)
    };
    let printed = send(load).await;
    let requests = printed.requests();
    assert_eq!((requests.len(), created.load(Ordering::SeqCst)), (18, 6));
    assert!(
        requests
            .iter()
            .filter(|r| r.index == 0)
            .all(|r| r.body.is_none())
    );
    let mut read: Vec<String> = requests.into_iter().filter_map(|r| r.body).collect();
    read.sort();
    assert_eq!(
        read,
        ["1", "1", "2", "2", "3", "3", "4", "4", "5", "5", "6", "6"]
    );
}
