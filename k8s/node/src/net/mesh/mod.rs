//! mesh — the data plane of a service mesh: what Envoy does in the side-cars of the pods that have one.
//!
//! A pod's calls to Services go through its outbound side: routes, faults, time limits, further tries, the choice of a host, its pool of
//! connections. What reaches a pod through a Service goes through its inbound side: a pool of its own. Each side is a hop of its own
//! over TCP, as in a real mesh. What is decided is decided in the crate `mesh`; here it is done.
//!
//! | module | |
//! |---|---|
//! | `view` | rules and pods, as the API has them |
//! | `caller` | which pod a connection comes from |
//! | `door` | from an accepted connection to the side that treats it |
//! | `outbound`, `inbound` | the two sides |
//! | `cluster` | hosts and connections of one destination |
//! | `lease` | a request on a connection, until its answer is complete |
//! | `replies` | what a side-car answers by itself |
//! | `statistics` | what is counted, and told through the API |

mod caller;
mod cluster;
mod door;
mod inbound;
mod lease;
mod outbound;
mod replies;
mod statistics;
mod view;

use std::collections::{BTreeMap, HashMap};
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use kube::Client;
use mesh::names::ServiceName;
use mesh::policy::Policy;
use mesh::profile::Profile;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use super::l4::Backends;
use crate::events::Events;
use caller::Callers;
use cluster::Cluster;
pub(crate) use door::MeshPort;
use inbound::Entrances;
use view::View;

/// Envoy's own number of workers in a side-car.
const WORKERS: usize = 2;

/// One of a side-car's workers; the kernel spreads connections over them.
fn worker() -> usize {
    rand::random_range(0..WORKERS)
}

/// A port of a Service, or some of the pods behind it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
struct Target {
    service: ServiceName,
    port: u16,
    subset: Option<String>,
}

/// Where a cluster is: in which pod's side-car, and on which of its sides.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
struct ClusterId {
    /// The pod's namespace, name and uid.
    pod: [String; 3],
    /// The one host of an inbound cluster.
    inbound: Option<SocketAddr>,
    target: Target,
}

/// The side-cars of all pods of a node.
pub(crate) struct Mesh {
    view: watch::Receiver<Arc<View>>,
    callers: Callers,
    /// Who is behind each port of each Service.
    backends: Mutex<BTreeMap<(ServiceName, u16), watch::Receiver<Backends>>>,
    clusters: Mutex<HashMap<ClusterId, Arc<Cluster>>>,
    entrances: Entrances,
    /// Ends every connection with the node.
    node: CancellationToken,
}

impl Mesh {
    /// The mesh, and the task that keeps it as the API says and tells what it counts.
    pub fn start(
        client: Client,
        events: Events,
        node: CancellationToken,
    ) -> (Arc<Mesh>, impl Future<Output = ()> + Send + 'static) {
        let (sender, view) = watch::channel(Arc::default());
        let mesh = Arc::new(Mesh {
            view,
            callers: Callers::default(),
            backends: Mutex::default(),
            clusters: Mutex::default(),
            entrances: Entrances::default(),
            node,
        });
        let telling = statistics::tell(mesh.clone(), client.clone(), events);
        let task = async move {
            tokio::join!(view::follow(client, sender), telling);
        };
        (mesh, task)
    }

    fn view(&self) -> Arc<View> {
        self.view.borrow().clone()
    }

    /// Changes whenever the rules or the pods do.
    pub(in crate::net) fn changes(&self) -> watch::Receiver<Arc<View>> {
        self.view.clone()
    }

    /// The rule for `target` in the eyes of `namespace`, what it comes to, and the release that is played.
    fn policy(&self, view: &View, namespace: &str, target: &Target) -> (Policy, Profile) {
        let rule = view.rule(namespace, &target.service);
        let profile = view.profile(rule, namespace);
        let spec = rule.map(|rule| &rule.spec);
        let policy = Policy::of(spec, target.port, target.subset.as_deref(), profile);
        (policy, profile)
    }

    /// The cluster as it is now wanted. A changed rule makes a new one, as it does in Envoy; what is under way ends in the old.
    fn cluster(
        self: &Arc<Mesh>,
        id: ClusterId,
        (policy, profile): (Policy, Profile),
    ) -> Arc<Cluster> {
        let mut clusters = lock(&self.clusters);
        let before = clusters.get(&id);
        if let Some(cluster) = before.filter(|cluster| cluster.is_as(&policy, profile)) {
            return cluster.clone();
        }
        let counted = before.map(|cluster| {
            cluster.retire();
            cluster.counters.clone()
        });
        let cluster = Cluster::new(id.clone(), policy, profile, self, counted);
        clusters.insert(id, cluster.clone());
        cluster
    }

    fn backends(&self, target: &Target) -> Option<Backends> {
        let all = lock(&self.backends);
        let backends = all.get(&(target.service.clone(), target.port))?;
        Some(backends.borrow().clone())
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
