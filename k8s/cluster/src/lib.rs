//! cluster — what the harness asks of a Kubernetes cluster, whichever it is. The harness names `kube` nowhere else.
//!
//! - [`Cluster`]: connecting, namespaces, applying and deleting objects
//! - [`Observer`], [`View`]: what is there, kept current by watches, and waiting for it to be otherwise
//! - [`access`]: what this client may do; events it writes
//! - [`canary`]: a pod to compare with
//! - `pods`: single pods, and a program inside one; [`Container`]: whether one runs, and how it ended
//! - [`look`]: objects, commands in containers and logs, as they are now
//! - [`worker`]: a program run once as a Job, with its log lines as they come
pub mod access;
mod autoscaler;
mod breaker;
pub mod canary;
mod container;
mod described;
mod exporter;
mod facts;
pub mod look;
mod needs;
mod objects;
mod observe;
mod pods;
mod troubles;
mod view;
mod watch;
pub mod worker;

pub use container::{Container, Ended};
pub use needs::Lack;
pub use objects::{About, Cluster, Error, OWNER_LABEL, title};
pub use observe::Observer;
pub use pods::Inside;
pub use view::{Replicas, View};
