//! HTTP/1.1 on connections of our own: nothing between the schedule and the socket.
use crate::{answer::Answer, dns::look_up, template::Prepared};
use bytes::Bytes;
use http_body_util::{BodyExt, Empty, Full, Limited};
use hyper::{
    Request, Uri,
    client::conn::http1::{self, SendRequest},
    header::{CONNECTION, HOST, HeaderValue, USER_AGENT},
};
use hyper_util::rt::TokioIo;
use model::Connection;
use std::{collections::HashMap, error::Error, io, net::SocketAddr, sync::Mutex, time::Duration};
use tokio::{net::TcpStream, time::timeout};

type Sender = SendRequest<Full<Bytes>>;
type Failure = Box<dyn Error + Send + Sync>;

/// Connections to wherever requests go. Only `http`; no redirect is followed.
pub(crate) struct Connections {
    policy: Connection,
    limit: Duration,
    idle: Mutex<HashMap<String, Vec<Sender>>>,
}

/// An address that is not `http://…`.
#[derive(Debug, thiserror::Error)]
#[error("only http is spoken here")]
struct NotHttp;

impl Connections {
    /// `limit` holds for a whole request, look-up, connecting and reading included.
    pub(crate) fn new(policy: Connection, limit: Duration) -> Connections {
        Connections {
            policy,
            limit,
            idle: Mutex::default(),
        }
    }

    /// Sends a request and reads the answer to its end.
    pub(crate) async fn exchange(&self, request: &Prepared) -> Answer {
        let mut answer = Answer::to(request);
        match timeout(self.limit, self.attempt(request, &mut answer)).await {
            Ok(Ok(())) => {}
            Ok(Err(error)) => answer.fail(&*error),
            Err(elapsed) => answer.fail(&elapsed),
        }
        answer
    }

    async fn attempt(&self, request: &Prepared, answer: &mut Answer) -> Result<(), Failure> {
        let to = authority(request)?;
        let (mut sender, was_idle) = match self.take_idle(&to) {
            Some(sender) => (sender, true),
            None => (connect(request).await?, false),
        };
        let mut sent = sender.send_request(self.head(request, &to)?).await;
        // It was closed by the other side while idle, before anything of this request was written.
        if was_idle && sent.as_ref().is_err_and(hyper::Error::is_canceled) {
            sender = connect(request).await?;
            sent = sender.send_request(self.head(request, &to)?).await;
        }
        let mut response = sent?;
        answer.head(response.status(), response.headers());
        while let Some(frame) = response.body_mut().frame().await {
            if let Some(data) = frame?.data_ref() {
                answer.chunk(data);
            }
        }
        self.keep(to, sender);
        Ok(())
    }

    fn take_idle(&self, to: &str) -> Option<Sender> {
        let mut idle = self.idle.lock().expect("nothing panics while it is held");
        let senders = idle.get_mut(to)?;
        std::iter::from_fn(|| senders.pop()).find(Sender::is_ready)
    }

    fn keep(&self, to: String, sender: Sender) {
        if self.policy == Connection::Reused && !sender.is_closed() {
            let mut idle = self.idle.lock().expect("nothing panics while it is held");
            idle.entry(to).or_default().push(sender);
        }
    }

    fn head(&self, request: &Prepared, to: &str) -> Result<Request<Full<Bytes>>, Failure> {
        let body = request.body.clone().map(Bytes::from).unwrap_or_default();
        let path = path_and_query(&request.url);
        let mut head = Request::new(Full::new(body));
        *head.method_mut() = request.method.clone();
        *head.uri_mut() = path.parse::<Uri>()?;
        *head.headers_mut() = request.headers.clone();
        let headers = head.headers_mut();
        headers.insert(HOST, HeaderValue::try_from(to)?);
        headers
            .entry(USER_AGENT)
            .or_insert(HeaderValue::from_static(concat!(
                "brownout/",
                env!("CARGO_PKG_VERSION")
            )));
        if self.policy == Connection::New {
            headers.insert(CONNECTION, HeaderValue::from_static("close"));
        }
        Ok(head)
    }
}

fn authority(request: &Prepared) -> Result<String, Failure> {
    let host = request
        .url
        .host_str()
        .filter(|_| request.url.scheme() == "http");
    let host = host.ok_or(NotHttp)?;
    Ok(match request.url.port() {
        Some(port) => format!("{host}:{port}"),
        None => host.to_owned(),
    })
}

async fn connect(request: &Prepared) -> Result<Sender, Failure> {
    let host = request.url.host_str().ok_or(NotHttp)?;
    let port = request.url.port_or_known_default().ok_or(NotHttp)?;
    let mut last = io::Error::from(io::ErrorKind::NotFound);
    for ip in look_up(host).await? {
        match TcpStream::connect(SocketAddr::new(ip, port)).await {
            Ok(stream) => {
                stream.set_nodelay(true)?;
                let (sender, connection) = http1::handshake(TokioIo::new(stream)).await?;
                // Its failures come back through the sender.
                tokio::spawn(connection);
                return Ok(sender);
            }
            Err(error) => last = error,
        }
    }
    Err(last.into())
}

fn path_and_query(url: &reqwest::Url) -> String {
    match url.query() {
        Some(query) => format!("{}?{query}", url.path()),
        None => url.path().to_owned(),
    }
}

/// Why there was no answer to [`get`].
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum NoAnswer {
    /// Nobody is there.
    Unreached,
    /// Somebody is there who does not speak HTTP.
    NotHttp,
}

/// Reads a page from `address:port`, on a connection of its own, if it has at most so many bytes.
pub(crate) async fn get(
    address: &str,
    path: &str,
    bytes_max: usize,
) -> Result<(u16, String), NoAnswer> {
    let stream = TcpStream::connect(address)
        .await
        .map_err(|_| NoAnswer::Unreached)?;
    let said = |_| NoAnswer::NotHttp;
    let (mut sender, connection) = http1::handshake(TokioIo::new(stream)).await.map_err(said)?;
    // Its failures come back through the sender.
    tokio::spawn(connection);
    let request = Request::get(path)
        .header(HOST, address)
        .header(CONNECTION, "close")
        .body(Empty::<Bytes>::new())
        .map_err(|_| NoAnswer::NotHttp)?;
    let answer = sender.send_request(request).await.map_err(said)?;
    let status = answer.status().as_u16();
    let body = Limited::new(answer.into_body(), bytes_max).collect().await;
    let body = body.map_err(|_| NoAnswer::NotHttp)?.to_bytes();
    Ok((status, String::from_utf8_lossy(&body).into_owned()))
}
