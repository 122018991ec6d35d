//! reservation — takes reservations: room is asked, payment is made, then it is stored. Confirmed and cancelled it is by events.

use crate::events::{self, Happened, Subject};
use kernel::{Call, Collection, Effect, Env, Row, Service};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

/// How many reservations a guest may have **\[S\]**.
const PER_PERSON_MAX: u32 = 10;

/// A reservation of a room.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Reservation {
    room_id: i64,
    status: String,
    guest: String,
    check_in: String,
    check_out: String,
}

/// What is configured.
#[derive(Clone, Copy, Debug)]
struct Rules {
    /// Reservations of one guest that are not cancelled; guests without a name are not counted.
    per_person_max: usize,
    /// What becomes of a request for a room that is not free: refused with 409, or (stated) stored unpaid.
    rejects_unavailable: bool,
}

/// The service. `MAX_RESERVATION_PER_PERSION` (so spelt in the report) is 10, `REJECT_UNAVAILABLE` is off.
pub fn service(env: &Env) -> Service {
    let rules = Rules {
        per_person_max: env.or("MAX_RESERVATION_PER_PERSION", PER_PERSON_MAX) as usize,
        rejects_unavailable: env.or("REJECT_UNAVAILABLE", false),
    };
    let reservations = Collection::new("reservations", "reservation")
        .index("guest")
        .completing(requested)
        .on_create(move |id, reservation: &Reservation| on_create(id, reservation, rules))
        .on_update(on_update)
        .on_delete(on_delete);
    Service::new("reservation")
        .calls("room")
        .calls("payment")
        .collection::<Reservation>(reservations)
        .on_event(on_event)
}

fn requested(reservation: Reservation) -> Reservation {
    Reservation {
        status: "reqReserve".to_owned(),
        ..reservation
    }
}

/// The guest has not too many, room says yes, payment is made. If any of it fails there is no reservation, and room and payment hear
/// of it: a call that seemed to fail may have been heeded.
fn on_create(id: i64, reservation: &Reservation, rules: Rules) -> Vec<Effect> {
    let told = reservation.told(id);
    let Subject { rsv_id, room_id } = told.subject();
    // `rsvId` is not in the report. With it room knows whose hold it is.
    let path = format!("/check/chkAndReqReserve?roomId={room_id}&rsvId={rsv_id}");
    let failed = Happened::ReservationFailed(told.subject()).told_on_failure();
    let checked = Effect::ask(Call::get("room", path), move |answer| {
        checked(&told, answer, rules)
    });
    let limited = (!reservation.guest.is_empty())
        .then(|| not_too_many(&reservation.guest, rules.per_person_max));
    limited.into_iter().chain([failed, checked]).collect()
}

fn not_too_many(guest: &str, most: usize) -> Effect {
    let why = format!("{guest} has {most} reservations already");
    Effect::look("reservations", "guest", guest, move |rows| {
        let is_active = |row: &&Row| row.typed::<Reservation>().status != "cancelled";
        if rows.iter().filter(is_active).count() >= most {
            vec![Effect::refuse(409, why.as_str())]
        } else {
            vec![]
        }
    })
}

/// As the report's insert hook: paid for and told if the room is free, otherwise left as it is.
fn checked(told: &events::Reservation, answer: &Value, rules: Rules) -> Vec<Effect> {
    let result = *answer == Value::Bool(true);
    let line = Effect::Log(format!("######## Check Result : {result}"));
    if result {
        let Subject { rsv_id, room_id } = told.subject();
        let payment = json!({"rsvId": rsv_id, "roomId": room_id, "status": "paid"});
        let created = Happened::ReservationCreated(told.clone()).told();
        vec![
            line,
            Call::post("payment", "/payments", &payment).into(),
            created,
        ]
    } else if rules.rejects_unavailable {
        let why = format!("room {} is not available", told.room_id);
        vec![line, Effect::refuse(409, why)]
    } else {
        vec![line]
    }
}

/// A guest can cancel. Everything else about the status is decided by events.
fn on_update(id: i64, was: &Reservation, is: &Reservation) -> Vec<Effect> {
    if is.room_id != was.room_id {
        return vec![Effect::refuse(409, "a reservation keeps its room")];
    }
    match (was.status.as_str(), is.status.as_str()) {
        (before, after) if before == after => vec![],
        ("reqReserve" | "reserved", "reqCancel") => {
            vec![Happened::ReservationCancelRequested(is.told(id)).told()]
        }
        (before, after) => {
            let why = format!("a reservation that is {before} cannot be made {after}");
            vec![Effect::refuse(409, why)]
        }
    }
}

fn on_delete(id: i64, reservation: &Reservation) -> Vec<Effect> {
    let told = reservation.told(id);
    match reservation.status.as_str() {
        "cancelled" => vec![],
        "reqCancel" => vec![Happened::ReservationCancelled(told).told()],
        _ => vec![
            Happened::ReservationCancelRequested(told.clone()).told(),
            Happened::ReservationCancelled(told).told(),
        ],
    }
}

fn on_event(event: &Happened) -> Vec<Effect> {
    match event {
        // What follows from a payment goes by way of the room, which is updated first.
        Happened::PaymentApproved(payment) => {
            let line = format!(
                "payment {} for reservation {}",
                payment.pay_id, payment.rsv_id
            );
            vec![Effect::Log(line)]
        }
        Happened::RoomReserved(subject) => moved(*subject, &["reqReserve"], "reserved"),
        Happened::RoomReserveFailed(subject) | Happened::RoomCancelled(subject) => moved(
            *subject,
            &["reqReserve", "reserved", "reqCancel"],
            "cancelled",
        ),
        _ => vec![],
    }
}

/// The reservation goes from one of these statuses to another, and it is told; from any other it does not.
fn moved(subject: Subject, from: &'static [&str], to: &'static str) -> Vec<Effect> {
    vec![Effect::look(
        "reservations",
        "id",
        subject.rsv_id,
        move |rows| {
            let found = rows.iter().map(|row| (row.id, row.typed::<Reservation>()));
            let movable = found.filter(|(_, was)| from.contains(&was.status.as_str()));
            movable
                .flat_map(|(id, was)| moved_row(id, was, to))
                .collect()
        },
    )]
}

fn moved_row(id: i64, was: Reservation, to: &str) -> [Effect; 2] {
    let status = to.to_owned();
    let told = Reservation { status, ..was }.told(id);
    let happened = match to {
        "reserved" => Happened::ReservationConfirmed(told),
        _ => Happened::ReservationCancelled(told),
    };
    let change = Effect::change("reservations", "id", id, json!({"status": to}));
    [change, happened.told()]
}

impl Reservation {
    fn told(&self, rsv_id: i64) -> events::Reservation {
        let Reservation {
            room_id,
            status,
            guest,
            check_in,
            check_out,
        } = self.clone();
        events::Reservation {
            rsv_id,
            room_id,
            status,
            guest,
            check_in,
            check_out,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rows::{looked, row};

    const RULES: Rules = Rules {
        per_person_max: 10,
        rejects_unavailable: false,
    };
    const SUBJECT: Subject = Subject {
        rsv_id: 7,
        room_id: 1,
    };

    fn reservation(status: &str) -> Reservation {
        Reservation {
            room_id: 1,
            status: status.into(),
            guest: "배트맨".into(),
            ..Reservation::default()
        }
    }

    #[test]
    fn a_free_room_is_paid_for_with_the_stated_body() {
        let told = reservation("reqReserve").told(7);
        let effects = checked(&told, &json!(true), RULES);
        let payment = Call {
            callee: "payment",
            path: "/payments".into(),
            body: json!({"rsvId": 7, "roomId": 1, "status": "paid"}),
        };
        let expected = [
            Effect::Log("######## Check Result : true".into()),
            payment.into(),
            Happened::ReservationCreated(told).told(),
        ];
        assert_eq!(effects, expected);
    }

    #[test]
    fn a_room_that_is_not_free_is_a_reservation_without_payment_or_a_refusal() {
        let told = reservation("reqReserve").told(7);
        let line = Effect::Log("######## Check Result : false".into());
        assert_eq!(
            checked(&told, &json!(false), RULES),
            std::slice::from_ref(&line)
        );
        let rules = Rules {
            rejects_unavailable: true,
            ..RULES
        };
        let refused = Effect::refuse(409, "room 1 is not available");
        assert_eq!(checked(&told, &json!(false), rules), [line, refused]);
    }

    #[test]
    fn the_eleventh_reservation_of_a_guest_is_refused_and_cancelled_ones_do_not_count() {
        let effects = on_create(7, &reservation("reqReserve"), RULES);
        let mut rows: Vec<_> = (0..10)
            .map(|id| row(id, &json!(reservation("reserved"))))
            .collect();
        let refused = Effect::refuse(409, "배트맨 has 10 reservations already");
        assert_eq!(looked(&effects[..1], &rows), [refused]);
        rows[3] = row(3, &json!(reservation("cancelled")));
        assert_eq!(looked(&effects[..1], &rows), []);
    }

    #[test]
    fn a_guest_can_cancel_and_do_nothing_else_to_the_status() {
        let [taken, reserved, asked, gone] =
            ["reqReserve", "reserved", "reqCancel", "cancelled"].map(reservation);
        let told = [Happened::ReservationCancelRequested(asked.told(7)).told()];
        assert_eq!(on_update(7, &taken, &asked), told);
        assert_eq!(on_update(7, &reserved, &asked), told);
        assert_eq!(on_update(7, &asked, &asked), []);
        for (was, is) in [(&taken, &reserved), (&gone, &asked), (&reserved, &gone)] {
            assert!(matches!(on_update(7, was, is)[..], [Effect::Refuse(_)]));
        }
    }

    #[test]
    fn a_reservation_is_confirmed_once_and_never_after_it_was_cancelled() {
        let effects = on_event(&Happened::RoomReserved(SUBJECT));
        let seen = |status: &str| looked(&effects, &[row(7, &json!(reservation(status)))]);
        let confirmed = Happened::ReservationConfirmed(reservation("reserved").told(7)).told();
        let change = Effect::change("reservations", "id", 7, json!({"status": "reserved"}));
        assert_eq!(seen("reqReserve"), [change, confirmed]);
        for status in ["reserved", "reqCancel", "cancelled"] {
            assert_eq!(seen(status), []);
        }
        assert_eq!(looked(&effects, &[]), []);
    }
}
