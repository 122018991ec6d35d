//! events — what a controller did, written where `kubectl describe` and the timeline look for it.

use apiserver::Clock;
use k8s_openapi::{
    api::core::v1::{Event, EventSource},
    apimachinery::pkg::apis::meta::v1::{ObjectMeta, Time},
};
use kube::{Api, Client, Resource, api::PostParams};

/// Writes events in the name of one controller.
#[derive(Clone)]
pub(crate) struct Events {
    pub client: Client,
    pub clock: Clock,
    pub component: &'static str,
}

impl Events {
    pub async fn normal<K: Resource<DynamicType = ()>>(
        &self,
        about: &K,
        reason: &str,
        message: String,
    ) {
        self.written(about, "Normal", reason, message).await;
    }

    pub async fn warning<K: Resource<DynamicType = ()>>(
        &self,
        about: &K,
        reason: &str,
        message: String,
    ) {
        self.written(about, "Warning", reason, message).await;
    }

    /// The name of the event, if it was written. An event is a courtesy: a lost one must not hold up the work it tells of.
    pub async fn written<K: Resource<DynamicType = ()>>(
        &self,
        about: &K,
        kind: &str,
        reason: &str,
        message: String,
    ) -> Option<String> {
        let about = about.object_ref(&());
        let namespace = about.namespace.clone().unwrap_or_else(|| "default".into());
        let now = Time(self.clock.now());
        let event = Event {
            metadata: ObjectMeta {
                generate_name: about.name.as_ref().map(|name| format!("{name}.")),
                namespace: Some(namespace.clone()),
                ..ObjectMeta::default()
            },
            involved_object: about,
            type_: Some(kind.into()),
            reason: Some(reason.into()),
            message: Some(message),
            count: Some(1),
            first_timestamp: Some(now.clone()),
            last_timestamp: Some(now),
            reporting_component: Some(self.component.into()),
            source: Some(EventSource {
                component: Some(self.component.into()),
                host: None,
            }),
            ..Event::default()
        };
        let events: Api<Event> = Api::namespaced(self.client.clone(), &namespace);
        match events.create(&PostParams::default(), &event).await {
            Ok(written) => written.metadata.name,
            Err(error) => {
                tracing::debug!(reason, %error, "an event was not written");
                None
            }
        }
    }
}
