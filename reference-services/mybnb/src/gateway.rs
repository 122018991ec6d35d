//! gateway — the one door to all of mybnb: a path's first part chooses the service.

use kernel::Service;

/// The service.
pub fn service() -> Service {
    Service::new("gateway")
        .route("/rooms", "room")
        .route("/bookings", "booking")
        .route("/pays", "pay")
        .route("/mypages", "mypage")
        .route("/reviews", "review")
        .route("/alarms", "alarm")
        .route("/auths", "auth")
        .route("/html", "html")
}
