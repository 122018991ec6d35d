//! server — listens, and carries frames between connections and `dispatch`.

use crate::api::State;
use crate::config::Config;
use crate::dispatch::{Peers, answer};
use bytes::BytesMut;
use futures::StreamExt;
use std::fs::File;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::signal::unix::{SignalKind, signal};
use tokio::task::{JoinHandle, JoinSet};
use tokio::time::{Instant, timeout};
use tokio_util::codec::{FramedRead, LengthDelimitedCodec};

/// The largest request: more than any client sends that keeps to the largest batch.
const REQUEST_BYTES_MAX: usize = 16 << 20;
/// Connections served at once.
const CONNECTIONS_MAX: usize = 1000;
/// A connection on which nothing was asked for so long is closed: Kafka's `connections.max.idle.ms`.
const IDLE_MAX: Duration = Duration::from_secs(600);
/// So long nothing more of a request may come after a part of it.
const HALF_MAX: Duration = Duration::from_secs(30);
/// When no connection can be accepted (no file left to open), how long until the next try.
const ACCEPT_AGAIN: Duration = Duration::from_millis(100);

/// A running broker. Dropping it ends it; [`Broker::shutdown`] also waits until it has ended.
#[derive(Debug)]
pub struct Broker {
    address: SocketAddr,
    state: Arc<State>,
    serving: JoinHandle<()>,
    _lock: File,
}

impl Broker {
    /// Reads the folder, cuts torn tails, listens. Clients are answered when this returns. Needs a tokio runtime.
    pub async fn start(config: Config) -> io::Result<Broker> {
        let lock = lock(&config)?;
        let listener = TcpListener::bind(config.listen).await?;
        let address = listener.local_addr()?;
        let state = Arc::new(State::open(config)?);
        let serving = tokio::spawn(serve(listener, state.clone()));
        Ok(Broker {
            address,
            state,
            serving,
            _lock: lock,
        })
    }

    /// Where it listens.
    pub fn local_addr(&self) -> SocketAddr {
        self.address
    }

    /// Closes the port and all connections, and writes everything to the disk. What was being asked stays unanswered.
    pub async fn shutdown(mut self) {
        self.serving.abort();
        // It ends by being cancelled: that is no news.
        let _ = (&mut self.serving).await;
        if let Err(error) = self.state.sync() {
            tracing::error!(%error, "cannot write everything to the disk");
        }
    }
}

impl Drop for Broker {
    fn drop(&mut self) {
        self.serving.abort();
    }
}

/// Runs a broker until SIGTERM or SIGINT.
pub async fn run(config: Config) -> io::Result<()> {
    let (mut terminate, mut interrupt) = (
        signal(SignalKind::terminate())?,
        signal(SignalKind::interrupt())?,
    );
    let broker = Broker::start(config).await?;
    tracing::info!(address = %broker.local_addr(), "listening");
    tokio::select! { _ = terminate.recv() => {}, _ = interrupt.recv() => {} }
    broker.shutdown().await;
    Ok(())
}

/// Two brokers in one folder would overwrite each other's records.
fn lock(config: &Config) -> io::Result<File> {
    std::fs::create_dir_all(&config.dir)?;
    let file = File::create(config.dir.join("lock"))?;
    file.try_lock().map_err(|error| {
        let place = config.dir.display();
        io::Error::new(
            io::ErrorKind::AddrInUse,
            format!("another broker has its data in {place}: {error}"),
        )
    })?;
    Ok(file)
}

async fn serve(listener: TcpListener, state: Arc<State>) {
    let mut tasks = JoinSet::new();
    let time = state.clone();
    tasks.spawn(async move { time.keep_time().await });
    loop {
        match listener.accept().await {
            Ok((_, client)) if tasks.len() > CONNECTIONS_MAX => {
                tracing::warn!(%client, "too many connections")
            }
            Ok((stream, client)) => {
                let state = state.clone();
                tasks.spawn(async move {
                    if let Err(error) = connection(stream, &state).await {
                        tracing::warn!(%client, %error, "closed a connection");
                    }
                });
            }
            Err(error) => {
                tracing::error!(%error, "cannot accept a connection");
                tokio::time::sleep(ACCEPT_AGAIN).await;
            }
        }
        while let Some(ended) = tasks.try_join_next() {
            if let Err(error) = ended {
                tracing::error!(%error, "a connection ended badly");
            }
        }
    }
}

/// Answers one request after the other, as Kafka does, until the client goes, is silent or makes no sense.
async fn connection(stream: TcpStream, state: &State) -> io::Result<()> {
    stream.set_nodelay(true)?;
    let peers = Peers {
        client: stream.peer_addr()?,
        reached: stream.local_addr()?,
    };
    let (read, mut write) = stream.into_split();
    let mut frames = LengthDelimitedCodec::builder()
        .max_frame_length(REQUEST_BYTES_MAX)
        .new_read(read);
    while let Some(frame) = next(&mut frames).await {
        let frame = match frame {
            Err(error) if has_gone(&error) => return Ok(()),
            frame => frame?.freeze(),
        };
        if let Some(response) = answer(state, peers, frame)
            .await
            .map_err(io::Error::other)?
        {
            let length = u32::try_from(response.len()).map_err(io::Error::other)?;
            let mut head = &length.to_be_bytes()[..];
            let mut whole = bytes::Buf::chain(&mut head, response);
            if let Err(error) = write.write_all_buf(&mut whole).await {
                return if has_gone(&error) { Ok(()) } else { Err(error) };
            }
        }
    }
    Ok(())
}

/// The next request; none when the client has gone, is silent, or is silent in the middle of one.
async fn next<R: AsyncRead + Unpin>(
    frames: &mut FramedRead<R, LengthDelimitedCodec>,
) -> Option<io::Result<BytesMut>> {
    let idle = Instant::now();
    loop {
        let had = frames.read_buffer().len();
        if let Ok(frame) = timeout(HALF_MAX, frames.next()).await {
            return frame;
        }
        let has = frames.read_buffer().len();
        if idle.elapsed() >= IDLE_MAX || (has > 0 && has == had) {
            return None;
        }
    }
}

/// A client that is killed or paused leaves like this; there is nothing to say about it.
fn has_gone(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::ConnectionReset | io::ErrorKind::BrokenPipe
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn waited(bytes: &[u8]) -> Duration {
        let (mut near, far) = tokio::io::duplex(1024);
        near.write_all(bytes).await.unwrap();
        let mut frames = LengthDelimitedCodec::builder().new_read(far);
        let began = Instant::now();
        assert!(next(&mut frames).await.is_none());
        began.elapsed()
    }

    #[tokio::test(start_paused = true)]
    async fn half_a_request_is_waited_for_for_a_while_and_a_silent_client_for_long() {
        assert!(waited(b"\0\0\0\x09half").await <= 2 * HALF_MAX);
        assert!(waited(b"\0\0").await <= 2 * HALF_MAX);
        assert!(waited(b"").await >= IDLE_MAX);
    }
}
