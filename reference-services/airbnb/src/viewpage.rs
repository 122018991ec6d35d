//! viewpage — what everybody sees of the rooms: a view made of events, one row a room, with the reservation that has it.

use crate::events::{Happened, Offer, Subject};
use kernel::{Collection, Effect, Row, Service};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

/// A room as it is seen.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Roomview {
    room_id: i64,
    desc: String,
    room_status: String,
    review_cnt: i64,
    rsv_id: i64,
    rsv_status: String,
    pay_id: i64,
    pay_status: String,
}

/// What is known of a reservation, whether it is seen with its room or not.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct Known {
    rsv_id: i64,
    rsv_status: String,
    pay_id: i64,
    pay_status: String,
}

/// The service.
pub fn service() -> Service {
    Service::new("viewpage")
        .collection(
            Collection::<Roomview>::new("roomviews", "roomview")
                .index("rsvId")
                .index("roomId"),
        )
        .collection(
            Collection::<Known>::new("knowns", "known")
                .internal()
                .index("rsvId"),
        )
        .on_event(on_event)
}

fn on_event(event: &Happened) -> Vec<Effect> {
    match event {
        Happened::RoomRegistered(offer) | Happened::RoomModified(offer) => {
            vec![room(offer.room_id, said_of(offer))]
        }
        Happened::RoomDeleted(offer) => vec![room(offer.room_id, json!({"roomStatus": "deleted"}))],
        Happened::PaymentApproved(payment) => {
            let set = json!({"payId": payment.pay_id, "payStatus": payment.status});
            [
                comes(payment.subject(), &set),
                learned(payment.rsv_id, &set),
            ]
            .concat()
        }
        Happened::ReservationCreated(it) => {
            let set = json!({"rsvStatus": it.status});
            [comes(it.subject(), &set), learned(it.rsv_id, &set)].concat()
        }
        Happened::ReservationConfirmed(it)
        | Happened::ReservationCancelRequested(it)
        | Happened::ReservationCancelled(it) => {
            learned(it.rsv_id, &json!({"rsvStatus": it.status}))
        }
        Happened::PaymentCancelled(payment) => {
            learned(payment.rsv_id, &json!({"payStatus": payment.status}))
        }
        Happened::ReservationFailed(subject) => {
            learned(subject.rsv_id, &json!({"rsvStatus": "cancelled"}))
        }
        Happened::RoomReserved(subject) => vec![seen(*subject, json!({"roomStatus": "reserved"}))],
        Happened::RoomCancelled(subject) => {
            let set = json!({"roomStatus": "available"});
            vec![Effect::change("roomviews", "rsvId", subject.rsv_id, set)]
        }
        Happened::RoomReserveFailed(_) | Happened::SomethingElse => vec![],
    }
}

fn said_of(offer: &Offer) -> Value {
    json!({"desc": offer.desc, "roomStatus": offer.status, "reviewCnt": offer.review_cnt})
}

fn room(room_id: i64, set: Value) -> Effect {
    Effect::upsert("roomviews", "roomId", room_id, set)
}

/// Of a reservation; and it is seen with the room, if the reservation is.
fn learned(rsv_id: i64, set: &Value) -> Vec<Effect> {
    vec![
        Effect::upsert("knowns", "rsvId", rsv_id, set.clone()),
        Effect::change("roomviews", "rsvId", rsv_id, set.clone()),
    ]
}

/// A reservation on its way is seen with its room unless another has that.
fn comes(subject: Subject, set: &Value) -> Vec<Effect> {
    let set = set.clone();
    vec![Effect::look(
        "roomviews",
        "roomId",
        subject.room_id,
        move |rows| {
            let is_reserved = |row: &Row| row.typed::<Roomview>().room_status == "reserved";
            if rows.iter().any(is_reserved) {
                vec![]
            } else {
                vec![seen(subject, set.clone())]
            }
        },
    )]
}

/// The reservation is seen with its room, with everything that is known of it, and this.
fn seen(subject: Subject, set: Value) -> Effect {
    let Subject { rsv_id, room_id } = subject;
    Effect::look("knowns", "rsvId", rsv_id, move |rows| {
        let known = Known {
            rsv_id,
            ..rows.first().map(Row::typed).unwrap_or_default()
        };
        vec![room(room_id, json!(known)), room(room_id, set.clone())]
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::events::Payment;
    use crate::rows::{looked, row};

    const SUBJECT: Subject = Subject {
        rsv_id: 7,
        room_id: 1,
    };

    fn comes_paid(room_status: &str) -> Vec<Effect> {
        let effects = on_event(&Happened::PaymentApproved(Payment {
            pay_id: 3,
            rsv_id: 7,
            room_id: 1,
            status: "paid".into(),
        }));
        assert_eq!(
            effects[1..],
            learned(7, &json!({"payId": 3, "payStatus": "paid"}))
        );
        let view = json!({"roomId": 1, "roomStatus": room_status, "rsvId": 6});
        looked(&effects[..1], &[row(1, &view)])
    }

    #[test]
    fn a_reservation_on_its_way_is_seen_with_a_room_that_nobody_has() {
        let known = row(
            1,
            &json!({"rsvId": 7, "rsvStatus": "reqReserve", "payId": 0, "payStatus": ""}),
        );
        let effects = looked(&comes_paid("available"), std::slice::from_ref(&known));
        let paid = json!({"payId": 3, "payStatus": "paid"});
        assert_eq!(effects, [room(1, known.fields.into()), room(1, paid)]);
        assert_eq!(comes_paid("reserved"), []);
    }

    #[test]
    fn who_has_the_room_is_seen_with_it_whoever_was_before() {
        let effects = on_event(&Happened::RoomReserved(SUBJECT));
        let known = row(
            1,
            &json!({"rsvId": 7, "rsvStatus": "reqReserve", "payId": 3, "payStatus": "paid"}),
        );
        let reserved = room(1, json!({"roomStatus": "reserved"}));
        let expected = [room(1, known.fields.clone().into()), reserved];
        assert_eq!(looked(&effects, &[known]), expected);
    }
}
