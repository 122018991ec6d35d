//! door — from an accepted connection to the side that treats it: HTTP request by request, everything else as a connection.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Request, Response};
use hyper_util::rt::TokioIo;
use mesh::names::ServiceName;
use mesh::protocol::Protocol;
use rand::seq::IndexedRandom;
use tokio::net::TcpStream;
use tokio::sync::watch;
use tokio::time::timeout;

use super::lease::Answer;
use super::outbound::Outbound;
use super::view::MeshPod;
use super::{ClusterId, Mesh, Target, lock};
use crate::net::l4::{Backends, forward};

/// A caller that says nothing for so long waits for the other side to begin, so it speaks no HTTP.
const SILENCE: Duration = Duration::from_secs(5);
/// Enough to know a method by.
const FIRST_BYTES: usize = 16;

/// One port of a Service, as the mesh sees it.
#[derive(Clone)]
pub(crate) struct MeshPort {
    mesh: Arc<Mesh>,
    service: ServiceName,
    number: u16,
    protocol: Protocol,
}

impl MeshPort {
    /// From now on the mesh knows who is behind it.
    pub fn new(
        mesh: Arc<Mesh>,
        service: ServiceName,
        number: u16,
        protocol: Protocol,
        backends: watch::Receiver<Backends>,
    ) -> MeshPort {
        lock(&mesh.backends).insert((service.clone(), number), backends);
        MeshPort {
            mesh,
            service,
            number,
            protocol,
        }
    }

    /// The Service, or this port of it, is gone.
    pub fn close(&self) {
        lock(&self.mesh.backends).remove(&(self.service.clone(), self.number));
    }

    /// Whether anybody has a side-car: else connections are none of the mesh's business.
    pub fn is_needed(&self) -> bool {
        self.mesh.view.borrow().is_mesh()
    }

    /// Whether calls are answered when nobody is behind the port: callers with a side-car get a 503 then, and no refusal.
    pub fn is_kept(&self) -> bool {
        self.mesh.view.borrow().reaches(&self.service.namespace)
    }

    fn target(&self) -> Target {
        Target {
            service: self.service.clone(),
            port: self.number,
            subset: None,
        }
    }

    /// Treats one connection until its end.
    pub async fn accept(&self, stream: TcpStream, backends: Backends) {
        let caller = self.mesh.callers.find(&stream).await;
        let pod = caller.and_then(|address| self.mesh.view().side_car(address).cloned());
        match pod {
            Some(pod) => self.outbound(stream, pod, backends).await,
            None => {
                let chosen = backends.choose(&mut rand::rng());
                forward(stream, chosen.map(|host| self.entrance(*host))).await;
            }
        }
    }

    /// Where a host is reached: at its side-car if it has one.
    fn entrance(&self, host: SocketAddr) -> SocketAddr {
        self.mesh.entrance(host, &self.target(), self.protocol)
    }

    async fn outbound(&self, stream: TcpStream, pod: Arc<MeshPod>, backends: Backends) {
        if speaks_http(&stream, self.protocol).await {
            let outbound = Outbound::new(self.mesh.clone(), pod, self.target());
            return serve(stream, move |request| {
                let outbound = outbound.clone();
                async move { outbound.answer(request).await }
            })
            .await;
        }
        let id = ClusterId {
            pod: pod.id.clone(),
            inbound: None,
            target: self.target(),
        };
        let policy = self
            .mesh
            .policy(&self.mesh.view(), pod.namespace(), &id.target);
        let cluster = self.mesh.cluster(id, policy);
        let chosen = cluster.choose(&backends, &[]);
        let Some(_connection) = cluster.connection().filter(|_| chosen.is_some()) else {
            // Too many, or nobody there: closed without a word, which is all there is to say below HTTP.
            return;
        };
        forward(stream, chosen.map(|host| self.entrance(host))).await;
    }
}

/// Whether a connection is to be taken apart into requests.
pub(super) async fn speaks_http(stream: &TcpStream, protocol: Protocol) -> bool {
    match protocol {
        Protocol::Http => true,
        Protocol::Tcp => false,
        Protocol::Unknown => {
            let mut first = [0; FIRST_BYTES];
            match timeout(SILENCE, stream.peek(&mut first)).await {
                Ok(Ok(length)) => Protocol::is_http(&first[..length]),
                _ => false,
            }
        }
    }
}

/// Answers the requests of a connection, one after the other.
pub(super) async fn serve<F>(stream: TcpStream, answer: impl Fn(Request<Incoming>) -> F)
where
    F: Future<Output = Response<Answer>>,
{
    let _ = stream.set_nodelay(true);
    let answering = service_fn(|request| {
        let answered = answer(request);
        async move { Ok::<_, io::Error>(answered.await) }
    });
    // Whoever breaks a connection knows; there is nobody else to tell.
    let _ = http1::Builder::new()
        .serve_connection(TokioIo::new(stream), answering)
        .await;
}
