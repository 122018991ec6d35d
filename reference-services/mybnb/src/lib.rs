//! mybnb — an accommodation site: hosts register rooms, guests book them. Nine services, one file each.
//!
//! [`room`] asks [`auth`], and stores nothing without its consent; [`alarm`] hears of it later. [`booking`], [`pay`] and [`mypage`] only
//! hear of each other. [`review`] is on its own, [`gateway`] is the door, [`html`] the screen. What happens is in [`events`].

pub mod alarm;
pub mod auth;
pub mod booking;
pub mod events;
pub mod gateway;
pub mod html;
pub mod mypage;
pub mod pay;
pub mod review;
pub mod room;

use kernel::System;

/// The services, the gateway first.
pub const SYSTEM: System = System {
    name: "mybnb",
    members: &[
        ("gateway", 8080, |_| gateway::service()),
        ("html", 8081, |_| html::service()),
        ("room", 8082, |_| room::service()),
        ("booking", 8083, |_| booking::service()),
        ("pay", 8084, |_| pay::service()),
        ("mypage", 8085, |_| mypage::service()),
        ("review", 8086, |_| review::service()),
        ("alarm", 8087, |_| alarm::service()),
        ("auth", 8088, |_| auth::service()),
    ],
};

/// The names of the services.
pub const SERVICES: [&str; 9] = SYSTEM.names();
