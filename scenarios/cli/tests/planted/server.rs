//! Listens and answers, as the outage of the moment has it.
use crate::{
    http::{self, Answer, Asked},
    plan::{Kind, Settings},
    things::Things,
};
use std::{
    io,
    net::SocketAddr,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};
use tokio::{
    io::{AsyncWriteExt, BufReader},
    net::{TcpListener, TcpStream},
    sync::watch,
    time::{Instant, sleep, sleep_until},
};

/// Until an address is tried again that somebody else still has.
const AGAIN: Duration = Duration::from_micros(200);

/// What a look should bring.
const BODY: &str = r#"{"said":"hello world"}"#;

/// What somebody else says.
const MAINTENANCE: &str = "<html>We will be back soon.</html>";

/// The outage of the moment.
#[derive(Debug, Clone, Copy)]
pub struct Now {
    pub kind: Kind,
    pub over: Instant,
}

pub struct Server {
    now: watch::Sender<Option<Now>>,
    looked_at: watch::Sender<bool>,
    is_listening: watch::Sender<bool>,
    looks: AtomicU64,
    service_time: Duration,
    things: Mutex<Things>,
}

impl Server {
    pub fn new(settings: &Settings) -> Server {
        Server {
            now: watch::Sender::new(None),
            looked_at: watch::Sender::new(false),
            is_listening: watch::Sender::new(false),
            looks: 0.into(),
            service_time: settings.service_time,
            things: Mutex::new(Things::new(settings.bug)),
        }
    }

    pub fn begin(&self, now: Now) {
        self.now.send_replace(Some(now));
    }

    pub fn end(&self) {
        self.now.send_replace(None);
    }

    pub async fn first_look(&self) {
        let mut looked_at = self.looked_at.subscribe();
        let _ = looked_at.wait_for(|looked_at| *looked_at).await;
    }

    pub async fn listening(&self) {
        let mut is_listening = self.is_listening.subscribe();
        let _ = is_listening.wait_for(|is_listening| *is_listening).await;
    }

    /// None: never.
    async fn answer(&self, asked: &Asked) -> Option<Answer> {
        match asked.path.as_str() {
            "/look" => self.look().await,
            "/things" | "/view" => {
                let things = self.things.lock();
                let mut things = things.unwrap_or_else(PoisonError::into_inner);
                Some(things.answer(asked))
            }
            _ => Some(Answer::with("200 OK", BODY)),
        }
    }

    async fn look(&self) -> Option<Answer> {
        self.looked_at.send_replace(true);
        let number = self.looks.fetch_add(1, Ordering::Relaxed);
        let now = *self.now.borrow();
        sleep(self.service_time).await;
        let good = Answer::with("200 OK", BODY);
        let Some(now) = now else {
            return Some(good);
        };
        Some(match now.kind {
            Kind::Hang => return None,
            Kind::Unavailable => Answer::with("503 Service Unavailable", "no"),
            Kind::Half if number.is_multiple_of(2) => Answer::with("503 Service Unavailable", "no"),
            Kind::Truncated => Answer {
                is_half: true,
                ..good
            },
            Kind::Wrong => Answer::with("200 OK", MAINTENANCE),
            Kind::Redirect => Answer {
                location: Some("/maintenance"),
                ..Answer::with("302 Found", "")
            },
            Kind::Stall => {
                sleep_until(now.over).await;
                good
            }
            Kind::Slow(by) => {
                sleep(by).await;
                good
            }
            Kind::Half | Kind::Refuse | Kind::Reset => good,
        })
    }
}

/// For ever, except for the time of an outage in which nobody does.
pub async fn listen(server: Arc<Server>, address: SocketAddr) {
    let mut now = server.now.subscribe();
    let is_refusing = |now: &Option<Now>| now.is_some_and(|now| now.kind == Kind::Refuse);
    loop {
        let Ok(listener) = TcpListener::bind(address).await else {
            sleep(AGAIN).await;
            continue;
        };
        server.is_listening.send_replace(true);
        tokio::select! {
            biased;
            _ = now.wait_for(is_refusing) => server.is_listening.send_replace(false),
            () = accept(&server, &listener) => continue,
        };
        drop(listener);
        let _ = now.wait_for(|now| !is_refusing(now)).await;
    }
}

async fn accept(server: &Arc<Server>, listener: &TcpListener) {
    while let Ok((stream, _)) = listener.accept().await {
        tokio::spawn(attend(server.clone(), stream));
    }
}

/// One connection, until it ends or is cut.
async fn attend(server: Arc<Server>, mut stream: TcpStream) {
    let mut now = server.now.subscribe();
    let is_cut = |now: &Option<Now>| now.is_some_and(|now| now.kind.cuts());
    let _ = stream.set_nodelay(true);
    tokio::select! {
        biased;
        _ = now.wait_for(is_cut) => {
            // It is closed with a reset instead of an end.
            let _ = stream.set_zero_linger();
        }
        // Whoever asks may leave in the middle of anything.
        _ = talk(&server, &mut stream) => {}
    }
}

async fn talk(server: &Server, stream: &mut TcpStream) -> io::Result<()> {
    let (from, mut to) = stream.split();
    let mut from = BufReader::new(from);
    while let Some(asked) = http::read(&mut from).await? {
        let Some(answer) = server.answer(&asked).await else {
            // Until whoever asks has had enough.
            http::read(&mut from).await?;
            return Ok(());
        };
        to.write_all(answer.written().as_bytes()).await?;
        if asked.is_last || answer.is_half {
            return to.shutdown().await;
        }
    }
    Ok(())
}
