//! net — addresses, names and Services on the loopback interface: no privilege, no set-up, nothing left behind.

mod addresses;
mod data_path;
mod hosts;
mod l4;
mod mesh;
mod proxy;
mod table;

pub(crate) use self::mesh::Mesh;
pub use addresses::AddressBlock;
pub(crate) use addresses::Lease;
pub(crate) use hosts::{Hosts, Named};
pub(crate) use proxy::Proxy;
pub use proxy::ProxyTiming;
pub(crate) use table::{EndpointTable, listen_ports, names};
