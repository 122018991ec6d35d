//! kernel — what every reference service has in common. A service is a short file of domain on top of it.
//!
//! - [`service`]: the definition of a service; [`effect`]: what its domain functions decide; [`event`]: what happened, as it travels
//! - [`shape`], [`json`], [`page`], [`hal`]: resources on the wire, as Spring Data REST wrote them, to the byte
//! - [`store`]: rows, outgoing events and handled events in one database; [`bus`]: events through Kafka
//! - [`edge`]: guarded calls to other services; [`correlation`]: one id for a whole flow
//! - `telemetry`: counts for Prometheus, spans for OpenTelemetry
//! - [`system`]: services that belong together; [`serve`], [`process`]: a service's life; [`health`]: how it tells; [`cost`]: what it is made to cost; [`env`](mod@env): its configuration
//!
//! ```no_run
//! use kernel::{Call, Collection, Effect, Env, Service};
//!
//! #[derive(Default, serde::Serialize, serde::Deserialize)]
//! #[serde(default)]
//! struct Room { name: String, price: i64 }
//!
//! fn on_create(_id: i64, room: &Room) -> Vec<Effect> {
//!     vec![Call::post("auth", "/auths", room).into()]
//! }
//!
//! fn main() -> std::process::ExitCode {
//!     let rooms = Collection::<Room>::new("rooms", "room").on_create(on_create);
//!     kernel::run(Service::new("room").calls("auth").collection(rooms), &Env::of_process())
//! }
//! ```

mod asked;
pub mod bus;
mod core;
pub mod correlation;
pub mod cost;
pub mod edge;
pub mod effect;
pub mod env;
pub mod event;
pub mod hal;
pub mod health;
mod http_api;
pub mod json;
pub mod page;
mod patience;
pub mod process;
pub mod serve;
pub mod service;
pub mod shape;
pub mod store;
pub mod system;
mod telemetry;

pub use asked::Asked;
pub use effect::{Call, Effect, Refusal};
pub use env::Env;
pub use event::Event;
pub use http::Method;
pub use process::run;
pub use serve::{Running, StartError, start};
pub use service::{Collection, Service};
pub use store::Row;
pub use system::System;
