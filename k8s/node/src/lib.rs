//! node — the kubelet of the embedded cluster: pods as processes of this machine, or as scripts in virtual time.
//!
//! It is a client of the Kubernetes API and nothing else: it sees Pods, runs their containers, and writes down how they fare.
//!
//! | module | |
//! |---|---|
//! | [`start`], [`Node`] | the node as a whole |
//! | [`runtime`] | how a container is run, in three tiers |
//! | [`shim`] | the process between the node and a container |
//! | [`limits`] | what a container may use |
//! | [`net`] | addresses, names, Services, and the side-cars of a mesh |
//! | [`probes`] | startup, liveness and readiness |
//! | `pods` | a pod's life from its first sight to its deletion |
//! | `status` | what the API is told about it |
//! | `metrics` | what `kubectl top` and autoscalers are told |
//! | `env`, `links`, `volumes`, [`images`](Images) | what a container is given |
//! | `beneath` | folders that no path leads out of |
//! | `provisioner` | folders of this node for claims that ask for one |
//! | `backoff`, `events` | when it is started again, and what is told about it |

mod backoff;
mod beneath;
mod env;
mod events;
mod images;
pub mod limits;
mod links;
mod metrics;
pub mod net;
mod node;
mod pods;
pub mod probes;
mod provisioner;
pub mod runtime;
pub mod shim;
mod status;
mod volumes;
mod watch;

use std::net::{IpAddr, Ipv4Addr};

pub use images::{ImageEntry, Images};
pub use metrics::METRIC_RESOLUTION;
pub use net::AddressBlock;
pub use node::{Node, NodeConfig, start};
pub use runtime::ShimCommand;

/// Where programs are looked for in a container, unless its image or its manifest says otherwise.
pub const PATH: &str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";
/// The name of the one node.
pub const NODE_NAME: &str = "node-1";
/// The node's own address.
pub(crate) const HOST_ADDRESS: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);
