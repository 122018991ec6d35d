//! pay — takes the money for a booking, and gives it back when the booking is canceled.

use crate::events::{Happened, Payment, Request};
use kernel::{Collection, Effect, Service};
use serde_json::json;

/// The service. What it stores is what it tells: a [`Payment`].
pub fn service() -> Service {
    Service::new("pay")
        .collection(Collection::<Payment>::new("pays", "pay").index("bookingId"))
        .on_event(on_event)
}

fn on_event(event: &Happened) -> Vec<Effect> {
    match event {
        Happened::BookingRequested(booking) => {
            let payment = payment(booking, "approved");
            vec![
                Effect::save("pays", &payment),
                Effect::publish(booking.id, &Happened::PayApproved(payment)),
            ]
        }
        Happened::BookingCanceled(booking) => vec![
            Effect::change(
                "pays",
                "bookingId",
                booking.id,
                json!({"status": "canceled"}),
            ),
            Effect::publish(
                booking.id,
                &Happened::PayCanceled(payment(booking, "canceled")),
            ),
        ],
        _ => vec![],
    }
}

fn payment(booking: &Request, status: &str) -> Payment {
    Payment {
        booking_id: booking.id,
        price: booking.price,
        guest: booking.guest.clone(),
        status: status.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_booking_is_paid_for_and_it_is_told() {
        let booking = Request {
            id: 7,
            price: 1000,
            guest: "배트맨".into(),
            ..Request::default()
        };
        let paid = Payment {
            booking_id: 7,
            price: 1000,
            guest: "배트맨".into(),
            status: "approved".into(),
        };
        let effects = on_event(&Happened::BookingRequested(booking));
        assert_eq!(
            effects,
            [
                Effect::save("pays", &paid),
                Effect::publish(7, &Happened::PayApproved(paid))
            ]
        );
    }
}
