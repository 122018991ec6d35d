//! airbnb — rooms are reserved: checked and paid for at once, confirmed and told of a moment later. Six services, one file each.
//!
//! [`reservation`] asks [`room`] whether the room is free, which holds it, then [`payment`] to take the money. What follows goes by
//! events: room is reserved, the reservation is confirmed, [`message`] tells the guest, [`viewpage`] shows it. Every step has its way
//! back. [`gateway`] is the door. What happens is in [`events`].

pub mod events;
pub mod gateway;
pub mod message;
pub mod payment;
pub mod reservation;
pub mod room;
#[cfg(test)]
mod rows;
pub mod viewpage;

use kernel::System;

/// The services, the gateway first. It is at 8088 in the report **\[S\]**.
pub const SYSTEM: System = System {
    name: "airbnb",
    members: &[
        ("gateway", 8088, |_| gateway::service()),
        ("room", 8081, room::service),
        ("reservation", 8082, reservation::service),
        ("payment", 8083, |_| payment::service()),
        ("message", 8084, |_| message::service()),
        ("viewpage", 8085, |_| viewpage::service()),
    ],
};

/// The names of the services.
pub const SERVICES: [&str; 6] = SYSTEM.names();
