//! gateway — the one door to all of airbnb: a path's first part chooses the service, and web pages from anywhere may use it.

use kernel::Service;

/// The service.
pub fn service() -> Service {
    Service::new("gateway")
        .route("/rooms", "room")
        .route("/check", "room")
        .route("/reservations", "reservation")
        .route("/payments", "payment")
        .route("/messages", "message")
        .route("/roomviews", "viewpage")
        .cors()
}
