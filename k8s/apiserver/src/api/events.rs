//! events — Events are news: they are kept for an hour, as by a real server.

use super::{Api, delete::key_of};
use crate::{
    clock::stamp,
    kinds,
    store::{Next, Objects},
};
use k8s_openapi::jiff::SignedDuration;
use serde_json::Value;

/// How long an Event is kept.
const KEPT: SignedDuration = SignedDuration::from_hours(1);

impl Api {
    /// Removes what is no longer news. Called whenever there is something new, so that no timer is needed.
    pub fn forget_old_events(&self) {
        let Ok(oldest) = self.clock.now().checked_sub(KEPT) else {
            return;
        };
        let oldest = stamp(oldest);
        // Stamps in one format and one time zone sort as texts.
        let is_old = |event: &Value| {
            event["metadata"]["creationTimestamp"]
                .as_str()
                .is_some_and(|made| made < oldest.as_str())
        };
        let events = kinds::known("events");
        for event in self
            .store
            .list(events.plural, None)
            .1
            .iter()
            .filter(|event| is_old(event))
        {
            let remove = |current: Option<&Value>, _: &Objects| {
                Ok((Next::Remove(current.ok_or(())?.clone()), ()))
            };
            // Somebody else may have removed it in between.
            let _: Result<_, ()> = self.store.update(&key_of(events, event), remove);
        }
    }
}
