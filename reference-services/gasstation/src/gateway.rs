//! gateway — the one door to all of the chain: a path's first part chooses the service.

use kernel::Service;

/// The service.
pub fn service() -> Service {
    Service::new("gateway")
        .route("/orders", "order")
        .route("/products", "order")
        .route("/deliveries", "logistics")
        .route("/incomings", "station")
        .route("/stocks", "station")
        .route("/salesSummaries", "station")
        .route("/prices", "station")
        .route("/sales", "pos")
}
