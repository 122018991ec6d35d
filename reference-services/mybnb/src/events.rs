//! events — what happens in mybnb, as it is told on the topic.

use serde::{Deserialize, Serialize};

/// Everything that is told. Whoever is not interested in an event does not match it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "eventType")]
pub enum Happened {
    /// auth approved a room. By room id.
    AuthApproved(Approval),
    /// A guest wants a room. By booking id.
    BookingRequested(Request),
    /// A guest does not want it any more. By booking id.
    BookingCanceled(Request),
    /// A booking was paid for. By booking id.
    PayApproved(Payment),
    /// A booking's payment was given back. By booking id.
    PayCanceled(Payment),
    /// Told by a version that knows more.
    #[serde(other)]
    SomethingElse,
}

/// Which room was approved, and whose it is.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Approval {
    /// auth's own id.
    pub id: i64,
    /// The room.
    pub room_id: i64,
    /// Its name.
    pub name: String,
    /// Its host.
    pub host: String,
    /// `approved`.
    pub status: String,
}

/// What was booked.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Request {
    /// The booking.
    pub id: i64,
    /// The room.
    pub room_id: i64,
    /// The room's name.
    pub name: String,
    /// What it costs.
    pub price: i64,
    /// Where it is.
    pub address: String,
    /// Whose it is.
    pub host: String,
    /// Who wants it.
    pub guest: String,
    /// For which day, `yyyyMMdd`.
    pub usedate: String,
}

/// What was paid for.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Payment {
    /// The booking.
    pub booking_id: i64,
    /// How much.
    pub price: i64,
    /// By whom.
    pub guest: String,
    /// `approved` or `canceled`.
    pub status: String,
}
