//! attempt — asks once. Nothing here counts or limits time.

use std::io;
use std::net::IpAddr;

use apiserver::ExecError;
use http_body_util::{BodyExt, Empty, Limited};
use hyper::body::Bytes;
use hyper::client::conn::http1;
use hyper::header::{ACCEPT, CONNECTION, HOST, HeaderName, HeaderValue, LOCATION, USER_AGENT};
use hyper::{Request, Response, StatusCode, Uri};
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;

use super::{Attempt, Check, HttpCheck};
use crate::runtime::Capture;

const REDIRECTS_MAX: usize = 10;
/// The kubelet reads no more of an answer.
const BODY_MAX: usize = 10 * 1024;
/// The version this cluster speaks.
const AGENT: &str = "kube-probe/1.33";

/// What a command's end means.
pub(crate) fn of_exec(done: Result<i32, ExecError>, output: &Capture) -> Attempt {
    match done {
        Ok(0) => Attempt::Success,
        Ok(_) => Attempt::Failure(output.text()),
        Err(ExecError::CannotStart(why) | ExecError::NotRunning(why)) => Attempt::Discarded(why),
    }
}

/// Everything but commands.
pub(crate) async fn over_network(check: Check) -> Attempt {
    match check {
        Check::Http(get) => http(&get).await,
        Check::Tcp { host, port } => match TcpStream::connect((host.as_str(), port)).await {
            Ok(_) => Attempt::Success,
            Err(error) => Attempt::Failure(dial(&host, port, &error)),
        },
        Check::Unknown(why) => Attempt::Discarded(why),
        Check::Exec(_) => Attempt::Discarded("a command needs its container".into()),
    }
}

async fn http(get: &HttpCheck) -> Attempt {
    if get.scheme != "http" {
        return Attempt::Discarded(format!(
            "the embedded cluster has no probes over {}",
            get.scheme
        ));
    }
    let mut at = get.clone();
    for _ in 0..=REDIRECTS_MAX {
        let answer = match once(&at).await {
            Ok(answer) => answer,
            Err(why) => return Attempt::Failure(format!("Get \"{}\": {why}", url(&at))),
        };
        match redirect(&at, &answer) {
            Some(next) if next.host != get.host => {
                return Attempt::Warning("Probe terminated redirects".into());
            }
            Some(next) => at = next,
            None => return judge(answer.status()),
        }
    }
    Attempt::Failure(format!(
        "Get \"{}\": stopped after {REDIRECTS_MAX} redirects",
        url(&at)
    ))
}

fn judge(status: StatusCode) -> Attempt {
    if (200..400).contains(&status.as_u16()) {
        return Attempt::Success;
    }
    Attempt::Failure(format!(
        "HTTP probe failed with statuscode: {}",
        status.as_u16()
    ))
}

async fn once(at: &HttpCheck) -> Result<Response<()>, String> {
    let stream = TcpStream::connect((at.host.as_str(), at.port))
        .await
        .map_err(|error| dial(&at.host, at.port, &error))?;
    let (mut send, connection) = http1::handshake(TokioIo::new(stream))
        .await
        .map_err(|error| error.to_string())?;
    let exchange = async {
        let answer = send
            .send_request(request(at)?)
            .await
            .map_err(|error| error.to_string())?;
        let (head, body) = answer.into_parts();
        match Limited::new(body, BODY_MAX).collect().await {
            Err(error) if !error.is::<http_body_util::LengthLimitError>() => Err(error.to_string()),
            _ => Ok(Response::from_parts(head, ())),
        }
    };
    tokio::pin!(exchange);
    tokio::select! {
        answer = &mut exchange => answer,
        // The connection may be done before the exchange has looked at its answer.
        _ = connection => exchange.await,
    }
}

fn request(at: &HttpCheck) -> Result<Request<Empty<Bytes>>, String> {
    let mut request = Request::get(&at.path)
        .body(Empty::new())
        .map_err(|error| error.to_string())?;
    let headers = request.headers_mut();
    let host = HeaderValue::from_str(&format!("{}:{}", at.host, at.port))
        .map_err(|error| error.to_string())?;
    headers.insert(HOST, host);
    headers.insert(USER_AGENT, HeaderValue::from_static(AGENT));
    headers.insert(ACCEPT, HeaderValue::from_static("*/*"));
    headers.insert(CONNECTION, HeaderValue::from_static("close"));
    for (name, value) in &at.headers {
        if let (Ok(name), Ok(value)) = (HeaderName::try_from(name), HeaderValue::try_from(value)) {
            headers.insert(name, value);
        }
    }
    Ok(request)
}

/// Where an answer sends us, if it does.
fn redirect<T>(from: &HttpCheck, answer: &Response<T>) -> Option<HttpCheck> {
    if ![301, 302, 303, 307, 308].contains(&answer.status().as_u16()) {
        return None;
    }
    let to: Uri = answer
        .headers()
        .get(LOCATION)?
        .to_str()
        .ok()?
        .parse()
        .ok()?;
    let path = to
        .path_and_query()
        .map_or("/", |path| path.as_str())
        .to_owned();
    let host = to.host().unwrap_or(&from.host).to_owned();
    let port = to
        .port_u16()
        .unwrap_or(if to.host().is_some() { 80 } else { from.port });
    let scheme = to.scheme_str().unwrap_or(&from.scheme).to_owned();
    Some(HttpCheck {
        scheme,
        host,
        port,
        path,
        headers: from.headers.clone(),
    })
}

/// The address as events show it.
pub(crate) fn url(get: &HttpCheck) -> String {
    format!("{}://{}:{}{}", get.scheme, get.host, get.port, get.path)
}

fn dial(host: &str, port: u16, error: &io::Error) -> String {
    let kind = match error.kind() {
        io::ErrorKind::ConnectionRefused => "connect: connection refused".to_owned(),
        io::ErrorKind::ConnectionReset => "read: connection reset by peer".to_owned(),
        _ if host.parse::<IpAddr>().is_err() => format!("lookup {host}: {error}"),
        _ => error.to_string(),
    };
    format!("dial tcp {host}:{port}: {kind}")
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::net::TcpListener;

    /// A server that answers each path with the text after the request line's path; returns requests as they came.
    async fn server(
        answer: fn(&str) -> String,
    ) -> (HttpCheck, tokio::sync::mpsc::UnboundedReceiver<String>) {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let (seen, requests) = tokio::sync::mpsc::unbounded_channel();
        tokio::spawn(async move {
            while let Ok((mut stream, _)) = listener.accept().await {
                let mut head = vec![0; 4096];
                let length = stream.read(&mut head).await.unwrap();
                let head = String::from_utf8_lossy(&head[..length]).into_owned();
                let path = head.split(' ').nth(1).unwrap().to_owned();
                let _ = seen.send(head);
                stream.write_all(answer(&path).as_bytes()).await.unwrap();
            }
        });
        let get = HttpCheck {
            scheme: "http".into(),
            host: "127.0.0.1".into(),
            port,
            path: "/".into(),
            headers: vec![],
        };
        (get, requests)
    }

    #[tokio::test]
    async fn prb_4_200_to_399_is_success_and_a_redirect_to_another_host_a_remark() {
        let (get, _requests) = server(|path| {
            let status = path.trim_start_matches('/');
            let location = match status {
                "301" => "Location: /200\r\n",
                "302" => "Location: http://localhost:1/\r\n",
                "308" => "Location: /308\r\n",
                _ => "",
            };
            format!("HTTP/1.1 {status} Any\r\n{location}Content-Length: 0\r\n\r\n")
        })
        .await;
        let ask = async |status: &str| {
            http(&HttpCheck {
                path: format!("/{status}"),
                ..get.clone()
            })
            .await
        };
        for status in ["200", "204", "301", "304", "399"] {
            assert_eq!(ask(status).await, Attempt::Success, "{status}");
        }
        for status in ["400", "404", "500", "503"] {
            let why = format!("HTTP probe failed with statuscode: {status}");
            assert_eq!(ask(status).await, Attempt::Failure(why));
        }
        assert_eq!(
            ask("302").await,
            Attempt::Warning("Probe terminated redirects".into())
        );
        assert!(
            matches!(ask("308").await, Attempt::Failure(why) if why.ends_with("stopped after 10 redirects"))
        );
    }

    #[tokio::test]
    async fn prb_22_the_request_names_itself_and_closes_the_connection() {
        let (get, mut requests) =
            server(|_| "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok".into()).await;
        let get = HttpCheck {
            path: "/ready?full=1".into(),
            headers: vec![("X-Who".into(), "me".into())],
            ..get
        };
        assert_eq!(http(&get).await, Attempt::Success);
        let request = requests.recv().await.unwrap().to_ascii_lowercase();
        assert!(
            request.starts_with("get /ready?full=1 http/1.1\r\n"),
            "{request}"
        );
        for header in [
            "user-agent: kube-probe/1.33",
            "accept: */*",
            "connection: close",
            "x-who: me",
        ] {
            assert!(
                request.contains(&format!("\r\n{header}\r\n")),
                "{header} in {request}"
            );
        }
    }

    #[tokio::test]
    async fn a_long_body_is_not_read_to_its_end() {
        let (get, _requests) =
            server(|_| format!("HTTP/1.1 200 OK\r\n\r\n{}", "x".repeat(100_000))).await;
        assert_eq!(http(&get).await, Attempt::Success);
    }

    #[tokio::test]
    async fn prb_6_a_socket_that_never_accepts_is_connected_and_a_closed_one_is_refused() {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let tcp = || {
            over_network(Check::Tcp {
                host: "127.0.0.1".into(),
                port,
            })
        };
        assert_eq!(tcp().await, Attempt::Success);
        drop(listener);
        let why = format!("dial tcp 127.0.0.1:{port}: connect: connection refused");
        assert_eq!(tcp().await, Attempt::Failure(why));
    }

    #[test]
    fn prb_7_only_exit_code_0_is_success_and_a_missing_program_is_not_counted() {
        let output = Capture::default();
        assert_eq!(of_exec(Ok(0), &output), Attempt::Success);
        for code in [1, 2, 127, 255] {
            assert_eq!(of_exec(Ok(code), &output), Attempt::Failure(String::new()));
        }
        let missing = Err(ExecError::CannotStart("no such file".into()));
        assert_eq!(
            of_exec(missing, &output),
            Attempt::Discarded("no such file".into())
        );
    }
}
