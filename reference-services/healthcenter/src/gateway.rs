//! gateway — the one door to all of healthcenter: a path's first part chooses the service, and web pages from anywhere may use it.

use kernel::Service;

/// The service. `/mypages` is at `NOTIFICATION_URL`; in a cluster the report calls that host `customer` **\[S\]**.
pub fn service() -> Service {
    Service::new("gateway")
        .route("/orders", "order")
        .route("/reservations", "reservation")
        .route("/cancellations", "reservation")
        .route("/paymentHistories", "payment")
        .route("/mypages", "notification")
        .cors()
}
