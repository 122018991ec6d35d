//! storage — gives claims their volumes and volumes their claims, and keeps both while somebody uses them.

mod claims;
mod matching;
mod volumes;

pub(crate) use claims::claims_of;
pub(crate) use matching::{best, is_delayed};

use apiserver::Clock;
use futures::future::join;
use kube::Client;

/// Where the scheduler says on which node a claim's volume is wanted.
pub(crate) const SELECTED_NODE: &str = "volume.kubernetes.io/selected-node";
/// The provisioner of classes whose volumes are made by hand.
pub(crate) const NO_PROVISIONER: &str = "kubernetes.io/no-provisioner";

const BOUND_BY_CONTROLLER: &str = "pv.kubernetes.io/bound-by-controller";
const BIND_COMPLETED: &str = "pv.kubernetes.io/bind-completed";

/// Runs the controllers of claims and of volumes until they are dropped.
pub async fn run(client: Client, clock: Clock) {
    join(
        claims::run(client.clone(), clock),
        volumes::run(client, clock),
    )
    .await;
}
