//! The canary: a pod that answers at once, asked over a Service beside the system under test. Where it is slow or silent, it is the
//! machine or the way there, and not the system.
use crate::{
    answer::{Times, WallClock},
    http::Connections,
    output::Lines,
    template::{self, Template},
    wire::Line,
};
use bytes::Bytes;
use http_body_util::Full;
use hyper::{Response, server::conn::http1, service::service_fn};
use hyper_util::rt::{TokioIo, TokioTimer};
use model::{Connection, Request};
use std::{
    convert::Infallible,
    env, io,
    net::{IpAddr, Ipv4Addr, SocketAddr},
    process::ExitCode,
    time::{Duration, Instant},
};
use tokio::{net::TcpListener, time::sleep_until};
use tokio_util::{sync::CancellationToken, task::TaskTracker};

/// Where it listens.
pub const PORT: u16 = 8080;

/// From one question to the next: often enough that nothing that lasts longer is missed, and next to nothing for a machine to do.
pub const EVERY: Duration = Duration::from_millis(50);

/// An answer that takes longer is none.
const ANSWER_MAX: Duration = Duration::from_secs(2);

/// Whoever connects and says nothing is not waited for any longer.
const HEAD_MAX: Duration = Duration::from_secs(10);

/// Asks until `stop` is cancelled, each question when it is due, whatever became of those before. Those that are unanswered then
/// are waited for.
pub(crate) async fn ask(
    url: String,
    connection: Connection,
    lines: Lines,
    clock: WallClock,
    stop: CancellationToken,
) {
    let question = Request {
        name: "canary".into(),
        method: "GET".into(),
        url,
        ..Request::default()
    };
    let Ok(templates) = template::parse(&[question]) else {
        return;
    };
    let asker = Asker {
        template: &templates[0],
        lines,
        clock,
    };
    let connections = std::sync::Arc::new(Connections::new(connection, ANSWER_MAX));
    let asked = TaskTracker::new();
    let start = Instant::now();
    for number in 0_u32.. {
        let due = start + EVERY * number;
        tokio::select! {
            () = stop.cancelled() => break,
            () = sleep_until(due.into()) => {}
        }
        asked.spawn(asker.question(u64::from(number), due, connections.clone()));
    }
    asked.close();
    asked.wait().await;
}

struct Asker<'a> {
    template: &'a Template,
    lines: Lines,
    clock: WallClock,
}

impl Asker<'_> {
    fn question(
        &self,
        number: u64,
        due: Instant,
        connections: std::sync::Arc<Connections>,
    ) -> impl Future<Output = ()> + use<> {
        let request = self.template.fill(0, number + 1);
        let (lines, clock) = (self.lines.clone(), self.clock);
        async move {
            let sent = Instant::now();
            let answer = connections.exchange(&request).await;
            let done = Instant::now();
            let failed = (!answer.is_good()).then(|| match (answer.error, answer.status) {
                (Some(error), _) => error.word().to_owned(),
                (None, Some(status)) => format!("HTTP {status}"),
                (None, None) => "no answer".into(),
            });
            let times = Times { due, sent, done };
            lines.put(Line::canary(&times, &clock, failed)).await;
        }
    }
}

/// The canary as a process: answers every request at [`PORT`] of the pod's address, until it is ended.
///
/// Exit codes: 70 it cannot listen; it ends in no other way of its own.
pub fn main_canary() -> ExitCode {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build();
    let served = runtime.and_then(|runtime| runtime.block_on(serve(address())));
    match served {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("canary: {error}");
            ExitCode::from(70)
        }
    }
}

fn address() -> SocketAddr {
    let own = env::var("POD_IP").ok().and_then(|ip| ip.parse().ok());
    SocketAddr::new(own.unwrap_or(IpAddr::V4(Ipv4Addr::UNSPECIFIED)), PORT)
}

async fn serve(address: SocketAddr) -> io::Result<()> {
    let listener = TcpListener::bind(address).await?;
    let answer = service_fn(|_| async {
        Ok::<_, Infallible>(Response::new(Full::new(Bytes::from_static(b"here\n"))))
    });
    loop {
        // Without a descriptor left it is silent, and that is what it is for.
        let Ok((stream, _)) = listener.accept().await else {
            tokio::time::sleep(EVERY).await;
            continue;
        };
        let connection = http1::Builder::new()
            .timer(TokioTimer::new())
            .header_read_timeout(HEAD_MAX)
            .serve_connection(TokioIo::new(stream), answer);
        tokio::spawn(connection);
    }
}
