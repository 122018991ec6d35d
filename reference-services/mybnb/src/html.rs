//! html — the screen: one page that lists and registers rooms through the gateway.

use kernel::Service;

/// The service.
pub fn service() -> Service {
    Service::new("html").page("/html/index.html", include_str!("index.html"))
}
