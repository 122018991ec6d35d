//! auth — approves rooms. It says yes to everyone, and tells everyone that it did.

use crate::events::{Approval, Happened};
use kernel::{Collection, Effect, Service};
use serde::{Deserialize, Serialize};

/// A decision on a room.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Auth {
    room_id: i64,
    name: String,
    host: String,
    status: String,
}

/// The service.
pub fn service() -> Service {
    Service::new("auth").collection(
        Collection::new("auths", "auth")
            .completing(approve)
            .on_create(on_create),
    )
}

fn approve(auth: Auth) -> Auth {
    Auth {
        status: "approved".to_owned(),
        ..auth
    }
}

fn on_create(id: i64, auth: &Auth) -> Vec<Effect> {
    let Auth {
        room_id,
        name,
        host,
        status,
    } = auth.clone();
    vec![Effect::publish(
        room_id,
        &Happened::AuthApproved(Approval {
            id,
            room_id,
            name,
            host,
            status,
        }),
    )]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_room_is_approved_and_everyone_is_told() {
        let auth = approve(Auth {
            room_id: 7,
            name: "호텔".into(),
            host: "Superman".into(),
            status: String::new(),
        });
        let told = Approval {
            id: 3,
            room_id: 7,
            name: "호텔".into(),
            host: "Superman".into(),
            status: "approved".into(),
        };
        assert_eq!(
            on_create(3, &auth),
            [Effect::publish(7, &Happened::AuthApproved(told))]
        );
    }
}
