//! reservation — the check-up center. Books what was paid for, has it confirmed by its administrator, and cancels what is not wanted.

use crate::events::{self, Happened};
use kernel::{Collection, Effect, Env, Row, Service};
use serde::{Deserialize, Serialize};
use serde_json::json;

const COMPLETE: &str = "Reservation Complete";
const CONFIRMED: &str = "confirmed";
const CANCELED: &str = "Reservation Canceled";

/// A check-up that is booked.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Reservation {
    order_id: i64,
    status: Option<String>,
}

/// A check-up that is not booked any more.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Cancellation {
    order_id: i64,
    status: Option<String>,
}

/// The service. An order has one reservation, which is confirmed by posting it again; with `IDEMPOTENT_EVENTS=false` every payment and
/// every post makes another, as in the report.
pub fn service(env: &Env) -> Service {
    let reservations = Collection::new("reservations", "reservation")
        .on_create(|id, reservation: &Reservation| booked(&reservation.told(id)))
        .on_update(on_update)
        .on_delete(|_, reservation| {
            if reservation.is_canceled() {
                vec![]
            } else {
                canceled(reservation.order_id)
            }
        });
    let cancellations = Collection::new("cancellations", "cancellation")
        .one_per("orderId")
        .completing(|cancellation| Cancellation {
            status: Some(CANCELED.to_owned()),
            ..cancellation
        })
        .on_create(|_, cancellation: &Cancellation| canceled(cancellation.order_id));
    let is_idempotent = env.or("IDEMPOTENT_EVENTS", true);
    let (reservations, reserve): (_, fn(i64) -> Vec<Effect>) = if is_idempotent {
        (reservations.one_per("orderId"), reserved_once)
    } else {
        (reservations, reserved)
    };
    Service::new("reservation")
        .collection::<Reservation>(reservations)
        .collection::<Cancellation>(cancellations)
        .on_event(move |event| on_event(event, reserve))
}

fn on_event(event: &Happened, reserve: fn(i64) -> Vec<Effect>) -> Vec<Effect> {
    match event {
        Happened::PaymentApproved(payment) => {
            let line = format!("##### listener  : {}", json!(event));
            [vec![Effect::Log(line)], reserve(payment.order_id)].concat()
        }
        Happened::OrderCanceled(order) => canceled(order.id),
        Happened::OrderFailed(subject) => without(subject.order_id),
        Happened::PaymentCanceled(payment) => without(payment.order_id),
        _ => vec![],
    }
}

fn reserved(order_id: i64) -> Vec<Effect> {
    let reservation = Reservation {
        order_id,
        status: Some(COMPLETE.to_owned()),
    };
    let told = reservation.told(0);
    vec![Effect::create("reservations", &reservation, move |id| {
        booked(&events::Reservation { id, ..told.clone() })
    })]
}

/// An order that is paid for again keeps its reservation; it is told again, for who asks may not have heard of it.
fn reserved_once(order_id: i64) -> Vec<Effect> {
    vec![Effect::look(
        "reservations",
        "orderId",
        order_id,
        move |rows| {
            let kept = rows
                .iter()
                .map(|row| row.typed::<Reservation>().told(row.id));
            let mut kept =
                kept.filter(|reservation| reservation.status.as_deref() != Some(CANCELED));
            kept.next()
                .map_or_else(|| reserved(order_id), |reservation| booked(&reservation))
        },
    )]
}

fn booked(reservation: &events::Reservation) -> Vec<Effect> {
    let completed = Happened::ReservationCompleted(reservation.clone());
    let confirmed = Happened::ReservationConfirmed(reservation.clone());
    let is_confirmed = reservation.status.as_deref() == Some(CONFIRMED);
    let told = [Some(completed), is_confirmed.then_some(confirmed)];
    told.iter().flatten().map(Happened::told).collect()
}

fn on_update(id: i64, was: &Reservation, is: &Reservation) -> Vec<Effect> {
    let told = is.told(id);
    match is.status.as_deref() {
        _ if is.order_id != was.order_id => {
            vec![Effect::refuse(409, "a reservation keeps its order")]
        }
        _ if is.status == was.status => vec![],
        _ if was.is_canceled() => {
            vec![Effect::refuse(409, "a canceled reservation stays canceled")]
        }
        Some(CANCELED) => vec![
            noted(is.order_id),
            Happened::ReservationCanceled(told).told(),
        ],
        Some(CONFIRMED) => vec![Happened::ReservationConfirmed(told).told()],
        _ => vec![Happened::ReservationCompleted(told).told()],
    }
}

/// What is reserved for the order is cancelled, if anything is.
fn without(order_id: i64) -> Vec<Effect> {
    vec![Effect::look(
        "reservations",
        "orderId",
        order_id,
        move |rows| released(order_id, rows),
    )]
}

/// The order is cancelled here, whether anything is reserved for it or not, and that is told once.
fn canceled(order_id: i64) -> Vec<Effect> {
    vec![Effect::look(
        "reservations",
        "orderId",
        order_id,
        move |rows| {
            let released = released(order_id, rows);
            if !released.is_empty() {
                return released;
            }
            vec![Effect::look(
                "cancellations",
                "orderId",
                order_id,
                move |rows| {
                    let nothing_reserved = events::Reservation {
                        id: 0,
                        order_id,
                        status: Some(CANCELED.to_owned()),
                    };
                    let told = Happened::ReservationCanceled(nothing_reserved).told();
                    let effects = rows.is_empty().then(|| vec![noted(order_id), told]);
                    effects.unwrap_or_default()
                },
            )]
        },
    )]
}

fn released(order_id: i64, rows: &[Row]) -> Vec<Effect> {
    let kept = rows.iter().map(|row| (row.id, row.typed::<Reservation>()));
    let kept = kept.filter(|(_, reservation)| !reservation.is_canceled());
    kept.flat_map(|(id, reservation)| {
        let told = events::Reservation {
            status: Some(CANCELED.to_owned()),
            ..reservation.told(id)
        };
        [
            Effect::change("reservations", "id", id, json!({"status": CANCELED})),
            noted(order_id),
            Happened::ReservationCanceled(told).told(),
        ]
    })
    .collect()
}

fn noted(order_id: i64) -> Effect {
    Effect::upsert(
        "cancellations",
        "orderId",
        order_id,
        json!({"status": CANCELED}),
    )
}

impl Reservation {
    fn is_canceled(&self) -> bool {
        self.status.as_deref() == Some(CANCELED)
    }

    fn told(&self, id: i64) -> events::Reservation {
        let Reservation { order_id, status } = self.clone();
        events::Reservation {
            id,
            order_id,
            status,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::events::{Payment, Subject};
    use crate::rows::{looked, row};

    fn reservation(status: &str) -> Reservation {
        Reservation {
            order_id: 7,
            status: Some(status.into()),
        }
    }

    fn paid() -> Happened {
        Happened::PaymentApproved(Payment {
            id: 3,
            order_id: 7,
            ..Payment::default()
        })
    }

    /// What follows from a new row with this id.
    fn created(effect: &Effect, id: i64) -> Vec<Effect> {
        match effect {
            Effect::Create { then, .. } => then.given(&id),
            other => panic!("nothing created: {other:?}"),
        }
    }

    #[test]
    fn what_was_paid_for_is_booked_and_printed() {
        let effects = on_event(&paid(), reserved);
        let line = r#"##### listener  : {"eventType":"PaymentApproved","id":3,"orderId":7,"price":null,"payMethod":null,"status":null}"#;
        assert_eq!(effects[0], Effect::Log(line.into()));
        let told = Happened::ReservationCompleted(reservation(COMPLETE).told(5)).told();
        assert_eq!(created(&effects[1], 5), [told]);
    }

    #[test]
    fn a_second_payment_books_nothing_more_unless_the_first_was_cancelled() {
        let effects = on_event(&paid(), reserved_once);
        let seen = |status: &str| looked(&effects[1..], &[row(5, &json!(reservation(status)))]);
        let told = |status: &str| reservation(status).told(5);
        let completed = Happened::ReservationCompleted(told(COMPLETE)).told();
        assert_eq!(seen(COMPLETE), [completed]);
        assert_eq!(seen(CONFIRMED), booked(&told(CONFIRMED)));
        assert!(matches!(seen(CANCELED)[..], [Effect::Create { .. }]));
    }

    #[test]
    fn a_confirmation_is_told_as_that_too() {
        let told = reservation(CONFIRMED).told(5);
        let confirmed = Happened::ReservationConfirmed(told.clone()).told();
        let completed = Happened::ReservationCompleted(told).told();
        assert_eq!(
            booked(&reservation(CONFIRMED).told(5)),
            [completed, confirmed.clone()]
        );
        let changed = on_update(5, &reservation(COMPLETE), &reservation(CONFIRMED));
        assert_eq!(changed, [confirmed]);
        let late = on_update(5, &reservation(CANCELED), &reservation(CONFIRMED));
        assert!(matches!(late[..], [Effect::Refuse(_)]));
    }

    #[test]
    fn a_cancellation_is_told_once_even_if_nothing_was_reserved() {
        let effects = canceled(7);
        let told = |id| Happened::ReservationCanceled(reservation(CANCELED).told(id)).told();
        let change = Effect::change("reservations", "id", 5, json!({"status": CANCELED}));
        let booked = row(5, &json!(reservation(COMPLETE)));
        let gone = row(5, &json!(reservation(CANCELED)));
        assert_eq!(looked(&effects, &[booked]), [change, noted(7), told(5)]);
        for rows in [vec![], vec![gone]] {
            let then = looked(&effects, &rows);
            assert_eq!(looked(&then, &[]), [noted(7), told(0)]);
            assert_eq!(looked(&then, &[row(1, &json!({"orderId": 7}))]), []);
        }
    }

    #[test]
    fn an_order_that_failed_cancels_only_what_was_reserved() {
        let failed = Happened::OrderFailed(Subject { order_id: 7 });
        let effects = on_event(&failed, reserved_once);
        assert_eq!(looked(&effects, &[]), []);
        assert_eq!(
            looked(&effects, &[row(5, &json!(reservation(COMPLETE)))]).len(),
            3
        );
    }
}
