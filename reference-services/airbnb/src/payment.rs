//! payment — takes the money for a reservation, and gives it back.

use crate::events::{self, Happened, Subject};
use kernel::{Collection, Effect, Row, Service};
use serde::{Deserialize, Serialize};
use serde_json::json;

/// Money for a reservation.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Payment {
    rsv_id: i64,
    room_id: i64,
    status: String,
}

/// The service.
pub fn service() -> Service {
    let payments = Collection::new("payments", "payment")
        .index("rsvId")
        .on_create(|id, payment: &Payment| {
            vec![Happened::PaymentApproved(payment.told(id)).told()]
        });
    Service::new("payment")
        .collection::<Payment>(payments)
        .on_event(on_event)
}

fn on_event(event: &Happened) -> Vec<Effect> {
    match event {
        Happened::ReservationCancelRequested(reservation) => {
            let subject = reservation.subject();
            vec![Effect::look(
                "payments",
                "rsvId",
                subject.rsv_id,
                move |rows| {
                    let back = given_back(rows);
                    if back.is_empty() {
                        // Nothing was paid. The rest of the cancellation waits for this event all the same.
                        vec![Happened::PaymentCancelled(nothing_paid(subject)).told()]
                    } else {
                        back
                    }
                },
            )]
        }
        Happened::RoomReserveFailed(subject) | Happened::ReservationFailed(subject) => {
            vec![Effect::look(
                "payments",
                "rsvId",
                subject.rsv_id,
                given_back,
            )]
        }
        _ => vec![],
    }
}

fn given_back(rows: &[Row]) -> Vec<Effect> {
    let paid = rows
        .iter()
        .map(|row| (row.id, row.typed::<Payment>()))
        .filter(|(_, payment)| payment.status == "paid");
    paid.flat_map(|(id, payment)| {
        let cancelled = events::Payment {
            status: "cancelled".to_owned(),
            ..payment.told(id)
        };
        [
            Effect::change("payments", "id", id, json!({"status": "cancelled"})),
            Happened::PaymentCancelled(cancelled).told(),
        ]
    })
    .collect()
}

fn nothing_paid(Subject { rsv_id, room_id }: Subject) -> events::Payment {
    events::Payment {
        pay_id: 0,
        rsv_id,
        room_id,
        status: "cancelled".to_owned(),
    }
}

impl Payment {
    fn told(&self, pay_id: i64) -> events::Payment {
        let Payment {
            rsv_id,
            room_id,
            status,
        } = self.clone();
        events::Payment {
            pay_id,
            rsv_id,
            room_id,
            status,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rows::{looked, row};

    const SUBJECT: Subject = Subject {
        rsv_id: 7,
        room_id: 1,
    };

    fn payment(status: &str) -> Row {
        row(3, &json!({"rsvId": 7, "roomId": 1, "status": status}))
    }

    fn cancelled(pay_id: i64) -> Effect {
        Happened::PaymentCancelled(events::Payment {
            pay_id,
            ..nothing_paid(SUBJECT)
        })
        .told()
    }

    #[test]
    fn money_is_given_back_once() {
        let effects = on_event(&Happened::RoomReserveFailed(SUBJECT));
        let change = Effect::change("payments", "id", 3, json!({"status": "cancelled"}));
        assert_eq!(looked(&effects, &[payment("paid")]), [change, cancelled(3)]);
        assert_eq!(looked(&effects, &[payment("cancelled")]), []);
        assert_eq!(looked(&effects, &[]), []);
    }

    #[test]
    fn a_cancellation_goes_on_where_nothing_was_paid() {
        let reservation = events::Reservation {
            rsv_id: 7,
            room_id: 1,
            ..events::Reservation::default()
        };
        let effects = on_event(&Happened::ReservationCancelRequested(reservation));
        assert_eq!(looked(&effects, &[]), [cancelled(0)]);
    }
}
