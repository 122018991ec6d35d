//! tell — events that come again every period: one object that counts, as `kubectl describe` shows them (`x9 over 2m`).

use std::collections::BTreeMap;

use k8s_openapi::{
    api::{autoscaling::v2::HorizontalPodAutoscaler as Object, core::v1::Event},
    apimachinery::pkg::apis::meta::v1::Time,
};
use kube::{
    Api, ResourceExt,
    api::{Patch, PatchParams},
};
use serde_json::json;

use super::decide::Told;
use crate::events::Events;

/// Events remembered; more are forgotten together, and then counted anew.
const REMEMBERED_MAX: usize = 1000;

/// Writes the events of all autoscalers.
pub(super) struct Teller {
    events: Events,
    /// By uid, reason and message: the event's name and its count.
    told: BTreeMap<(String, String, String), (String, i32)>,
}

impl Teller {
    pub fn new(events: Events) -> Teller {
        Teller {
            events,
            told: BTreeMap::new(),
        }
    }

    pub async fn warn(&mut self, about: &Object, reason: &str, message: String) {
        let told = Told {
            is_warning: true,
            reason: reason.into(),
            message,
        };
        self.tell(about, told).await;
    }

    pub async fn tell(&mut self, about: &Object, told: Told) {
        let uid = about.uid().unwrap_or_default();
        let key = (uid, told.reason.clone(), told.message.clone());
        if let Some((name, count)) = self.told.get_mut(&key) {
            *count += 1;
            let namespace = about.namespace().unwrap_or_default();
            let api: Api<Event> = Api::namespaced(self.events.client.clone(), &namespace);
            let patch = json!({"count": *count, "lastTimestamp": Time(self.events.clock.now())});
            let (params, patch) = (PatchParams::default(), Patch::Merge(patch));
            if api.patch(name, &params, &patch).await.is_ok() {
                return;
            }
        }
        let Told {
            is_warning,
            reason,
            message,
        } = told;
        let kind = if is_warning { "Warning" } else { "Normal" };
        let name = self.events.written(about, kind, &reason, message).await;
        if self.told.len() >= REMEMBERED_MAX {
            self.told.clear();
        }
        name.map(|name| self.told.insert(key, (name, 1)));
    }
}
