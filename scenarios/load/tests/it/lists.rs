//! Requests in order, and lists read to their end.
use crate::support::{Server, get, work};
use axum::{
    Json, Router,
    extract::{Path, Query, State},
    http::{StatusCode, header},
    routing::{get as read, post},
};
use load::{CollectJob, LoadJob, wire::Line};
use model::{Expected, Micros, Request};
use serde_json::{Value, json};
use std::{
    collections::HashMap,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
};

#[tokio::test(flavor = "multi_thread")]
async fn requests_are_sent_in_order_with_their_answers_kept() {
    let created =
        async |body: String| (StatusCode::CREATED, [(header::LOCATION, "/rooms/1")], body);
    let server = Server::start(Router::new().route("/rooms", post(created)));
    let register = Request {
        method: "POST".into(),
        body: Some("호텔{{seq}}".into()),
        ..get(format!("{}/rooms", server.url))
    };
    let requests = vec![
        register.clone(),
        get(format!("{}/none", server.url)),
        register,
    ];
    let printed = work(LoadJob::Requests {
        requests,
        expected: vec![],
        timeout: Micros::from_secs(5),
    })
    .await;
    let seen: Vec<_> = printed
        .requests()
        .into_iter()
        .map(|r| (r.index, r.status, r.body, r.location))
        .collect();
    let created = |n: u32| (Some(format!("호텔{n}")), Some("/rooms/1".to_owned()));
    let ((first, at), (third, _)) = (created(1), created(3));
    assert_eq!(
        seen,
        [
            (0, Some(201), first, at.clone()),
            (1, Some(404), None, None),
            (2, Some(201), third, at)
        ]
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_request_is_sent_again_until_its_answer_is_as_expected_and_what_it_held_is_used_by_the_next()
 {
    let reads = Arc::new(AtomicUsize::new(0));
    let status = async |State(reads): State<Arc<AtomicUsize>>| {
        let done = reads.fetch_add(1, Ordering::SeqCst) >= 2;
        let status = if done { "RESERVED" } else { "REQUESTED" };
        let headers = [("x-room", "7"), ("x-other", "8")];
        (headers, Json(json!({"status": status, "room": {"id": 7}})))
    };
    let app = Router::new()
        .route(
            "/reservations",
            post(async || (StatusCode::CREATED, [(header::LOCATION, "/reservations/3")])),
        )
        .route("/reservations/3", read(status))
        .route("/rooms/{id}", read(async |Path(id): Path<String>| id))
        .with_state(reads.clone());
    let server = Server::start(app);
    let save = |name: &str, from| model::Save {
        name: name.into(),
        from,
    };
    let create = Request {
        method: "POST".into(),
        save: vec![save("id", model::Source::Location)],
        ..get(format!("{}/reservations", server.url))
    };
    let view = Request {
        until: Some(Micros::from_secs(20)),
        save: vec![save("room", model::Source::Path("$.room.id".into()))],
        ..get(format!("{}/reservations/{{{{id}}}}", server.url))
    };
    let reserved = Expected {
        json: Some(json!({"status": "RESERVED"})),
        headers: vec![("x-room".into(), "7".into())],
        ..Expected::default()
    };
    let requests = vec![
        create,
        view,
        get(format!("{}/rooms/{{{{room}}}}", server.url)),
    ];
    let printed = work(LoadJob::Requests {
        requests,
        expected: vec![Expected::default(), reserved],
        timeout: Micros::from_secs(5),
    })
    .await;
    let seen: Vec<(u32, u64, bool)> = printed
        .requests()
        .iter()
        .map(|r| (r.index, r.seq, r.headers.contains_key("x-room")))
        .collect();
    assert_eq!(
        seen,
        [
            (0, 1, false),
            (1, 2, true),
            (1, 3, true),
            (1, 4, true),
            (2, 5, false)
        ]
    );
    assert_eq!(printed.requests()[4].body.as_deref(), Some("7"));
    assert!(
        !printed.requests()[1].headers.contains_key("x-other"),
        "nobody asked for it"
    );
    let kept: Vec<&Line> = printed
        .0
        .iter()
        .filter(|l| matches!(l, Line::Saved(..)))
        .collect();
    let expected = [
        Line::Saved("id".into(), 3.into()),
        Line::Saved("room".into(), 7.into()),
    ];
    assert_eq!(kept, expected.iter().collect::<Vec<_>>());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_request_that_needs_what_was_not_answered_is_not_sent() {
    let server = Server::start(Router::new());
    let create = Request {
        save: vec![model::Save {
            name: "id".into(),
            from: model::Source::Location,
        }],
        ..get(format!("{}/rooms", server.url))
    };
    let printed = work(LoadJob::Requests {
        requests: vec![create, get(format!("{}/rooms/{{{{id}}}}", server.url))],
        expected: vec![],
        timeout: Micros::from_secs(5),
    })
    .await;
    assert_eq!(printed.requests().len(), 1);
    let Some(Line::Ended { cut_short, .. }) = printed.0.last() else {
        panic!("no last line")
    };
    assert_eq!(cut_short.as_deref(), Some("“get”: {{id}} was not saved"));
}

/// A list that has 300 entries more at each first page that is read, up to 1203.
async fn alarms(
    State(reads): State<Arc<AtomicUsize>>,
    Query(q): Query<HashMap<String, usize>>,
) -> Json<Value> {
    let (page, size) = (q["page"], q["size"]);
    let read = match page {
        0 => reads.fetch_add(1, Ordering::SeqCst) + 1,
        _ => reads.load(Ordering::SeqCst),
    };
    let total = (read * 300).min(1203);
    let entries: Vec<Value> = (page * size..((page + 1) * size).min(total))
        .map(|n| json!({"receiver": format!("host-{n}")}))
        .collect();
    Json(json!({"_embedded": {"alarms": entries},
        "page": {"size": size, "totalElements": total, "totalPages": total.div_ceil(size), "number": page}}))
}

fn collect(server: &Server, until_total: u64, timeout: Micros) -> LoadJob {
    LoadJob::Collect {
        collect: CollectJob {
            url: format!("{}/alarms", server.url),
            collection: "alarms".into(),
            field: Some("receiver".into()),
            fields: [("host".to_string(), "receiver".to_string())].into(),
            until_total,
            until: vec![],
            settle: Micros::from_millis(50),
            timeout,
        },
    }
}

fn list() -> Server {
    let app = Router::new()
        .route("/alarms", read(alarms))
        .with_state(Arc::default());
    Server::start(app)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_list_is_read_until_it_has_enough_entries_and_stays_as_it_is() {
    let printed = work(collect(&list(), 1000, Micros::from_secs(20))).await;
    let keys: Vec<&String> = printed
        .0
        .iter()
        .filter_map(|line| match line {
            Line::Keys(keys) => Some(keys),
            _ => None,
        })
        .inspect(|keys| assert!(keys.len() <= 200))
        .flatten()
        .collect();
    assert_eq!(
        (keys.len(), keys[0].as_str(), keys[1202].as_str()),
        (1203, "host-0", "host-1202")
    );
    let collected = &printed.0[printed.0.len() - 2];
    assert_eq!(
        collected,
        &Line::Collected {
            reads: 6,
            complete: true
        }
    );
    assert_eq!(printed.ended(), (0, 0, 0));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_list_is_read_until_each_of_its_rows_has_come_to_its_end() {
    let reads = Arc::new(AtomicUsize::new(0));
    let sagas = async |State(reads): State<Arc<AtomicUsize>>| {
        let ended = reads.fetch_add(1, Ordering::SeqCst) >= 3;
        let last = if ended { "CANCELLED" } else { "REQUESTED" };
        Json(json!({"_embedded": {"sagas": [{"status": "RESERVED"}, {"status": last}]}}))
    };
    let server = Server::start(Router::new().route("/sagas", read(sagas)).with_state(reads));
    let until = load::Until::Each {
        field: "status".into(),
        values: vec!["RESERVED".into(), "CANCELLED".into()],
    };
    let printed = work(LoadJob::Collect {
        collect: CollectJob {
            url: format!("{}/sagas", server.url),
            collection: "sagas".into(),
            field: None,
            fields: [("status".to_string(), "status".to_string())].into(),
            until_total: 2,
            until: vec![until],
            settle: Micros::from_millis(20),
            timeout: Micros::from_secs(20),
        },
    })
    .await;
    let rows = ["RESERVED", "CANCELLED"].map(|s| [("status".to_string(), json!(s))].into());
    assert!(
        printed.0.contains(&Line::Rows(rows.into())),
        "{:?}",
        printed.0
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn when_the_time_is_up_the_last_complete_reading_is_what_was_found() {
    let printed = work(collect(&list(), 5000, Micros::from_millis(400))).await;
    let found = printed.0.iter().any(|line| matches!(line, Line::Keys(_)));
    let collected = &printed.0[printed.0.len() - 2];
    assert!(
        found && matches!(collected, Line::Collected { complete: true, .. }),
        "{collected:?}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_list_that_cannot_be_read_is_not_complete() {
    let server = Server::start(Router::new());
    let printed = work(collect(&server, 1, Micros::from_millis(100))).await;
    let collected = &printed.0[printed.0.len() - 2];
    assert!(
        matches!(
            collected,
            Line::Collected {
                complete: false,
                ..
            }
        ),
        "{collected:?}"
    );
}
