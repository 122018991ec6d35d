//! Addresses of names, looked up for each connection: what a Service's name means changes while a load runs.
use reqwest::dns::{Addrs, Name, Resolve, Resolving};
use std::{
    io,
    net::{IpAddr, SocketAddr},
};

/// A name without an address.
#[derive(Debug, thiserror::Error)]
#[error("no address: {0}")]
pub(crate) struct Unresolved(#[source] io::Error);

/// At least one address of `host`.
pub(crate) async fn look_up(host: &str) -> Result<Vec<IpAddr>, Unresolved> {
    if let Ok(address) = host.trim_matches(['[', ']']).parse() {
        return Ok(vec![address]);
    }
    let host = host.to_owned();
    tokio::task::spawn_blocking(move || names::resolve(&host))
        .await
        .unwrap_or_else(|e| Err(io::Error::other(e)))
        .map_err(Unresolved)
}

/// [`look_up`] for reqwest.
pub(crate) struct Names;

impl Resolve for Names {
    fn resolve(&self, name: Name) -> Resolving {
        Box::pin(async move {
            let found = look_up(name.as_str()).await?;
            // The port is the one of the address that was asked for.
            let addresses = found.into_iter().map(|ip| SocketAddr::new(ip, 0));
            Ok(Box::new(addresses) as Addrs)
        })
    }
}
