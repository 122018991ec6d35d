//! Waiting until addresses take connections: endpoints that are ready are not yet endpoints that are reached.
use crate::{
    dns,
    worker::{STOPPED, Tally},
};
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

/// Tries each address, `host:port`, until it takes a connection and keeps it. What did not in time is named in `cut_short`.
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
        let attempt = timeout(ATTEMPT_MAX, connect(address)).await;
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

async fn connect(address: &str) -> io::Result<()> {
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
    let mut connection = TcpStream::connect(&addresses[..]).await?;
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
    use tokio::net::TcpListener;

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
