//! html — the screen: one page where hosts register rooms and guests book them, with payments and alarms, through the gateway.

use kernel::Service;

/// The service.
pub fn service() -> Service {
    Service::new("html").page("/html/index.html", include_str!("index.html"))
}
