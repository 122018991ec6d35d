//! inside — the way into the API from a pod: the Service `default/kubernetes`, TLS with a certificate authority of this server's
//! own, and the token of a ServiceAccount.

use crate::{
    api::{Api, Call},
    door,
};
use axum::Router;
use hyper_util::rt::TokioIo;
use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair, KeyUsagePurpose};
use serde_json::{Value, json};
use std::{
    io,
    net::{Ipv4Addr, SocketAddr},
    sync::Arc,
    time::Duration,
};
use tokio::{
    net::{TcpListener, TcpStream},
    task::{JoinHandle, JoinSet},
    time::timeout,
};
use tokio_rustls::{
    TlsAcceptor,
    rustls::{ServerConfig, crypto::aws_lc_rs, pki_types::PrivatePkcs8KeyDer},
};

/// The Service's port, where this machine allows it; [`UNPRIVILEGED`] elsewhere.
const PORT: u16 = 443;
const UNPRIVILEGED: u16 = 6443;
/// The name of the ConfigMap with the authority's certificate.
pub const ROOT_CA: &str = "kube-root-ca.crt";
/// The name of the Service, and of everything that belongs to it.
const NAME: &str = "kubernetes";
/// A client that does not finish its handshake is let go.
const HANDSHAKE_MAX: Duration = Duration::from_secs(10);

/// The open way in. Dropping it closes the port and every connection.
pub struct Inside {
    accepting: JoinHandle<()>,
}

impl Drop for Inside {
    fn drop(&mut self) {
        self.accepting.abort();
    }
}

impl Inside {
    /// Listens for `router` behind the Service `kubernetes`, which is made together with everything that pods need to find it.
    pub(crate) async fn open(api: &Api, router: Router) -> io::Result<Inside> {
        let [a, b, c] = api.service_prefix;
        let service = Ipv4Addr::new(a, b, c, 1);
        let (authority, tls) = certificates(service).map_err(io::Error::other)?;
        let listener = TcpListener::bind(("127.0.0.1", 0)).await?;
        let endpoint = listener.local_addr()?;
        let may_be_low = TcpListener::bind((service, PORT)).await.is_ok();
        let port = if may_be_low { PORT } else { UNPRIVILEGED };
        for (plural, namespace, object) in objects(service, port, endpoint, &authority) {
            let call = Call::to_create(plural, namespace);
            api.create(&call, object)
                .map_err(|refusal| io::Error::other(refusal.message))?;
        }
        let accepting = tokio::spawn(accept(listener, TlsAcceptor::from(tls), router));
        Ok(Inside { accepting })
    }
}

/// The authority's certificate, and what the server shows: a certificate for every name of the Service.
fn certificates(service: Ipv4Addr) -> Result<(String, Arc<ServerConfig>), BoxedError> {
    let key = KeyPair::generate()?;
    let mut authority = CertificateParams::default();
    authority.distinguished_name.push(DnType::CommonName, NAME);
    authority.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    authority.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    let root = authority.self_signed(&key)?;
    let issuer = Issuer::new(authority, key);
    let names = ["", ".default", ".default.svc", ".default.svc.cluster.local"];
    let mut names: Vec<String> = names.map(|end| format!("{NAME}{end}")).into();
    names.extend([service.to_string(), "127.0.0.1".into()]);
    let mut shown = CertificateParams::new(names)?;
    shown
        .distinguished_name
        .push(DnType::CommonName, "kube-apiserver");
    let own_key = KeyPair::generate()?;
    let shown = shown.signed_by(&own_key, &issuer)?;
    // Several providers may be compiled in; naming one leaves no doubt.
    let provider = Arc::new(aws_lc_rs::default_provider());
    let own_key = PrivatePkcs8KeyDer::from(own_key.serialize_der());
    let config = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()?
        .with_no_client_auth()
        .with_single_cert(vec![shown.into()], own_key.into())?;
    Ok((root.pem(), Arc::new(config)))
}

type BoxedError = Box<dyn std::error::Error + Send + Sync>;

/// What makes the API known: plural, namespace and object.
fn objects(
    service: Ipv4Addr,
    port: u16,
    endpoint: SocketAddr,
    authority: &str,
) -> [(&'static str, &'static str, Value); 4] {
    let labels = json!({"component": "apiserver", "provider": NAME});
    let ports = json!([{"name": "https", "port": endpoint.port(), "protocol": "TCP"}]);
    let address = endpoint.ip().to_string();
    [
        (
            "services",
            "default",
            json!({"metadata": {"name": NAME, "labels": labels}, "spec": {"clusterIP": service.to_string(),
                "ports": [{"name": "https", "port": port, "targetPort": endpoint.port()}]}}),
        ),
        (
            "endpoints",
            "default",
            json!({"metadata": {"name": NAME}, "subsets": [{"addresses": [{"ip": address}], "ports": ports}]}),
        ),
        (
            "endpointslices",
            "default",
            json!({"metadata": {"name": NAME, "labels": {"kubernetes.io/service-name": NAME}}, "addressType": "IPv4",
                "ports": ports, "endpoints": [{"addresses": [address], "conditions": {"ready": true}}]}),
        ),
        // A controller gives every namespace a copy.
        (
            "configmaps",
            "kube-system",
            json!({"metadata": {"name": ROOT_CA}, "data": {"ca.crt": authority}}),
        ),
    ]
}

async fn accept(listener: TcpListener, tls: TlsAcceptor, router: Router) {
    // Dropped together with this task, and with it every connection.
    let mut connections = JoinSet::new();
    loop {
        tokio::select! {
            accepted = listener.accept() => if let Ok((stream, _)) = accepted {
                connections.spawn(attend(stream, tls.clone(), router.clone()));
            },
            Some(_) = connections.join_next() => {}
        }
    }
}

async fn attend(stream: TcpStream, tls: TlsAcceptor, router: Router) {
    // Watch lines are small and shall arrive at once; a connection without it merely arrives later.
    let _ = stream.set_nodelay(true);
    // Whoever does not trust the certificate goes away; that is no fault of the server.
    if let Ok(Ok(stream)) = timeout(HANDSHAKE_MAX, tls.accept(stream)).await {
        door::serve(router, TokioIo::new(stream)).await;
    }
}
