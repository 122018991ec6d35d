//! alarm — lets people know. One alarm for each event that concerns somebody.

use crate::events::Happened;
use kernel::{Collection, Effect, Service};
use serde::{Deserialize, Serialize};

/// Who was told what: `(host)Superman`, `AuthApproved`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Alarm {
    receiver: String,
    message: String,
}

/// The service.
pub fn service() -> Service {
    Service::new("alarm")
        .collection(Collection::<Alarm>::new("alarms", "alarm"))
        .on_event(on_event)
}

fn on_event(event: &Happened) -> Vec<Effect> {
    match event {
        Happened::AuthApproved(approval) => alarm("host", &approval.host, "AuthApproved"),
        Happened::PayApproved(payment) => alarm("guest", &payment.guest, "PayApproved"),
        Happened::PayCanceled(payment) => alarm("guest", &payment.guest, "PayCanceled"),
        _ => vec![],
    }
}

fn alarm(role: &str, name: &str, message: &str) -> Vec<Effect> {
    vec![Effect::save(
        "alarms",
        &Alarm {
            receiver: format!("({role}){name}"),
            message: message.to_owned(),
        },
    )]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::events::{Approval, Payment};

    #[test]
    fn the_host_is_told_of_the_approval() {
        let event = Happened::AuthApproved(Approval {
            host: "Superman".into(),
            ..Approval::default()
        });
        let told = Alarm {
            receiver: "(host)Superman".into(),
            message: "AuthApproved".into(),
        };
        assert_eq!(on_event(&event), [Effect::save("alarms", &told)]);
    }

    #[test]
    fn the_guest_is_told_of_the_payment() {
        let event = Happened::PayCanceled(Payment {
            guest: "배트맨".into(),
            ..Payment::default()
        });
        let told = Alarm {
            receiver: "(guest)배트맨".into(),
            message: "PayCanceled".into(),
        };
        assert_eq!(on_event(&event), [Effect::save("alarms", &told)]);
        assert_eq!(on_event(&Happened::SomethingElse), []);
    }
}
