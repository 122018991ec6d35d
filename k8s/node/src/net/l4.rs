//! l4 — Services as kube-proxy does them: each new connection goes to one of the usable endpoints, chosen by chance; a connection
//! once made stays where it is; without a usable endpoint callers are refused.
//!
//! Two differences remain, because this is a program and not the kernel: endpoints see 127.0.0.1 as the caller, and an endpoint that
//! refuses shows as a reset instead of a refusal.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use rand::seq::IndexedRandom;
use tokio::io::copy_bidirectional;
use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio::sync::watch;
use tokio::time::sleep;
use tokio_util::sync::CancellationToken;
use tokio_util::task::AbortOnDropHandle;

use super::data_path::data_path;
use super::mesh::MeshPort;

/// Connections that may wait to be accepted: what a listener of a busy server has.
const BACKLOG: u32 = 4096;
/// Accepting fails when file descriptors run out; then a moment's pause is all that helps.
const ACCEPT_PAUSE: Duration = Duration::from_millis(10);

/// Who gets new connections.
pub(super) type Backends = Arc<[SocketAddr]>;

/// One port of one Service: a listener while there is somebody behind it.
pub(super) struct ServicePort {
    address: SocketAddr,
    backends: watch::Sender<Backends>,
    listener: Option<AbortOnDropHandle<()>>,
    mesh: Option<MeshPort>,
    /// Ends connections with the node. Those of a closed listener live on.
    node: CancellationToken,
}

impl ServicePort {
    pub fn new(address: SocketAddr, node: CancellationToken) -> ServicePort {
        ServicePort {
            address,
            backends: watch::Sender::new(Arc::default()),
            listener: None,
            mesh: None,
            node,
        }
    }

    /// Connections of and to pods with a side-car go through these.
    pub fn with_mesh(mut self, mesh: impl FnOnce(watch::Receiver<Backends>) -> MeshPort) -> Self {
        self.mesh = Some(mesh(self.backends.subscribe()));
        self
    }

    /// New connections go to these from now on.
    ///
    /// # Errors
    /// When the address cannot be listened on.
    pub fn set(&mut self, backends: Vec<SocketAddr>) -> io::Result<()> {
        let is_kept = self.mesh.as_ref().is_some_and(MeshPort::is_kept);
        let is_closed = backends.is_empty() && !is_kept;
        self.backends.send_replace(backends.into());
        if is_closed {
            self.listener = None;
        } else if self
            .listener
            .as_ref()
            .is_none_or(AbortOnDropHandle::is_finished)
        {
            let accepting = accept(
                listen(self.address)?,
                self.backends.subscribe(),
                self.mesh.clone(),
                self.node.clone(),
            );
            self.listener = Some(AbortOnDropHandle::new(data_path().spawn(accepting)));
        }
        Ok(())
    }
}

impl Drop for ServicePort {
    fn drop(&mut self) {
        if let Some(mesh) = &self.mesh {
            mesh.close();
        }
    }
}

fn listen(address: SocketAddr) -> io::Result<TcpListener> {
    let _entered = data_path().enter();
    let socket = if address.is_ipv4() {
        TcpSocket::new_v4()?
    } else {
        TcpSocket::new_v6()?
    };
    socket.set_reuseaddr(true)?;
    socket.bind(address)?;
    socket.listen(BACKLOG)
}

async fn accept(
    listener: TcpListener,
    backends: watch::Receiver<Backends>,
    mesh: Option<MeshPort>,
    node: CancellationToken,
) {
    loop {
        match listener.accept().await {
            Ok((caller, _)) => {
                let backends = backends.borrow().clone();
                let mesh = mesh.clone().filter(MeshPort::is_needed);
                let node = node.clone();
                let treating = async move {
                    match mesh {
                        Some(mesh) => mesh.accept(caller, backends).await,
                        None => {
                            let chosen = backends.choose(&mut rand::rng()).copied();
                            forward(caller, chosen).await;
                        }
                    }
                };
                tokio::spawn(async move { node.run_until_cancelled(treating).await });
            }
            Err(error) => {
                tracing::debug!(%error, "a connection was not accepted");
                sleep(ACCEPT_PAUSE).await;
            }
        }
    }
}

/// A connection as it is, to one endpoint or to nobody.
pub(super) async fn forward(mut caller: TcpStream, to: Option<SocketAddr>) {
    let connected = match to {
        Some(to) => TcpStream::connect(to).await,
        None => Err(io::ErrorKind::ConnectionRefused.into()),
    };
    let Ok(mut endpoint) = connected else {
        // A reset is the nearest to a refusal that is left after accepting.
        let _ = caller.set_zero_linger();
        return;
    };
    let _ = (caller.set_nodelay(true), endpoint.set_nodelay(true));
    if copy_bidirectional(&mut caller, &mut endpoint)
        .await
        .is_err()
    {
        let _ = caller.set_zero_linger();
        let _ = endpoint.set_zero_linger();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeMap;
    use tokio::io::{AsyncReadExt, AsyncWriteExt};

    /// A server that answers every line with its own letter.
    async fn server(letter: u8) -> (SocketAddr, tokio::task::JoinHandle<()>) {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let accepting = tokio::spawn(async move {
            while let Ok((mut stream, _)) = listener.accept().await {
                tokio::spawn(async move {
                    while stream.read_u8().await.is_ok() {
                        let _ = stream.write_all(&[letter]).await;
                    }
                });
            }
        });
        (address, accepting)
    }

    fn free_address() -> SocketAddr {
        std::net::TcpListener::bind("127.0.0.1:0")
            .unwrap()
            .local_addr()
            .unwrap()
    }

    async fn ask(stream: &mut TcpStream) -> io::Result<u8> {
        stream.write_all(b"?").await?;
        stream.read_u8().await
    }

    #[tokio::test]
    async fn net_2_connections_are_spread_by_chance() {
        let servers = [server(b'a').await, server(b'b').await, server(b'c').await];
        let mut port = ServicePort::new(free_address(), CancellationToken::new());
        port.set(servers.iter().map(|(address, _)| *address).collect())
            .unwrap();
        let mut counts = BTreeMap::<u8, u32>::new();
        for _ in 0..300 {
            let mut stream = TcpStream::connect(port.address).await.unwrap();
            *counts.entry(ask(&mut stream).await.unwrap()).or_default() += 1;
        }
        assert!(
            counts.len() == 3 && counts.values().all(|count| (60..=140).contains(count)),
            "{counts:?}"
        );
    }

    #[tokio::test]
    async fn net_1_nobody_behind_it_is_refused_and_an_endpoint_that_refuses_is_a_reset() {
        let mut port = ServicePort::new(free_address(), CancellationToken::new());
        port.set(vec![free_address()]).unwrap();
        let mut stream = TcpStream::connect(port.address).await.unwrap();
        assert_eq!(
            ask(&mut stream).await.unwrap_err().kind(),
            io::ErrorKind::ConnectionReset
        );
        port.set(vec![]).unwrap();
        // The listener closes when its task is gone, which is on another thread.
        let refused = loop {
            match TcpStream::connect(port.address).await {
                Ok(_) => sleep(Duration::from_millis(1)).await,
                Err(error) => break error,
            }
        };
        assert_eq!(refused.kind(), io::ErrorKind::ConnectionRefused);
    }

    #[tokio::test]
    async fn svc_3_and_4_a_connection_stays_with_its_endpoint() {
        let ((first, _), (second, _)) = (server(b'a').await, server(b'b').await);
        let mut port = ServicePort::new(free_address(), CancellationToken::new());
        port.set(vec![first]).unwrap();
        let mut old = TcpStream::connect(port.address).await.unwrap();
        assert_eq!(ask(&mut old).await.unwrap(), b'a');
        port.set(vec![]).unwrap();
        assert_eq!(ask(&mut old).await.unwrap(), b'a');
        port.set(vec![second]).unwrap();
        let mut new = TcpStream::connect(port.address).await.unwrap();
        assert_eq!(
            (ask(&mut new).await.unwrap(), ask(&mut old).await.unwrap()),
            (b'b', b'a')
        );
    }

    #[tokio::test]
    async fn the_end_of_the_node_ends_connections() {
        let (address, _) = server(b'a').await;
        let node = CancellationToken::new();
        let mut port = ServicePort::new(free_address(), node.clone());
        port.set(vec![address]).unwrap();
        let mut stream = TcpStream::connect(port.address).await.unwrap();
        assert_eq!(ask(&mut stream).await.unwrap(), b'a');
        node.cancel();
        assert!(ask(&mut stream).await.is_err());
    }
}
