//! review — what guests say about rooms.

use kernel::{Collection, Service};
use serde::{Deserialize, Serialize};

/// A guest's opinion of a room.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Review {
    room_id: i64,
    guest: String,
    score: i64,
    comment: String,
}

/// The service.
pub fn service() -> Service {
    Service::new("review").collection(Collection::<Review>::new("reviews", "review"))
}
