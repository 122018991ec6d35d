//! gateway — the one door to all of demand-response: a path's first part chooses the service, the screen gets everything else, and web
//! pages from anywhere may use it.

use kernel::Service;

/// The service. `/startdr`, `/enddr` and `/meters` are not among the report's routes; without them an order could only be started past
/// the gateway.
pub fn service() -> Service {
    Service::new("gateway")
        .route("/drs", "dr")
        .route("/responses", "response")
        .route("/users", "user")
        .route("/kepcos", "kepco")
        .route("/startdr", "dr")
        .route("/enddr", "dr")
        .route("/meters", "kepco")
        .otherwise("frontend")
        .cors()
}
