//! proxy — keeps listeners and names as the API says, each change a moment late.

use std::collections::BTreeMap;
use std::io;
use std::sync::Arc;
use std::time::Duration;

use futures::StreamExt;
use k8s_openapi::api::core::v1::Service;
use k8s_openapi::api::discovery::v1::EndpointSlice;
use kube::runtime::watcher::Event;
use kube::{Client, Resource};
use mesh::names::ServiceName;
use tokio::time::{Instant, sleep_until};
use tokio_util::sync::CancellationToken;

use super::l4::ServicePort;
use super::mesh::{Mesh, MeshPort};
use super::table::ListenPort;
use super::{EndpointTable, Hosts, listen_ports, names};
use crate::events::Events;
use crate::watch::watch_all;

/// How late changes of endpoints take effect. On a real cluster they are late too, and requests are lost because of it.
///
/// kube-proxy applies a change as soon as it has heard of it when it has not applied one lately, and keeps a least time between
/// two applications; changes that come in between are applied together. There that time is shared by all Services of a node;
/// here each Service port has its own, so that one test's changes do not delay another's.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ProxyTiming {
    /// At least this long between two applications of changes to one Service port.
    pub spacing: Duration,
    /// From a change of endpoints until new connections follow it, when spacing does not ask for more.
    pub latency: Duration,
}

impl Default for ProxyTiming {
    /// 1 s between applications, as kube-proxy has it by default, and 0.1 s for each: what its watch and the kernel's tables take.
    fn default() -> ProxyTiming {
        ProxyTiming {
            spacing: Duration::from_secs(1),
            latency: Duration::from_millis(100),
        }
    }
}

impl ProxyTiming {
    /// When a change heard of `now` takes effect, after changes were last applied at `applied`.
    fn due(&self, now: Instant, applied: Option<Instant>) -> Instant {
        let spaced = applied.map(|at| at + self.spacing);
        spaced.unwrap_or(now).max(now + self.latency)
    }
}

/// The proxy of a node.
pub(crate) struct Proxy {
    pub timing: ProxyTiming,
    pub hosts: Hosts,
    pub events: Events,
    /// Simulated pods have no sockets to proxy to.
    pub listens: bool,
    /// The side-cars of pods that have one.
    pub mesh: Option<Arc<Mesh>>,
    /// Its cancellation ends every connection.
    pub node: CancellationToken,
}

impl Proxy {
    /// For ever; dropping it closes every listener.
    pub async fn run(self, client: Client) {
        let mut services = watch_all::<Service>(&client);
        let mut slices = watch_all::<EndpointSlice>(&client);
        let mut side_cars = self.mesh.as_ref().map(|mesh| mesh.changes());
        let mut side_cars_changed = async || {
            let changed = match &mut side_cars {
                Some(changes) => changes.changed().await.is_ok(),
                None => false,
            };
            if !changed {
                std::future::pending::<()>().await;
            }
        };
        let mut state = State {
            proxy: self,
            services: BTreeMap::new(),
            listed: BTreeMap::new(),
            endpoints: EndpointTable::default(),
            listed_endpoints: EndpointTable::default(),
            ports: BTreeMap::new(),
        };
        loop {
            let due = state.ports.values().filter_map(|port| port.due).min();
            tokio::select! {
                Some(event) = services.next() => state.on_service(event),
                Some(event) = slices.next() => state.on_slice(event),
                () = sleep_until(due.unwrap_or_else(Instant::now)), if due.is_some() => state.program(),
                () = side_cars_changed() => state.keep_open(),
                else => return,
            }
        }
    }
}

impl Proxy {
    fn service_port(&self, port: &ListenPort) -> ServicePort {
        let own = ServicePort::new(port.address, self.node.clone());
        let Some(mesh) = self.mesh.clone() else {
            return own;
        };
        let service = ServiceName::new(&port.namespace, &port.service);
        let (number, protocol) = (port.address.port(), port.protocol);
        own.with_mesh(|backends| MeshPort::new(mesh, service, number, protocol, backends))
    }

    fn warn(&self, services: &BTreeMap<ServiceId, Service>, port: &ListenPort, error: &io::Error) {
        if let Some(service) = services.get(&(port.namespace.clone(), port.service.clone())) {
            self.events
                .warning_about(service.object_ref(&()), "FailedToListen", cure(port, error));
        }
    }
}

type ServiceId = (String, String);

fn id<K: Resource>(object: &K) -> ServiceId {
    (
        object.meta().namespace.clone().unwrap_or_default(),
        object.meta().name.clone().unwrap_or_default(),
    )
}

struct State {
    proxy: Proxy,
    services: BTreeMap<ServiceId, Service>,
    /// The services of a list that is just being read.
    listed: BTreeMap<ServiceId, Service>,
    endpoints: EndpointTable,
    listed_endpoints: EndpointTable,
    ports: BTreeMap<ListenPort, Port>,
}

struct Port {
    service: ServicePort,
    programmed: Vec<std::net::SocketAddr>,
    /// When that was last changed.
    applied: Option<Instant>,
    /// When what changed takes effect.
    due: Option<Instant>,
}

impl State {
    fn on_service(&mut self, event: Event<Service>) {
        match event {
            Event::Apply(service) => drop(self.services.insert(id(&service), service)),
            Event::Delete(service) => drop(self.services.remove(&id(&service))),
            Event::Init => self.listed.clear(),
            Event::InitApply(service) => drop(self.listed.insert(id(&service), service)),
            Event::InitDone => self.services = std::mem::take(&mut self.listed),
        }
        let wanted = listen_ports(self.services.values());
        self.ports.retain(|port, _| wanted.contains(port));
        for port in wanted {
            let proxy = &self.proxy;
            self.ports.entry(port).or_insert_with_key(|port| Port {
                service: proxy.service_port(port),
                programmed: vec![],
                applied: None,
                due: None,
            });
        }
        self.keep_open();
        self.changed();
    }

    /// Ports that nobody is behind: callers with a side-car are answered there, others are refused.
    fn keep_open(&mut self) {
        if !self.proxy.listens {
            return;
        }
        let empty = self.ports.iter_mut();
        for (port, state) in empty.filter(|(_, state)| state.programmed.is_empty()) {
            if let Err(error) = state.service.set(vec![]) {
                self.proxy.warn(&self.services, port, &error);
            }
        }
    }

    fn on_slice(&mut self, event: Event<EndpointSlice>) {
        match event {
            Event::Apply(slice) => self.endpoints.apply(slice),
            Event::Delete(slice) => self.endpoints.delete(&slice),
            Event::Init => self.listed_endpoints = EndpointTable::default(),
            Event::InitApply(slice) => self.listed_endpoints.apply(slice),
            // Half a list is no change: callers would be refused by Services whose endpoints are yet to be read.
            Event::InitDone => self.endpoints = std::mem::take(&mut self.listed_endpoints),
        }
        self.changed();
    }

    /// Names follow at once, as a cluster's DNS does; endpoints when they are due.
    fn changed(&mut self) {
        if let Err(error) = self
            .proxy
            .hosts
            .set(names(self.services.values(), &self.endpoints))
        {
            tracing::warn!(%error, "a hosts file was not written");
        }
        if !self.proxy.listens {
            return;
        }
        let now = Instant::now();
        for (port, state) in &mut self.ports {
            if self.endpoints.backends(port) == state.programmed {
                state.due = None;
            } else if state.due.is_none() {
                state.due = Some(self.proxy.timing.due(now, state.applied));
            }
        }
    }

    fn program(&mut self) {
        let now = Instant::now();
        let State {
            proxy,
            services,
            endpoints,
            ports,
            ..
        } = self;
        for (port, state) in ports
            .iter_mut()
            .filter(|(_, state)| state.due.is_some_and(|due| due <= now))
        {
            state.due = None;
            state.programmed = endpoints.backends(port);
            state.applied = Some(now);
            if let Err(error) = state.service.set(state.programmed.clone()) {
                proxy.warn(services, port, &error);
            }
        }
    }
}

fn cure(port: &ListenPort, error: &io::Error) -> String {
    let why = match error.kind() {
        io::ErrorKind::PermissionDenied => {
            "ports below 1024 need root on this machine; use a higher Service port"
        }
        io::ErrorKind::AddrInUse => {
            "another program listens there, perhaps one that listens on 0.0.0.0; let it bind POD_IP"
        }
        _ => "the address cannot be listened on",
    };
    format!("{}: {error}: {why}", port.address)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_change_is_applied_at_once_when_none_was_lately_and_else_a_second_after_the_last() {
        let start = Instant::now();
        let at = |millis| start + Duration::from_millis(millis);
        let due = |now, applied: Option<u64>| {
            let due = ProxyTiming::default().due(at(now), applied.map(at));
            (due - start).as_millis()
        };
        assert_eq!(due(5000, None), 5100);
        assert_eq!(due(5000, Some(1000)), 5100);
        assert_eq!(due(5000, Some(4800)), 5800);
        assert_eq!(due(5000, Some(4050)), 5100);
    }
}
