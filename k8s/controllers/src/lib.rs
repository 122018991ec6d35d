//! controllers — what keeps promises in a cluster: a Deployment has its ReplicaSets, a ReplicaSet its pods, a Service its endpoints.
//!
//! Every controller is an ordinary client of the Kubernetes API and knows nothing of what stands behind it, so it can be pointed at a real
//! API server. Each reads the world, decides in a pure function and does what was decided. They react to watches; a timer runs only
//! where a rule names a time (`minReadySeconds`, `progressDeadlineSeconds`, …), and that time is the [`Clock`]'s, which may be virtual.

use apiserver::Clock;
use kube::Client;
use tokio::task::JoinSet;

pub mod accounts;
pub mod autoscaler;
pub mod cronjob;
pub mod deployment;
pub mod disruption;
pub mod endpoints;
pub mod garbage;
pub mod job;
pub mod namespace;
pub mod replicaset;
pub mod scheduler;
pub mod storage;

mod events;
mod kinds;
mod owner;
mod pods;
mod run;
mod selector;

/// Starts every controller. They run until the returned set is dropped or aborted; none ends by itself.
///
/// Must be called inside a tokio runtime. Times written and compared are the clock's.
pub fn start(client: Client, clock: Clock) -> JoinSet<()> {
    let mut set = JoinSet::new();
    set.spawn(deployment::run(client.clone(), clock));
    set.spawn(replicaset::run(client.clone(), clock));
    set.spawn(job::run(client.clone(), clock));
    set.spawn(cronjob::run(client.clone(), clock));
    set.spawn(autoscaler::run(client.clone(), clock));
    set.spawn(endpoints::run(client.clone()));
    set.spawn(garbage::run(client.clone()));
    set.spawn(accounts::run(client.clone()));
    set.spawn(storage::run(client.clone(), clock));
    set.spawn(disruption::run(client.clone(), clock));
    set.spawn(scheduler::run(client.clone(), clock));
    set.spawn(namespace::run(client));
    set
}
