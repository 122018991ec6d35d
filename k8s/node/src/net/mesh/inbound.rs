//! inbound — the side of the callee: what reaches a pod through a Service waits for one of the connections that the rule leaves it.

use std::collections::HashMap;
use std::net::{IpAddr, SocketAddr};
use std::sync::{Arc, Mutex};

use http_body_util::Either;
use hyper::body::Incoming;
use hyper::{Request, Response, Version};
use mesh::protocol::Protocol;
use tokio::net::TcpListener;
use tokio::time::Instant;
use tokio_util::task::AbortOnDropHandle;

use super::cluster::{Cluster, Unsent};
use super::door::{serve, speaks_http};
use super::lease::{Answer, Lease};
use super::replies::{Reason, prepare, sign};
use super::{ClusterId, Mesh, Target, lock, worker};
use crate::net::data_path::data_path;
use crate::net::l4::forward;

/// How an answer of this side is signed.
const SERVER: &str = "istio-envoy";

/// Where pods with a side-car are reached: a listener for each port of a pod and Service that leads there.
pub(super) type Entrances = Mutex<HashMap<(SocketAddr, Target), Entrance>>;

pub(super) struct Entrance {
    address: SocketAddr,
    _listener: AbortOnDropHandle<()>,
}

impl Mesh {
    /// Where `host` is reached through `target`: at its side-car if it has one, which listens at the pod's address from now on.
    pub(super) fn entrance(
        self: &Arc<Mesh>,
        host: SocketAddr,
        target: &Target,
        protocol: Protocol,
    ) -> SocketAddr {
        let view = self.view();
        let Some(pod) = view.side_car(host.ip()) else {
            return host;
        };
        let key = (host, target.clone());
        let mut entrances = lock(&self.entrances);
        if let Some(entrance) = entrances.get(&key) {
            return entrance.address;
        }
        match listen(host.ip()) {
            Ok((listener, address)) => {
                let id = ClusterId {
                    pod: pod.id.clone(),
                    inbound: Some(host),
                    target: target.clone(),
                };
                let accepting = accept(self.clone(), listener, id, protocol);
                let entrance = Entrance {
                    address,
                    _listener: AbortOnDropHandle::new(data_path().spawn(accepting)),
                };
                entrances.insert(key, entrance);
                address
            }
            Err(error) => {
                tracing::warn!(%host, %error, "a side-car cannot listen; the pod is called without it");
                host
            }
        }
    }

    /// The same for a host of a port that is HTTP already.
    pub(super) fn known_entrance(
        self: &Arc<Mesh>,
        host: SocketAddr,
        target: &Target,
    ) -> SocketAddr {
        let whole = Target {
            subset: None,
            ..target.clone()
        };
        self.entrance(host, &whole, Protocol::Http)
    }

    /// Pods that are gone need no entrances and no clusters.
    pub(super) fn forget_pods(&self) {
        let view = self.view();
        lock(&self.entrances).retain(|(host, _), _| view.side_car(host.ip()).is_some());
        lock(&self.clusters).retain(|id, cluster| {
            let stays = view.has_pod(&id.pod);
            if !stays {
                cluster.retire();
            }
            stays
        });
    }
}

fn listen(address: IpAddr) -> std::io::Result<(TcpListener, SocketAddr)> {
    let _entered = data_path().enter();
    let listener = std::net::TcpListener::bind((address, 0))?;
    listener.set_nonblocking(true)?;
    let listener = TcpListener::from_std(listener)?;
    let address = listener.local_addr()?;
    Ok((listener, address))
}

async fn accept(mesh: Arc<Mesh>, listener: TcpListener, id: ClusterId, protocol: Protocol) {
    while let Ok((stream, _)) = listener.accept().await {
        let (mesh, id) = (mesh.clone(), id.clone());
        let node = mesh.node.clone();
        let treating = async move {
            let host = id.inbound.expect("an inbound cluster has its host");
            let sniffs = current(&mesh, &id).profile().sniffs_inbound();
            let is_open = protocol == Protocol::Http || protocol == Protocol::Unknown && sniffs;
            if is_open && speaks_http(&stream, protocol).await {
                let worker = worker();
                let answering = |request| answer(current(&mesh, &id), worker, host, request);
                serve(stream, answering).await;
            } else if let Some(_connection) = current(&mesh, &id).connection() {
                forward(stream, Some(host)).await;
            }
        };
        tokio::spawn(async move { node.run_until_cancelled(treating).await });
    }
}

/// The cluster as the rules of the pod's own namespace have it now.
fn current(mesh: &Arc<Mesh>, id: &ClusterId) -> Arc<Cluster> {
    let [namespace, ..] = &id.pod;
    let (policy, profile) = mesh.policy(&mesh.view(), namespace, &id.target);
    mesh.cluster(id.clone(), (policy.inbound(), profile))
}

async fn answer(
    cluster: Arc<Cluster>,
    worker: usize,
    host: SocketAddr,
    mut request: Request<Incoming>,
) -> Response<Answer> {
    cluster.counters.asked();
    *request.version_mut() = Version::HTTP_11;
    prepare(request.headers_mut());
    let began = Instant::now();
    let mut took = None;
    let mut answer = match cluster.ticket(worker, host).await {
        Ok((ticket, mut sender)) => match sender.send_request(request.map(Either::Right)).await {
            Ok(answer) => {
                took = Some(began.elapsed());
                Lease::of(answer, ticket, sender)
            }
            Err(_) => Reason::Reset.answer(cluster.profile()),
        },
        Err(Unsent::Overflow) => {
            cluster.counters.rejected();
            Reason::Overflow.answer(cluster.profile())
        }
        Err(Unsent::NotConnected) => Reason::NotConnected.answer(cluster.profile()),
    };
    sign(answer.headers_mut(), SERVER, took);
    answer
}
