//! events — what happens in healthcenter, as it is told on the topic.
//!
//! Everything is published under the order's id, which connects an event with the policy it triggers: what concerns one order stays in
//! order.

use kernel::Effect;
use serde::{Deserialize, Serialize};

/// Everything that is told. Whoever is not interested in an event does not match it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "eventType")]
pub enum Happened {
    /// A check-up was applied for, and paid for.
    Ordered(Order),
    /// The customer, or the center, does not want it any more.
    OrderCanceled(Order),
    /// An application came to nothing after payment had been asked. There is no such order.
    OrderFailed(Subject),
    /// Money was taken.
    PaymentApproved(Payment),
    /// Money was given back.
    PaymentCanceled(Payment),
    /// The center has a reservation.
    ReservationCompleted(Reservation),
    /// Its administrator has confirmed it.
    ReservationConfirmed(Reservation),
    /// The center has no reservation any more.
    ReservationCanceled(Reservation),
    /// Told by a version that knows more.
    #[serde(other)]
    SomethingElse,
}

/// An application for a check-up: a copy of the order.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Order {
    /// The order.
    pub id: i64,
    /// `basic` or `prime`.
    pub order_type: Option<String>,
    /// The card it is paid with.
    pub card_no: Option<i64>,
    /// Who wants it.
    pub name: Option<String>,
    /// `deleted`, or nothing.
    pub status: Option<String>,
}

/// A copy of a payment.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Payment {
    /// The payment.
    pub id: i64,
    /// The order.
    pub order_id: i64,
    /// How much.
    pub price: Option<i64>,
    /// `card`, `cash`.
    pub pay_method: Option<String>,
    /// The payment's own status.
    pub status: Option<String>,
}

/// A copy of the center's reservation.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Reservation {
    /// The reservation; 0 where nothing was reserved.
    pub id: i64,
    /// The order.
    pub order_id: i64,
    /// `Reservation Complete`, `confirmed` or `Reservation Canceled`.
    pub status: Option<String>,
}

/// Which order.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Subject {
    /// The order.
    pub order_id: i64,
}

impl Happened {
    /// Tells it, in order with everything else about the order.
    pub fn told(&self) -> Effect {
        Effect::publish(self.order_id(), self)
    }

    /// Tells it if what comes after this fails.
    pub fn told_on_failure(&self) -> Effect {
        Effect::undo(self.order_id(), self)
    }

    fn order_id(&self) -> i64 {
        match self {
            Happened::Ordered(order) | Happened::OrderCanceled(order) => order.id,
            Happened::OrderFailed(subject) => subject.order_id,
            Happened::PaymentApproved(payment) | Happened::PaymentCanceled(payment) => {
                payment.order_id
            }
            Happened::ReservationCompleted(reservation)
            | Happened::ReservationConfirmed(reservation)
            | Happened::ReservationCanceled(reservation) => reservation.order_id,
            Happened::SomethingElse => 0,
        }
    }
}
