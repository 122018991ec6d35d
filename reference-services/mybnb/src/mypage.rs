//! mypage — what a guest sees of the bookings: a view made of events, one row a booking.

use crate::events::{Happened, Request};
use kernel::{Collection, Effect, Service};
use serde::{Deserialize, Serialize};
use serde_json::json;

/// One booking as its guest sees it.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Mypage {
    booking_id: i64,
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
    Service::new("mypage")
        .collection(Collection::<Mypage>::new("mypages", "mypage").index("bookingId"))
        .on_event(on_event)
}

fn on_event(event: &Happened) -> Vec<Effect> {
    match event {
        Happened::BookingRequested(booking) => vec![Effect::save("mypages", &requested(booking))],
        Happened::PayApproved(payment) => vec![status(payment.booking_id, "paid")],
        Happened::BookingCanceled(booking) => vec![status(booking.id, "canceled")],
        // A payment that overtook the cancellation is given back in the end; then the row says so again.
        Happened::PayCanceled(payment) => vec![status(payment.booking_id, "canceled")],
        _ => vec![],
    }
}

fn status(booking_id: i64, status: &str) -> Effect {
    Effect::change(
        "mypages",
        "bookingId",
        booking_id,
        json!({"status": status}),
    )
}

fn requested(booking: &Request) -> Mypage {
    let Request {
        id: booking_id,
        room_id,
        name,
        price,
        address,
        host,
        guest,
        usedate,
    } = booking.clone();
    Mypage {
        booking_id,
        room_id,
        name,
        price,
        address,
        host,
        guest,
        usedate,
        status: "requested".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::events::Payment;

    #[test]
    fn a_row_follows_its_booking() {
        let booking = Request {
            id: 7,
            name: "호텔".into(),
            ..Request::default()
        };
        let row = Mypage {
            booking_id: 7,
            name: "호텔".into(),
            status: "requested".into(),
            ..Mypage::default()
        };
        assert_eq!(
            on_event(&Happened::BookingRequested(booking.clone())),
            [Effect::save("mypages", &row)]
        );
        let paid = Happened::PayApproved(Payment {
            booking_id: 7,
            ..Payment::default()
        });
        assert_eq!(
            on_event(&paid),
            [Effect::change(
                "mypages",
                "bookingId",
                7,
                json!({"status": "paid"})
            )]
        );
        assert_eq!(
            on_event(&Happened::BookingCanceled(booking)),
            [status(7, "canceled")]
        );
    }
}
