//! message — tells guests that their reservation is confirmed or cancelled, some time after. Nobody waits for it.

use crate::events::{Happened, Reservation};
use kernel::{Collection, Effect, Row, Service};
use serde::{Deserialize, Serialize};

/// What a guest was told.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Message {
    room_id: i64,
    rsv_id: i64,
    content: String,
}

/// The service.
pub fn service() -> Service {
    Service::new("message")
        .collection(Collection::<Message>::new("messages", "message").index("rsvId"))
        .on_event(on_event)
}

fn on_event(event: &Happened) -> Vec<Effect> {
    match event {
        Happened::ReservationConfirmed(reservation) => told_once(reservation, "confirmed"),
        Happened::ReservationCancelled(reservation) => told_once(reservation, "cancelled"),
        _ => vec![],
    }
}

/// One message of a kind for each reservation, however often it is said.
fn told_once(reservation: &Reservation, what: &str) -> Vec<Effect> {
    let message = Message {
        room_id: reservation.room_id,
        rsv_id: reservation.rsv_id,
        content: format!("Your reservation {} is {what}.", reservation.rsv_id),
    };
    let is_told =
        |rows: &[Row], message: &Message| rows.iter().any(|row| row.typed::<Message>() == *message);
    vec![Effect::look(
        "messages",
        "rsvId",
        message.rsv_id,
        move |rows| {
            if is_told(rows, &message) {
                vec![]
            } else {
                vec![Effect::save("messages", &message)]
            }
        },
    )]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rows::{looked, row};
    use serde_json::json;

    #[test]
    fn a_guest_is_told_once() {
        let reservation = Reservation {
            rsv_id: 7,
            room_id: 1,
            ..Reservation::default()
        };
        let message =
            json!({"roomId": 1, "rsvId": 7, "content": "Your reservation 7 is confirmed."});
        let effects = on_event(&Happened::ReservationConfirmed(reservation.clone()));
        assert_eq!(looked(&effects, &[]), [Effect::save("messages", &message)]);
        assert_eq!(looked(&effects, &[row(1, &message)]), []);
        let cancelled = on_event(&Happened::ReservationCancelled(reservation));
        assert_eq!(looked(&cancelled, &[row(1, &message)]).len(), 1);
    }
}
