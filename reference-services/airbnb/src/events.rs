//! events — what happens in airbnb, as it is told on the topic.
//!
//! Every event names the room and, but for those about a room alone, the reservation: `rsvId` connects an event with the policy it
//! triggers **\[S\]**. All are published under the room's id, so that everything about one room stays in order.

use kernel::Effect;
use serde::{Deserialize, Serialize};

/// Everything that is told. Whoever is not interested in an event does not match it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "eventType")]
pub enum Happened {
    /// A host offers a room.
    RoomRegistered(Offer),
    /// A host changed what is said about it.
    RoomModified(Offer),
    /// A host does not offer it any more.
    RoomDeleted(Offer),
    /// A reservation was paid for, and perhaps not even stored yet.
    PaymentApproved(Payment),
    /// Its money was given back, if there was any.
    PaymentCancelled(Payment),
    /// A reservation was taken: room said yes, payment took the money.
    ReservationCreated(Reservation),
    /// The room is reserved for it.
    ReservationConfirmed(Reservation),
    /// Its guest does not want it any more.
    ReservationCancelRequested(Reservation),
    /// It is cancelled, by its guest or because the room was lost.
    ReservationCancelled(Reservation),
    /// A request came to nothing after room, and perhaps payment, had been asked. There is no such reservation.
    ReservationFailed(Subject),
    /// The room is the reservation's.
    RoomReserved(Subject),
    /// The room cannot be the reservation's.
    RoomReserveFailed(Subject),
    /// The room is not the reservation's any more, if it was.
    RoomCancelled(Subject),
    /// Told by a version that knows more.
    #[serde(other)]
    SomethingElse,
}

/// A room on offer.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Offer {
    /// The room.
    pub room_id: i64,
    /// What its host says about it.
    pub desc: String,
    /// `available` or `reserved`.
    pub status: String,
    /// How many guests have said something about it.
    pub review_cnt: i64,
}

/// A payment.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Payment {
    /// The payment; 0 where nothing was paid.
    pub pay_id: i64,
    /// The reservation.
    pub rsv_id: i64,
    /// The room.
    pub room_id: i64,
    /// `paid` or `cancelled`.
    pub status: String,
}

/// A reservation.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Reservation {
    /// The reservation.
    pub rsv_id: i64,
    /// The room.
    pub room_id: i64,
    /// `reqReserve`, `reserved`, `reqCancel` or `cancelled`.
    pub status: String,
    /// Who made it.
    pub guest: String,
    /// The first day.
    pub check_in: String,
    /// The last.
    pub check_out: String,
}

/// Which room, for which reservation.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Subject {
    /// The reservation.
    pub rsv_id: i64,
    /// The room.
    pub room_id: i64,
}

impl Happened {
    /// Tells it, in order with everything else about the room.
    pub fn told(&self) -> Effect {
        Effect::publish(self.room_id(), self)
    }

    /// Tells it if what comes after this fails.
    pub fn told_on_failure(&self) -> Effect {
        Effect::undo(self.room_id(), self)
    }

    fn room_id(&self) -> i64 {
        match self {
            Happened::RoomRegistered(offer)
            | Happened::RoomModified(offer)
            | Happened::RoomDeleted(offer) => offer.room_id,
            Happened::PaymentApproved(payment) | Happened::PaymentCancelled(payment) => {
                payment.room_id
            }
            Happened::ReservationCreated(reservation)
            | Happened::ReservationConfirmed(reservation)
            | Happened::ReservationCancelRequested(reservation)
            | Happened::ReservationCancelled(reservation) => reservation.room_id,
            Happened::ReservationFailed(subject)
            | Happened::RoomReserved(subject)
            | Happened::RoomReserveFailed(subject)
            | Happened::RoomCancelled(subject) => subject.room_id,
            Happened::SomethingElse => 0,
        }
    }
}

impl Payment {
    /// Its room and reservation.
    pub fn subject(&self) -> Subject {
        let Payment {
            rsv_id, room_id, ..
        } = *self;
        Subject { rsv_id, room_id }
    }
}

impl Reservation {
    /// Its room and itself.
    pub fn subject(&self) -> Subject {
        let Reservation {
            rsv_id, room_id, ..
        } = *self;
        Subject { rsv_id, room_id }
    }
}
