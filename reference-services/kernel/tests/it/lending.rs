//! The worked example of the README does what it says, and the README shows it as it is.

use crate::world::{broker, env, send};
use http::{Method, StatusCode};
use serde_json::{Value, json};
use std::net::SocketAddr;
use std::time::Duration;

#[path = "../../examples/lending.rs"]
#[allow(dead_code, missing_docs)]
mod example;

/// Waits until the first row of a collection has this value.
async fn becomes(at: SocketAddr, row: &str, field: &str, expected: Value) {
    let mut last = Value::Null;
    let waiting = async {
        while last[field] != expected {
            tokio::time::sleep(Duration::from_millis(10)).await;
            last = send(Method::GET, at, row, Value::Null).await.2;
        }
    };
    let in_time = tokio::time::timeout(Duration::from_secs(30), waiting).await;
    assert!(in_time.is_ok(), "{row} is {last}");
}

#[tokio::test]
async fn a_book_is_lent_to_one_reader_and_comes_back() {
    let (broker, _folder) = broker().await;
    // Free ports next to each other: some are, somewhere.
    let mut running = Vec::new();
    for port in (20_000..30_000).step_by(10) {
        let env = env(broker.local_addr())
            .with("PORT", port.to_string())
            .with("DATABASE_URL", databases::url());
        if let Ok(started) = example::SYSTEM.start_all(&env).await {
            running = started;
            break;
        }
    }
    let gateway = running[0].address;
    let post = async |path: &'static str, body| send(Method::POST, gateway, path, body).await;
    post("/books", json!({"title": "토지"})).await;
    let (status, _, loan) = post("/loans", json!({"bookId": "1", "reader": "Ann"})).await;
    assert_eq!((status, &loan["loanId"]), (StatusCode::CREATED, &json!(1)));
    let (status, _, refused) = post("/loans", json!({"bookId": "1", "reader": "Bob"})).await;
    let message = json!("the book is not on the shelf");
    assert_eq!(
        (status, &refused["message"]),
        (StatusCode::CONFLICT, &message)
    );

    becomes(gateway, "/cards/1", "status", json!("lent")).await;
    becomes(gateway, "/books/1", "holder", json!(1)).await;
    let returned = json!({"status": "returned"});
    send(Method::PATCH, gateway, "/loans/1", returned).await;
    becomes(gateway, "/cards/1", "status", json!("returned")).await;
    becomes(gateway, "/books/1", "holder", json!(0)).await;
    for service in running {
        service.stop().await;
    }
}

#[test]
fn the_readme_shows_the_example_as_it_is() {
    let readme = include_str!("../../../README.md");
    let example = include_str!("../../examples/lending.rs");
    let shown = readme.split("\n```rust\n").skip(1);
    let blocks: Vec<_> = shown
        .filter_map(|rest| rest.split("\n```").next())
        .collect();
    assert!(blocks.len() >= 4);
    for block in blocks {
        assert!(example.contains(block), "not in the example:\n{block}");
    }
}
