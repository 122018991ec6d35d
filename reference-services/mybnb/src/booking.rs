//! booking — takes a guest's reservation: requested, then paid, or canceled by a change of its status or by its deletion.

use crate::events::{Happened, Request};
use kernel::{Collection, Effect, Service};
use serde::{Deserialize, Serialize};
use serde_json::json;

/// A reservation of a room for a day.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Booking {
    room_id: i64,
    name: String,
    price: i64,
    address: String,
    host: String,
    guest: String,
    usedate: String,
    status: String,
}

/// The service.
pub fn service() -> Service {
    let bookings = Collection::new("bookings", "booking")
        .completing(request)
        .on_create(on_create)
        .on_update(on_update)
        .on_delete(on_delete);
    Service::new("booking")
        .collection(bookings)
        .on_event(on_event)
}

fn request(booking: Booking) -> Booking {
    Booking {
        status: "requested".to_owned(),
        ..booking
    }
}

fn on_create(id: i64, booking: &Booking) -> Vec<Effect> {
    vec![Effect::publish(
        id,
        &Happened::BookingRequested(booking.told(id)),
    )]
}

fn on_update(id: i64, was: &Booking, is: &Booking) -> Vec<Effect> {
    if is.is_canceled() && !was.is_canceled() {
        vec![canceled(id, is)]
    } else {
        vec![]
    }
}

fn on_delete(id: i64, booking: &Booking) -> Vec<Effect> {
    if booking.is_canceled() {
        vec![]
    } else {
        vec![canceled(id, booking)]
    }
}

fn on_event(event: &Happened) -> Vec<Effect> {
    match event {
        Happened::PayApproved(payment) => {
            vec![Effect::change(
                "bookings",
                "id",
                payment.booking_id,
                json!({"status": "paid"}),
            )]
        }
        Happened::PayCanceled(payment) => {
            vec![Effect::change(
                "bookings",
                "id",
                payment.booking_id,
                json!({"status": "canceled"}),
            )]
        }
        _ => vec![],
    }
}

fn canceled(id: i64, booking: &Booking) -> Effect {
    Effect::publish(id, &Happened::BookingCanceled(booking.told(id)))
}

impl Booking {
    fn is_canceled(&self) -> bool {
        self.status == "canceled"
    }

    fn told(&self, id: i64) -> Request {
        let Booking {
            room_id,
            name,
            price,
            address,
            host,
            guest,
            usedate,
            ..
        } = self.clone();
        Request {
            id,
            room_id,
            name,
            price,
            address,
            host,
            guest,
            usedate,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn booking(status: &str) -> Booking {
        Booking {
            room_id: 1,
            guest: "배트맨".into(),
            status: status.into(),
            ..Booking::default()
        }
    }

    #[test]
    fn a_cancellation_is_told_once() {
        let (paid, canceled) = (booking("paid"), booking("canceled"));
        let told = Request {
            id: 7,
            room_id: 1,
            guest: "배트맨".into(),
            ..Request::default()
        };
        assert_eq!(
            on_update(7, &paid, &canceled),
            [Effect::publish(7, &Happened::BookingCanceled(told.clone()))]
        );
        assert_eq!(on_update(7, &canceled, &canceled), []);
        assert_eq!(
            on_delete(7, &paid),
            [Effect::publish(7, &Happened::BookingCanceled(told))]
        );
        assert_eq!(on_delete(7, &canceled), []);
    }

    #[test]
    fn a_new_booking_is_requested_whatever_its_sender_says() {
        assert_eq!(request(booking("paid")), booking("requested"));
    }
}
