//! cluster — hosts and connections of one destination in one side-car: the pool of the crate `mesh`, with real connections in it.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex, Weak};
use std::time::Duration;

use bytes::Bytes;
use http_body_util::{Either, Full};
use hyper::body::Incoming;
use hyper::client::conn::http1::{self, SendRequest};
use hyper_util::rt::TokioIo;
use mesh::outlier::{Detector, Seen};
use mesh::policy::{Balancer, Policy};
use mesh::pool::{Connection, Effect, Place, Pool, Request as Number};
use mesh::profile::Profile;
use rand::seq::IndexedRandom;
use tokio::net::TcpStream;
use tokio::sync::oneshot;
use tokio::time::{Instant, timeout};

use super::lease::Ticket;
use super::statistics::Counters;
use super::{ClusterId, Mesh, lock};

/// What is sent to a host: a body that can be sent again, or one that comes by.
pub(super) type Payload = Either<Full<Bytes>, Incoming>;
pub(super) type Sender = SendRequest<Payload>;

/// Envoy asks its balancer so often for a host that was not tried yet.
const REPICKS: usize = 5;

/// Why a request was not sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Unsent {
    Overflow,
    NotConnected,
}

/// Tells a request that waits how it fared.
type Gift = oneshot::Sender<Result<(Connection, Sender), Unsent>>;

pub(super) struct Cluster {
    pub id: ClusterId,
    policy: Policy,
    profile: Profile,
    mesh: Weak<Mesh>,
    state: Mutex<State>,
    /// Connections that are not taken apart into requests.
    raw: AtomicU32,
    started: Instant,
    pub counters: Arc<Counters>,
}

struct State {
    pool: Pool,
    /// Hosts by the numbers that the pool knows them by.
    hosts: Vec<SocketAddr>,
    detector: Option<Detector<SocketAddr>>,
    /// The hosts at the last choice.
    known: Vec<SocketAddr>,
    turn: usize,
    waiting: HashMap<Number, Gift>,
    /// Connections without a request, and since when.
    idle: HashMap<Connection, (Sender, Instant)>,
    /// Replaced, or its pod is gone: what is under way ends, and nothing is kept.
    is_retired: bool,
}

impl Cluster {
    pub fn new(
        id: ClusterId,
        policy: Policy,
        profile: Profile,
        mesh: &Arc<Mesh>,
        counted: Option<Arc<Counters>>,
    ) -> Arc<Cluster> {
        let detector = policy
            .outlier
            .clone()
            .map(|settings| Detector::new(settings, profile));
        Arc::new(Cluster {
            id,
            state: Mutex::new(State {
                pool: Pool::new(policy.limits.clone()),
                hosts: vec![],
                detector,
                known: vec![],
                turn: 0,
                waiting: HashMap::new(),
                idle: HashMap::new(),
                is_retired: false,
            }),
            policy,
            profile,
            mesh: Arc::downgrade(mesh),
            raw: AtomicU32::new(0),
            started: Instant::now(),
            counters: counted.unwrap_or_default(),
        })
    }

    pub fn is_as(&self, policy: &Policy, profile: Profile) -> bool {
        self.policy == *policy && self.profile == profile
    }

    pub fn profile(&self) -> Profile {
        self.profile
    }

    fn now(&self) -> Duration {
        self.started.elapsed()
    }

    /// One of `hosts` that is not left out, if possible none of `tried`.
    pub fn choose(&self, hosts: &[SocketAddr], tried: &[SocketAddr]) -> Option<SocketAddr> {
        let mut state = lock(&self.state);
        state.renew(hosts, self.now(), &self.counters);
        let is_out = |host: &&SocketAddr| {
            let detector = state.detector.as_ref();
            detector.is_some_and(|detector| !detector.panics() && detector.is_ejected(host))
        };
        let usable: Vec<SocketAddr> = hosts.iter().filter(|host| !is_out(host)).copied().collect();
        let mut chosen = state.balance(self.policy.balancer, &usable)?;
        for _ in 0..REPICKS {
            if !tried.contains(&chosen) {
                break;
            }
            chosen = state.balance(self.policy.balancer, &usable)?;
        }
        Some(chosen)
    }

    /// Notes what came of a request.
    pub fn see(&self, host: SocketAddr, seen: Seen) {
        let mut state = lock(&self.state);
        let Some(detector) = &mut state.detector else {
            return;
        };
        if detector.see(&host, seen, self.now()) {
            self.counters.ejected(host);
        }
    }

    /// Room for one more connection that is not taken apart; none if there are too many.
    pub fn connection(self: &Arc<Cluster>) -> Option<RawConnection> {
        let limit = self.policy.limits.connections;
        let take = |count: u32| (count < limit).then_some(count + 1);
        let taken = self
            .raw
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, take);
        if taken.is_err() {
            self.counters.rejected();
        }
        taken.ok().map(|_| RawConnection(self.clone()))
    }

    /// A connection to `host` for one request, as soon as there is one.
    pub async fn ticket(
        self: &Arc<Cluster>,
        worker: usize,
        host: SocketAddr,
    ) -> Result<(Ticket, Sender), Unsent> {
        loop {
            let (given, gift) = oneshot::channel();
            let number = {
                let mut state = lock(&self.state);
                let place = (worker, state.number(host));
                let (number, effects) = state.pool.ask(place);
                state.waiting.insert(number, given);
                self.perform(&mut state, effects);
                number
            };
            let ticket = Ticket::new(self.clone(), number);
            let Ok(given) = gift.await else {
                return Err(Unsent::NotConnected);
            };
            match given {
                Ok((connection, mut sender)) => {
                    let ticket = ticket.on(connection);
                    // An idle connection may have ended without a word; then it was none.
                    if sender.ready().await.is_ok() {
                        return Ok((ticket, sender));
                    }
                }
                Err(why) => {
                    ticket.forget();
                    return Err(why);
                }
            }
        }
    }

    /// A request is over, and its connection can carry another.
    pub fn finish(self: &Arc<Cluster>, number: Number, connection: Connection, sender: Sender) {
        let mut state = lock(&self.state);
        let is_usable = !sender.is_closed() && !state.is_retired;
        state.idle.insert(connection, (sender, Instant::now()));
        let effects = state.pool.finish(number, is_usable);
        self.perform(&mut state, effects);
    }

    /// A request is over, or is no longer wanted, and its connection with it.
    pub fn leave(self: &Arc<Cluster>, number: Number) {
        let mut state = lock(&self.state);
        state.waiting.remove(&number);
        let effects = state.pool.leave(number);
        self.perform(&mut state, effects);
    }

    /// True: one more request may be tried again, until [`Cluster::retried`].
    pub fn retry(&self) -> bool {
        lock(&self.state).pool.retry()
    }

    pub fn retried(&self) {
        lock(&self.state).pool.retried();
    }

    /// What is due by the clock: hosts come back, idle connections are closed.
    pub fn tick(self: &Arc<Cluster>) {
        let mut state = lock(&self.state);
        let known = std::mem::take(&mut state.known);
        state.renew(&known, self.now(), &self.counters);
        let limit = self.policy.limits.idle_timeout;
        let over = state
            .idle
            .iter()
            .filter(|(_, (_, since))| since.elapsed() >= limit);
        let over: Vec<Connection> = over.map(|(connection, _)| *connection).collect();
        for connection in over {
            state.idle.remove(&connection);
            let effects = state.pool.ended(connection);
            self.perform(&mut state, effects);
        }
    }

    /// Closes what is idle now, and from now on what becomes so.
    pub fn retire(self: &Arc<Cluster>) {
        let mut state = lock(&self.state);
        state.is_retired = true;
        let idle: Vec<Connection> = state
            .idle
            .drain()
            .map(|(connection, _)| connection)
            .collect();
        for connection in idle {
            let effects = state.pool.ended(connection);
            self.perform(&mut state, effects);
        }
    }

    fn perform(self: &Arc<Cluster>, state: &mut State, effects: Vec<Effect>) {
        for effect in effects {
            match effect {
                Effect::Open(connection, place) => {
                    let connecting = self.clone().connect(connection, state.host(place));
                    tokio::spawn(connecting);
                }
                Effect::Send(number, connection) => {
                    let given = state.waiting.remove(&number);
                    if let (Some(given), Some((sender, _))) =
                        (given, state.idle.remove(&connection))
                    {
                        // Who no longer listens has a ticket that says so.
                        let _ = given.send(Ok((connection, sender)));
                    }
                }
                Effect::Refuse(number) => state.tell(number, Unsent::Overflow),
                Effect::Fail(number) => state.tell(number, Unsent::NotConnected),
                Effect::Close(connection) => drop(state.idle.remove(&connection)),
            }
        }
    }

    async fn connect(self: Arc<Cluster>, connection: Connection, host: SocketAddr) {
        let made = timeout(self.policy.limits.connect_timeout, self.dial(host)).await;
        let Ok(Ok((sender, driving))) = made else {
            let mut state = lock(&self.state);
            let effects = state.pool.failed(connection);
            return self.perform(&mut state, effects);
        };
        {
            let mut state = lock(&self.state);
            state.idle.insert(connection, (sender, Instant::now()));
            let effects = state.pool.opened(connection);
            self.perform(&mut state, effects);
        }
        let node = self.mesh.upgrade().map(|mesh| mesh.node.clone());
        if let Some(node) = node {
            // How it ends is told to whoever waits for an answer on it.
            let _ = node.run_until_cancelled(driving).await;
        }
        let mut state = lock(&self.state);
        state.idle.remove(&connection);
        let effects = state.pool.ended(connection);
        self.perform(&mut state, effects);
    }

    async fn dial(
        &self,
        host: SocketAddr,
    ) -> Result<
        (Sender, http1::Connection<TokioIo<TcpStream>, Payload>),
        Box<dyn std::error::Error + Send + Sync>,
    > {
        let address = match (&self.id.inbound, self.mesh.upgrade()) {
            (None, Some(mesh)) => mesh.known_entrance(host, &self.id.target),
            _ => host,
        };
        let stream = TcpStream::connect(address).await?;
        stream.set_nodelay(true)?;
        Ok(http1::Builder::new()
            .handshake(TokioIo::new(stream))
            .await?)
    }
}

impl State {
    fn number(&mut self, host: SocketAddr) -> usize {
        let known = self.hosts.iter().position(|known| *known == host);
        known.unwrap_or_else(|| {
            self.hosts.push(host);
            self.hosts.len() - 1
        })
    }

    fn host(&self, (_, host): Place) -> SocketAddr {
        self.hosts[host]
    }

    fn tell(&mut self, number: Number, why: Unsent) {
        if let Some(waiting) = self.waiting.remove(&number) {
            let _ = waiting.send(Err(why));
        }
    }

    fn renew(&mut self, hosts: &[SocketAddr], now: Duration, counters: &Counters) {
        if self.known != hosts {
            self.known = hosts.to_vec();
        }
        if let Some(detector) = &mut self.detector {
            detector.set_hosts(hosts);
            for host in detector.tick(now) {
                counters.returned(host);
            }
        }
    }

    fn balance(&mut self, how: Balancer, hosts: &[SocketAddr]) -> Option<SocketAddr> {
        let dice = &mut rand::rng();
        match how {
            Balancer::RoundRobin => {
                self.turn += 1;
                hosts.get(self.turn % hosts.len().max(1)).copied()
            }
            Balancer::Random => hosts.choose(dice).copied(),
            Balancer::LeastRequest => {
                let two: Vec<SocketAddr> = hosts.choose_multiple(dice, 2).copied().collect();
                two.into_iter().min_by_key(|host| {
                    let number = self.number(*host);
                    self.pool.load(number)
                })
            }
        }
    }
}

/// A connection that is counted until it is dropped.
pub(super) struct RawConnection(Arc<Cluster>);

impl Drop for RawConnection {
    fn drop(&mut self) {
        self.0.raw.fetch_sub(1, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::net::mesh::Target;
    use mesh::names::ServiceName;
    use tokio::io::AsyncReadExt;
    use tokio::net::TcpListener;
    use tokio::sync::watch;

    fn cluster(host: SocketAddr, policy: Policy) -> (Arc<Mesh>, Arc<Cluster>) {
        let mesh = Arc::new(Mesh {
            view: watch::channel(Arc::default()).1,
            callers: Default::default(),
            backends: Mutex::default(),
            clusters: Mutex::default(),
            entrances: Default::default(),
            node: Default::default(),
        });
        let id = ClusterId {
            pod: Default::default(),
            inbound: Some(host),
            target: Target {
                service: ServiceName::new("shop", "room"),
                port: 8080,
                subset: None,
            },
        };
        let cluster = Cluster::new(id, policy, Profile::default(), &mesh, None);
        (mesh, cluster)
    }

    /// A request that is over at once: its connection is idle afterwards, if it is kept.
    async fn used(cluster: &Arc<Cluster>, host: SocketAddr) {
        let (ticket, sender) = cluster.ticket(0, host).await.unwrap();
        ticket.finish(sender);
    }

    #[tokio::test]
    async fn an_idle_connection_is_used_again_until_the_cluster_is_replaced() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let host = listener.local_addr().unwrap();
        let (_mesh, cluster) = cluster(host, Policy::of(None, 8080, None, Profile::default()));
        used(&cluster, host).await;
        let (mut connection, _) = listener.accept().await.unwrap();
        used(&cluster, host).await;
        assert_eq!(lock(&cluster.state).idle.len(), 1);
        cluster.retire();
        assert_eq!(connection.read(&mut [0]).await.unwrap(), 0);
        // What comes late is served and leaves nothing behind.
        used(&cluster, host).await;
        let (mut connection, _) = listener.accept().await.unwrap();
        assert_eq!(connection.read(&mut [0]).await.unwrap(), 0);
    }

    #[tokio::test]
    async fn an_idle_connection_is_closed_after_its_time() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let host = listener.local_addr().unwrap();
        let mut policy = Policy::of(None, 8080, None, Profile::default());
        policy.limits.idle_timeout = Duration::ZERO;
        let (_mesh, cluster) = cluster(host, policy);
        used(&cluster, host).await;
        let (mut connection, _) = listener.accept().await.unwrap();
        cluster.tick();
        assert_eq!(connection.read(&mut [0]).await.unwrap(), 0);
    }
}
