//! serve — a service's life in a process: delayed start, listening, and an end that loses nothing.

use crate::bus::{Bus, Kafka};
use crate::core::{Connections, Core};
use crate::edge::Edge;
use crate::env::{BadEnv, Env};
use crate::health::Life;
use crate::http_api::{self, Extras};
use crate::patience::{Course, Patient};
use crate::service::Service;
use crate::store::{Store, StoreError};
use crate::telemetry::Telemetry;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use hyper_util::server::graceful::GracefulShutdown;
use std::io;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;
use tokio::time::{Instant, timeout_at};
use tokio_util::sync::CancellationToken;
use tower::ServiceExt;

/// A client that keeps its connection open asks once more within this time and is then told to close it.
const LAST_ORDERS: Duration = Duration::from_secs(1);
/// Longer than the longest call to another service, shorter than the 30 s a pod is given.
const DRAIN: Duration = Duration::from_secs(15);
/// Waiting events leave within milliseconds, unless the broker is not there; then they stay in the database.
const LAST_EVENTS: Duration = Duration::from_secs(5);
/// How long after a failed `accept` (too many open files) the next is tried.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);

/// Why a service could not start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// A variable cannot be used.
    #[error(transparent)]
    BadEnv(#[from] BadEnv),
    /// The database cannot be opened.
    #[error("DATABASE_URL={url}: cannot open the database")]
    Store {
        /// The address as given.
        url: String,
        /// What the database says.
        #[source]
        source: StoreError,
    },
    /// The port cannot be listened at.
    #[error("cannot listen at {address}: set PORT or POD_IP to a free address")]
    Listen {
        /// The address.
        address: SocketAddr,
        /// What the system says.
        #[source]
        source: io::Error,
    },
}

/// A running service. Dropping it ends it without waiting for anything; [`Running::stop`] ends it well.
#[derive(Debug)]
pub struct Running {
    /// Where it listens.
    pub address: SocketAddr,
    life: Arc<Life>,
    drain: Duration,
    listening: CancellationToken,
    server: JoinHandle<()>,
    bus: Option<Bus>,
    telemetry: Arc<Telemetry>,
}

/// What a service reads from its environment.
struct Settings {
    address: SocketAddr,
    database: String,
    startup_delay: Duration,
    cpu_per_request: Duration,
    drain: Duration,
    kafka: Option<Kafka>,
    edge: Edge,
    connections: Connections,
    telemetry: Arc<Telemetry>,
}

/// Starts a service: waits out `STARTUP_DELAY`, in which nothing listens, then listens at `POD_IP` (or everywhere) and `PORT` (8080; 0 for
/// any). Comes back when it is ready. Everything wrong with the environment is told before anything else is done.
pub async fn start(service: Service, env: &Env) -> Result<Running, StartError> {
    let settings = Settings::of(&service, env)?;
    if !settings.startup_delay.is_zero() {
        tracing::info!("starting takes {:?}", settings.startup_delay);
        tokio::time::sleep(settings.startup_delay).await;
    }
    let tables: Vec<_> = service
        .resources
        .iter()
        .map(|resource| resource.table.clone())
        .collect();
    let no_database = |source| StartError::Store {
        url: settings.database.clone(),
        source,
    };
    let store = Store::open(&settings.database, service.name, &tables)
        .await
        .map_err(no_database)?;
    let extras = Extras {
        routes: service.routes.clone(),
        otherwise: service.otherwise,
        pages: service.pages.clone(),
        has_cors: service.has_cors,
    };
    let listens = |source| StartError::Listen {
        address: settings.address,
        source,
    };
    let listener = TcpListener::bind(settings.address).await.map_err(listens)?;
    let address = listener.local_addr().map_err(listens)?;

    let (life, listening) = (Life::new(), CancellationToken::new());
    let core = Arc::new(Core::new(
        service,
        store,
        settings.edge,
        settings.connections,
        settings.telemetry.clone(),
    ));
    core.tell_undos_left_behind().await.map_err(no_database)?;
    let router = http_api::router(&core, &life, &extras, settings.cpu_per_request);
    let bus = settings.kafka.map(|kafka| Bus::start(&core, &kafka));
    let server = tokio::spawn(accept(listener, router, life.clone(), listening.clone()));
    tracing::info!("{} listens at {address}", core.name);
    Ok(Running {
        address,
        life,
        drain: settings.drain,
        listening,
        server,
        bus,
        telemetry: settings.telemetry,
    })
}

impl Running {
    /// Ends the service: new requests are still answered while others are, every answer closes its connection, then nothing is
    /// accepted any more, waiting events leave, and the consumer leaves its group. Takes `SHUTDOWN_DRAIN` at most, and 5 s more with
    /// a broker that does not answer.
    pub async fn stop(mut self) {
        let deadline = Instant::now() + self.drain;
        self.life.drain();
        let last_orders = deadline.min(Instant::now() + LAST_ORDERS);
        timeout_at(last_orders, self.life.no_connections())
            .await
            .ok();
        let requests_end = timeout_at(deadline, self.life.no_requests()).await;
        if requests_end.is_err() {
            tracing::warn!("requests are still unanswered after {:?}", self.drain);
        }
        self.listening.cancel();
        timeout_at(deadline, &mut self.server).await.ok();
        if let Some(bus) = &mut self.bus {
            bus.stop(deadline.min(Instant::now()) + LAST_EVENTS).await;
        }
        self.telemetry.tracer.flush().await;
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.server.abort();
    }
}

impl Settings {
    fn of(service: &Service, env: &Env) -> Result<Settings, BadEnv> {
        let everywhere = IpAddr::V4(Ipv4Addr::UNSPECIFIED);
        let telemetry = Telemetry::of(service.name, env);
        let settings = Settings {
            address: SocketAddr::new(env.or("POD_IP", everywhere), env.or("PORT", 8080)),
            database: env.or("DATABASE_URL", "sqlite::memory:".to_owned()),
            startup_delay: env.or("STARTUP_DELAY", Duration::ZERO),
            cpu_per_request: env.or("CPU_PER_REQUEST", Duration::ZERO),
            drain: env.or("SHUTDOWN_DRAIN", DRAIN),
            kafka: Kafka::of(service.name, service.topic, env),
            edge: Edge::new(&service.callees, env, &telemetry).with_fallbacks(&service.fallbacks),
            connections: Connections::of(env),
            telemetry,
        };
        env.check()?;
        Ok(settings)
    }
}

/// Accepts connections until told to stop, then lets the answers that have begun end.
async fn accept(
    listener: TcpListener,
    router: axum::Router,
    life: Arc<Life>,
    stop: CancellationToken,
) {
    let connections = GracefulShutdown::new();
    loop {
        let accepted = tokio::select! {
            biased;
            () = stop.cancelled() => break,
            accepted = listener.accept() => accepted,
        };
        match accepted {
            Ok((stream, _)) => converse(stream, router.clone(), &life, &connections),
            Err(why) => {
                tracing::warn!("cannot accept a connection: {why}");
                tokio::time::sleep(ACCEPT_PAUSE).await;
            }
        }
    }
    drop(listener);
    connections.shutdown().await;
}

fn converse(
    stream: TcpStream,
    router: axum::Router,
    life: &Arc<Life>,
    connections: &GracefulShutdown,
) {
    stream.set_nodelay(true).ok();
    let presence = life.connection();
    let course = Arc::<Course>::default();
    let io = TokioIo::new(Patient::new(stream, course.clone()));
    let service = service_fn(move |request| router.clone().oneshot(course.begin(request)));
    let connection = http1::Builder::new().serve_connection(io, service);
    let conversation = connections.watch(connection);
    tokio::spawn(async move {
        // Clients may go away in the middle of anything; that is their business.
        conversation.await.ok();
        drop(presence);
    });
}
