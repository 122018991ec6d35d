//! door — the ways into the API: a client in this process, and a listener on loopback behind a secret path.

use crate::names;
use crate::patience::{Course, Patient};
use axum::{Router, body::Body};
use futures::future::BoxFuture;
use http::{HeaderValue, Request, Response, header};
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use std::{io, net::SocketAddr, sync::Arc};
use tokio::{
    net::{TcpListener, TcpStream},
    task::{JoinHandle, JoinSet},
};
use tower::{BoxError, ServiceExt};

/// Bytes between the two ends of an in-memory connection.
const PIPE_BYTES: usize = 64 * 1024;

/// A client that calls the router directly.
pub fn client(router: Router, default_namespace: &str) -> kube::Client {
    let service = tower::service_fn(move |request| pass(router.clone(), request));
    kube::Client::new(service, default_namespace)
}

fn pass(
    router: Router,
    request: Request<kube::client::Body>,
) -> BoxFuture<'static, Result<Response<Body>, BoxError>> {
    match request.headers().contains_key(header::UPGRADE) {
        false => Box::pin(async move { Ok(router.oneshot(request).await?) }),
        true => Box::pin(upgrade(router, request)),
    }
}

/// An upgrade needs a connection that can be upgraded: one made of memory does.
async fn upgrade(
    router: Router,
    mut request: Request<kube::client::Body>,
) -> Result<Response<Body>, BoxError> {
    let (near, far) = tokio::io::duplex(PIPE_BYTES);
    tokio::spawn(serve(router, TokioIo::new(far)));
    let (mut sender, connection) =
        hyper::client::conn::http1::handshake(TokioIo::new(near)).await?;
    tokio::spawn(connection.with_upgrades());
    let headers = request.headers_mut();
    headers.insert(header::HOST, HeaderValue::from_static("embedded"));
    Ok(sender.send_request(request).await?.map(Body::new))
}

pub(crate) async fn serve<T>(router: Router, io: TokioIo<T>)
where
    T: tokio::io::AsyncRead + tokio::io::AsyncWrite + Send + Unpin + 'static,
{
    let course = Arc::<Course>::default();
    let io = TokioIo::new(Patient::new(io.into_inner(), course.clone()));
    let service = service_fn(move |request| {
        let course = course.clone();
        let answering = router.clone().oneshot(course.begin(request));
        async move {
            answering
                .await
                .inspect(|response| course.answered(response))
        }
    });
    let connection = hyper::server::conn::http1::Builder::new().serve_connection(io, service);
    // A client that goes away in the middle is no fault of the server.
    let _ = connection.with_upgrades().await;
}

/// An open listener. Dropping it closes the port and every connection.
pub struct Door {
    address: SocketAddr,
    secret: String,
    accepting: JoinHandle<()>,
}

impl Door {
    pub(crate) async fn open(router: Router) -> io::Result<Door> {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await?;
        let address = listener.local_addr()?;
        let secret = names::secret();
        // Without the prefix there is nothing: whoever cannot read the kubeconfig cannot start processes through this port.
        let guarded = Router::new().nest_service(&format!("/{secret}"), router);
        let accepting = tokio::spawn(accept(listener, guarded));
        Ok(Door {
            address,
            secret,
            accepting,
        })
    }

    /// Where the API is, its secret included.
    pub fn url(&self) -> String {
        format!("http://{}/{}", self.address, self.secret)
    }

    /// A kubeconfig for kubectl. Whoever reads it may do everything: write it with mode 0600.
    pub fn kubeconfig(&self) -> String {
        format!(
            "apiVersion: v1\nkind: Config\ncurrent-context: embedded\n\
             clusters:\n- name: embedded\n  cluster:\n    server: {}\n\
             users:\n- name: embedded\n  user: {{}}\n\
             contexts:\n- name: embedded\n  context:\n    cluster: embedded\n    user: embedded\n    namespace: default\n",
            self.url()
        )
    }
}

impl Drop for Door {
    fn drop(&mut self) {
        self.accepting.abort();
    }
}

async fn accept(listener: TcpListener, router: Router) {
    // Dropped together with this task, and with it every connection.
    let mut connections = JoinSet::new();
    loop {
        tokio::select! {
            accepted = listener.accept() => if let Ok((stream, _)) = accepted {
                connections.spawn(serve(router.clone(), prepared(stream)));
            },
            Some(_) = connections.join_next() => {}
        }
    }
}

fn prepared(stream: TcpStream) -> TokioIo<TcpStream> {
    // Watch lines are small and shall arrive at once; a connection without it merely arrives later.
    let _ = stream.set_nodelay(true);
    TokioIo::new(stream)
}
