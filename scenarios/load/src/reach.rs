//! Waiting until addresses are reached: endpoints that are ready are not yet endpoints that are reached.
use crate::{
    dns,
    worker::{STOPPED, Tally},
};
use bytes::Bytes;
use http_body_util::Empty;
use hyper::{Request, client::conn::http1, header::HOST};
use hyper_util::rt::TokioIo;
use model::Micros;
use std::{io, net::SocketAddr, time::Duration};
use tokio::{
    io::AsyncReadExt,
    net::TcpStream,
    time::{Instant, sleep, timeout},
};
use tokio_util::sync::CancellationToken;

/// Between two attempts: short against everything that is measured afterwards.
const PAUSE: Duration = Duration::from_millis(20);

/// An attempt that takes longer goes nowhere; a later one may.
const ATTEMPT_MAX: Duration = Duration::from_secs(1);

/// A proxy may accept a connection and end it when it finds nobody behind; it does so within this time. Whoever listens waits
/// longer for the first word of its client.
const HELD: Duration = Duration::from_millis(100);

/// On a busy machine a proxy may be late to end a connection, and there are hundreds of attempts while a process starts: so
/// many in a row must be kept.
const HELD_TIMES: usize = 3;

/// What a proxy answers for a service that it does not reach.
const UNREACHED: std::ops::RangeInclusive<u16> = 502..=504;

/// Tries each address until it is reached: `http://host:port` when it answers a request, `host:port` when it keeps connections. What
/// was not reached in time is named in `cut_short`.
pub(crate) async fn run(addresses: &[String], limit: Micros, stop: &CancellationToken) -> Tally {
    let mut tally = Tally::default();
    let end = Instant::now() + Duration::from(limit);
    for address in addresses {
        let reached = tokio::select! {
            () = stop.cancelled() => Err(STOPPED.to_owned()),
            reached = until(address, end) => reached.map_err(|e| format!("{address}: {e}")),
        };
        match reached {
            Ok(()) => tally.finished += 1,
            Err(why) => {
                tally.cut_short = Some(why);
                break;
            }
        }
    }
    tally
}

async fn until(address: &str, end: Instant) -> io::Result<()> {
    let mut held = 0;
    while held < HELD_TIMES {
        let attempt = timeout(ATTEMPT_MAX, attempt(address)).await;
        match attempt.unwrap_or_else(|_| Err(io::ErrorKind::TimedOut.into())) {
            Ok(()) => held += 1,
            Err(e) if Instant::now() >= end => return Err(e),
            Err(_) => {
                held = 0;
                sleep(PAUSE).await;
            }
        }
    }
    Ok(())
}

async fn attempt(address: &str) -> io::Result<()> {
    match address.strip_prefix("http://") {
        Some(address) => answers(address).await,
        None => keeps(connect(address).await?).await,
    }
}

async fn connect(address: &str) -> io::Result<TcpStream> {
    let Some((host, port)) = address.rsplit_once(':') else {
        return Err(io::Error::new(io::ErrorKind::InvalidInput, "not host:port"));
    };
    let port = port
        .parse()
        .map_err(|e| io::Error::new(io::ErrorKind::InvalidInput, e))?;
    let found = dns::look_up(host).await.map_err(io::Error::other)?;
    let addresses: Vec<SocketAddr> = found
        .into_iter()
        .map(|ip| SocketAddr::new(ip, port))
        .collect();
    TcpStream::connect(&addresses[..]).await
}

/// Any answer will do, "not found" too: it comes from whoever is to be reached.
async fn answers(address: &str) -> io::Result<()> {
    let connection = TokioIo::new(connect(address).await?);
    let (mut sender, connection) = http1::handshake(connection)
        .await
        .map_err(io::Error::other)?;
    // Its failures come back through the sender.
    tokio::spawn(connection);
    let request = Request::get("/")
        .header(HOST, address)
        .body(Empty::<Bytes>::new())
        .map_err(io::Error::other)?;
    let answer = sender.send_request(request).await;
    match answer.map_err(io::Error::other)?.status() {
        status if UNREACHED.contains(&status.as_u16()) => {
            Err(io::Error::other(format!("HTTP {status}")))
        }
        _ => Ok(()),
    }
}

async fn keeps(mut connection: TcpStream) -> io::Result<()> {
    let mut first = [0];
    match timeout(HELD, connection.read(&mut first)).await {
        Ok(Ok(0)) => Err(io::ErrorKind::ConnectionReset.into()),
        Ok(Err(e)) => Err(e),
        // It waits for us, or it greets first.
        Err(_) | Ok(Ok(_)) => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::{io::AsyncWriteExt, net::TcpListener};

    #[tokio::test]
    async fn an_address_is_reached_as_soon_as_a_connection_is_kept() {
        let free = TcpListener::bind("127.0.0.1:0")
            .await
            .unwrap()
            .local_addr()
            .unwrap();
        let addresses = [free.to_string()];
        let stop = CancellationToken::new();
        let waiting = run(&addresses, Micros::from_secs(20), &stop);
        let listening = async {
            sleep(PAUSE * 3).await;
            let listener = TcpListener::bind(free).await.unwrap();
            // Others are ended at once, as by a proxy with nobody behind it; one comes late to that.
            drop(listener.accept().await.unwrap());
            let late = listener.accept().await.unwrap();
            sleep(HELD * 3 / 2).await;
            drop(late);
            drop(listener.accept().await.unwrap());
            let mut kept = vec![];
            for _ in 0..HELD_TIMES {
                kept.push(listener.accept().await.unwrap());
            }
            kept
        };
        let (tally, _kept) = tokio::join!(waiting, listening);
        assert_eq!((tally.finished, tally.cut_short), (1, None));
    }

    #[tokio::test]
    async fn a_service_is_reached_when_itself_answers_not_when_a_proxy_excuses_it() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = format!("http://{}", listener.local_addr().unwrap());
        let answering = tokio::spawn(async move {
            let answers = ["503 Service Unavailable", "404 Not Found"];
            let late = std::iter::repeat_n(answers[1], HELD_TIMES);
            let mut sent = 0;
            for status in answers.into_iter().take(1).chain(late) {
                let (mut connection, _) = listener.accept().await.unwrap();
                let mut request = [0; 1024];
                assert!(connection.read(&mut request).await.unwrap() > 0);
                let answer = format!("HTTP/1.1 {status}\r\ncontent-length: 0\r\n\r\n");
                connection.write_all(answer.as_bytes()).await.unwrap();
                sent += 1;
            }
            sent
        });
        let stop = CancellationToken::new();
        let tally = run(&[address], Micros::from_secs(20), &stop).await;
        assert_eq!((tally.finished, tally.cut_short), (1, None));
        assert_eq!(answering.await.unwrap(), 1 + HELD_TIMES);
    }

    #[tokio::test]
    async fn an_address_that_is_not_reached_is_named() {
        let free = TcpListener::bind("127.0.0.1:0")
            .await
            .unwrap()
            .local_addr()
            .unwrap();
        let stop = CancellationToken::new();
        let tally = run(&[free.to_string()], Micros::from_millis(50), &stop).await;
        let why = tally.cut_short.unwrap();
        assert!(
            why.starts_with(&free.to_string()) && why.contains("refused"),
            "{why}"
        );
    }
}
