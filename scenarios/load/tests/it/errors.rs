//! What goes wrong on the way is told apart, by goose's client and by ours.
use crate::support::{Printed, Server, closed_port, get, send, siege, work};
use axum::{Router, routing::any};
use load::LoadJob;
use model::{ErrorKind, Load, LoadModel, Micros, Stage};
use std::{
    io::{Read, Write},
    net::TcpListener,
    thread,
    time::Duration,
};

/// Reads a request and answers each with these bytes, then closes.
fn raw(answer: &'static [u8]) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    thread::spawn(move || {
        for stream in listener.incoming() {
            let mut stream = stream.unwrap();
            let _ = stream.read(&mut [0; 4096]);
            let _ = stream.write_all(answer);
        }
    });
    url
}

fn outcome(printed: &Printed) -> (Option<u16>, Option<ErrorKind>) {
    let requests = printed.requests();
    assert_eq!(requests.len(), 1);
    (requests[0].status, requests[0].error)
}

/// The same request as a closed load, as an open one, and once.
async fn each_way(url: &str) -> [(Option<u16>, Option<ErrorKind>); 3] {
    let timeout = Micros::from_millis(300);
    let closed = Load {
        timeout,
        ..siege(1, 1, url)
    };
    let open = Load {
        model: LoadModel::Open {
            stages: vec![Stage {
                rate: 10.0,
                duration: Micros::from_millis(100),
            }],
            in_flight_max: 10,
        },
        ..closed.clone()
    };
    let once = LoadJob::Requests {
        requests: vec![get(url)],
        expected: vec![],
        timeout,
    };
    [
        outcome(&send(closed).await),
        outcome(&send(open).await),
        outcome(&work(once).await),
    ]
}

#[tokio::test(flavor = "multi_thread")]
async fn nobody_listens() {
    let refused = (None, Some(ErrorKind::ConnectionRefused));
    assert_eq!(each_way(&closed_port()).await, [refused; 3]);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_connection_ends_before_the_answer() {
    let reset = (None, Some(ErrorKind::ConnectionReset));
    assert_eq!(each_way(&raw(b"")).await, [reset; 3]);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_connection_ends_in_the_middle_of_the_answer() {
    let cut = (Some(200), Some(ErrorKind::ConnectionReset));
    let url = raw(b"HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\nhalf");
    assert_eq!(each_way(&url).await, [cut; 3]);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_comes_is_not_http() {
    let protocol = (None, Some(ErrorKind::Protocol));
    assert_eq!(
        each_way(&raw(b"hello, is it me?\r\n\r\n")).await,
        [protocol; 3]
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn no_answer_in_time() {
    let app = Router::new().fallback(any(async || {
        tokio::time::sleep(Duration::from_secs(60)).await
    }));
    let timeout = (None, Some(ErrorKind::Timeout));
    assert_eq!(each_way(&Server::start(app).url).await, [timeout; 3]);
}
