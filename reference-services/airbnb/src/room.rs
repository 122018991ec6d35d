//! room — registers rooms, says whether one is free, and gives it to one reservation at a time.
//!
//! Whoever asks for a free room gets it held in the same transaction, so that two who ask at once are never both told yes. The hold
//! becomes a reservation when the payment is known; it ends after `ROOM_HOLD_TIME` (60 s) if nobody hears of it again.

use crate::events::{Happened, Offer, Subject};
use kernel::{Asked, Collection, Effect, Env, Method, Refusal, Row, Service};
use serde::{Deserialize, Serialize};
use serde_json::json;
use std::time::Duration;

/// Longer than reservation can wait for room and payment together, 20 s, and for the broker after that.
const HOLD_TIME: Duration = Duration::from_secs(60);

/// A room. In this order and with these values a new one takes the 254 bytes of the report.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Room {
    status: String,
    desc: String,
    review_cnt: i64,
    last_action: String,
}

/// Who has a room, or had it last.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct Hold {
    room_id: i64,
    rsv_id: i64,
    is_held: bool,
    /// Unix time in seconds.
    since: i64,
}

/// The service.
pub fn service(env: &Env) -> Service {
    let hold_time = env.or("ROOM_HOLD_TIME", HOLD_TIME).as_secs() as i64;
    let rooms = Collection::new("rooms", "room")
        .completing(registered)
        .on_create(|id, room: &Room| vec![Happened::RoomRegistered(room.offer(id)).told()])
        .on_update(on_update)
        .on_delete(on_delete);
    Service::new("room")
        .collection::<Room>(rooms)
        .collection(
            Collection::<Hold>::new("holds", "hold")
                .internal()
                .index("roomId"),
        )
        .operation(Method::GET, "/check/chkAndReqReserve", move |asked| {
            check(asked, hold_time).unwrap_or_else(|refusal| vec![refusal.into()])
        })
        .on_event(on_event)
}

fn registered(room: Room) -> Room {
    Room {
        status: "available".to_owned(),
        review_cnt: 0,
        last_action: "register".to_owned(),
        ..room
    }
}

/// True, and the room is held, if it is free. `rsvId` says for whom; without it nobody can reserve it until the hold has ended.
fn check(asked: &Asked, hold_time: i64) -> Result<Vec<Effect>, Refusal> {
    let room_id = asked.number("roomId")?;
    let hold = Hold {
        room_id,
        rsv_id: asked.number("rsvId").unwrap_or(0),
        is_held: true,
        since: asked.at.as_second(),
    };
    let found = Effect::look("rooms", "id", room_id, move |rooms| {
        let is_available = rooms
            .iter()
            .any(|room| room.typed::<Room>().status == "available");
        let hold = hold.clone();
        if is_available {
            vec![Effect::look("holds", "roomId", room_id, move |holds| {
                granted(&hold, holds, hold_time)
            })]
        } else {
            vec![Effect::reply(&false)]
        }
    });
    Ok(vec![found])
}

fn granted(wanted: &Hold, holds: &[Row], hold_time: i64) -> Vec<Effect> {
    let has_it = |holder: Hold| {
        let is_over = holder.since + hold_time <= wanted.since;
        let is_the_same = holder.rsv_id == wanted.rsv_id && wanted.rsv_id != 0;
        holder.is_held && !is_over && !is_the_same
    };
    if holds.iter().any(|row| has_it(row.typed())) {
        return vec![Effect::reply(&false)];
    }
    vec![
        Effect::upsert("holds", "roomId", wanted.room_id, json!(wanted)),
        Effect::change(
            "rooms",
            "id",
            wanted.room_id,
            json!({"lastAction": "reqReserve"}),
        ),
        Effect::reply(&true),
    ]
}

/// Its status follows its reservations, nothing else.
fn on_update(id: i64, was: &Room, is: &Room) -> Vec<Effect> {
    if is.status == was.status {
        vec![Happened::RoomModified(is.offer(id)).told()]
    } else {
        vec![Effect::refuse(
            409,
            "a room's status follows its reservations",
        )]
    }
}

fn on_delete(id: i64, room: &Room) -> Vec<Effect> {
    let deleted = Happened::RoomDeleted(room.offer(id)).told();
    vec![Effect::look("holds", "roomId", id, move |holds| {
        if holds.iter().any(|row| row.typed::<Hold>().is_held) {
            vec![Effect::refuse(409, "somebody has reserved this room")]
        } else {
            vec![deleted.clone()]
        }
    })]
}

fn on_event(event: &Happened) -> Vec<Effect> {
    match event {
        Happened::PaymentApproved(payment) => reserved(payment.subject()),
        // Told again, because reservation may have heard of the first time before it had stored what it was about.
        Happened::ReservationCreated(reservation) => reserved(reservation.subject()),
        Happened::PaymentCancelled(payment) => released(payment.subject()),
        Happened::ReservationFailed(subject) => released(*subject),
        _ => vec![],
    }
}

/// The room is the reservation's if it is held for it; otherwise the reservation has come too late.
fn reserved(subject: Subject) -> Vec<Effect> {
    vec![Effect::look(
        "holds",
        "roomId",
        subject.room_id,
        move |holds| {
            if is_held_for(subject, holds) {
                let set = json!({"status": "reserved", "lastAction": "reserve"});
                vec![
                    Effect::change("rooms", "id", subject.room_id, set),
                    Happened::RoomReserved(subject).told(),
                ]
            } else {
                vec![Happened::RoomReserveFailed(subject).told()]
            }
        },
    )]
}

/// The room is free again, unless it is another's.
fn released(subject: Subject) -> Vec<Effect> {
    vec![Effect::look(
        "holds",
        "roomId",
        subject.room_id,
        move |holds| {
            let room_id = subject.room_id;
            let mut effects = vec![Happened::RoomCancelled(subject).told()];
            if is_held_for(subject, holds) {
                let set = json!({"status": "available", "lastAction": "cancel"});
                effects.push(Effect::change("rooms", "id", room_id, set));
                let set = json!({"isHeld": false});
                effects.push(Effect::change("holds", "roomId", room_id, set));
            }
            effects
        },
    )]
}

fn is_held_for(subject: Subject, holds: &[Row]) -> bool {
    let mut holds = holds.iter().map(Row::typed::<Hold>);
    holds.any(|hold| hold.is_held && hold.rsv_id == subject.rsv_id)
}

impl Room {
    fn offer(&self, room_id: i64) -> Offer {
        Offer {
            room_id,
            desc: self.desc.clone(),
            status: self.status.clone(),
            review_cnt: self.review_cnt,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rows::{looked, row};

    fn hold(rsv_id: i64, is_held: bool, since: i64) -> Hold {
        Hold {
            room_id: 1,
            rsv_id,
            is_held,
            since,
        }
    }

    fn is_granted(wanted: &Hold, holder: &Hold) -> bool {
        let effects = granted(wanted, &[row(1, &json!(holder))], 60);
        effects.last() == Some(&Effect::reply(&true))
    }

    #[test]
    fn a_held_room_is_granted_to_no_other_until_the_hold_is_over() {
        assert!(!is_granted(&hold(8, true, 159), &hold(7, true, 100)));
        assert!(is_granted(&hold(8, true, 160), &hold(7, true, 100)));
        assert!(is_granted(&hold(8, true, 101), &hold(7, false, 100)));
    }

    #[test]
    fn who_asks_again_is_told_the_same() {
        assert!(is_granted(&hold(7, true, 101), &hold(7, true, 100)));
        assert!(!is_granted(&hold(0, true, 101), &hold(0, true, 100)));
    }

    #[test]
    fn a_room_is_reserved_and_released_only_for_whom_it_is_held() {
        let (mine, other) = (hold(7, true, 100), hold(8, true, 100));
        let subject = Subject {
            rsv_id: 7,
            room_id: 1,
        };
        let follows = |effects: Vec<Effect>, hold: &Hold| looked(&effects, &[row(1, &json!(hold))]);
        assert_eq!(
            follows(reserved(subject), &other),
            [Happened::RoomReserveFailed(subject).told()]
        );
        assert_eq!(
            follows(reserved(subject), &mine).last(),
            Some(&Happened::RoomReserved(subject).told())
        );
        assert_eq!(
            follows(released(subject), &other),
            [Happened::RoomCancelled(subject).told()]
        );
        assert_eq!(follows(released(subject), &mine).len(), 3);
    }
}
