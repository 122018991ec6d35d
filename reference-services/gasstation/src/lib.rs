//! gasstation — a chain of petrol stations: stations order stock from headquarters, sell it, and take it back. Five services, one file each.
//!
//! [`order`] is headquarters, [`logistics`] brings what was ordered, [`station`] keeps stock and sales, [`pos`] is the till, [`gateway`]
//! the door. None asks another; they only hear of each other, so that each goes on without the others. What happens is in [`events`].

pub mod events;
pub mod gateway;
pub mod logistics;
pub mod order;
pub mod pos;
mod rows;
pub mod station;

use kernel::System;

/// The services, the gateway first.
pub const SYSTEM: System = System {
    name: "gasstation",
    members: &[
        ("gateway", 8080, |_| gateway::service()),
        ("order", 8081, order::service),
        ("logistics", 8082, |_| logistics::service()),
        ("pos", 8083, |_| pos::service()),
        ("station", 8084, |_| station::service()),
    ],
};
