//! room — registers accommodations. A room that auth did not approve was never registered.

use kernel::{Call, Collection, Effect, Service};
use serde::{Deserialize, Serialize};

/// An accommodation.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Room {
    name: String,
    price: i64,
    address: String,
    host: String,
}

/// What auth is asked.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Question<'a> {
    room_id: i64,
    name: &'a str,
    host: &'a str,
}

/// The service.
pub fn service() -> Service {
    let rooms = Collection::new("rooms", "room").on_create(on_create);
    Service::new("room").calls("auth").collection::<Room>(rooms)
}

fn on_create(id: i64, room: &Room) -> Vec<Effect> {
    vec![
        Call::post(
            "auth",
            "/auths",
            &Question {
                room_id: id,
                name: &room.name,
                host: &room.host,
            },
        )
        .into(),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn auth_is_asked_for_the_room_and_its_host() {
        let room = Room {
            name: "호텔".into(),
            host: "Superman".into(),
            ..Room::default()
        };
        let question = Call {
            callee: "auth",
            path: "/auths".into(),
            body: json!({"roomId": 7, "name": "호텔", "host": "Superman"}),
        };
        assert_eq!(on_create(7, &room), [Effect::Call(question)]);
    }
}
