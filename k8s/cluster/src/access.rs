//! Whether this client may do something, and telling the cluster what was done.
use crate::{Cluster, Error, objects::doing};
use k8s_openapi::{
    api::{
        authorization::v1::{
            ResourceAttributes, SelfSubjectAccessReview, SelfSubjectAccessReviewSpec,
        },
        core::v1::{Event, ObjectReference},
    },
    apimachinery::pkg::apis::meta::v1::{MicroTime, ObjectMeta, Time},
};
use kube::{Api, api::PostParams};
use std::collections::BTreeMap;

/// Something one may be allowed to do in a namespace.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Right {
    /// `get`, `list`, `delete`, …
    pub verb: &'static str,
    /// The API group; empty for the core.
    pub group: &'static str,
    /// `pods`
    pub resource: &'static str,
    /// `exec`, `scale`; empty for the object itself.
    pub subresource: &'static str,
}

impl Right {
    /// As people write it: `delete pods`, `create pods/exec`.
    pub fn write(&self) -> String {
        match self.subresource {
            "" => format!("{} {}", self.verb, self.resource),
            sub => format!("{} {}/{sub}", self.verb, self.resource),
        }
    }
}

/// Something that happened to an object, for `kubectl get events`.
#[derive(Debug, Clone, PartialEq)]
pub struct Told {
    /// `Pod` or `Deployment`.
    pub kind: String,
    /// Its name.
    pub name: String,
    /// Its uid, where it is known.
    pub uid: String,
    /// Whether it is `Warning` or `Normal`.
    pub warning: bool,
    /// One word: `ChaosMade`.
    pub reason: String,
    /// A sentence.
    pub message: String,
    /// For those who read events by program.
    pub annotations: BTreeMap<String, String>,
}

/// Who tells, in `reportingComponent`.
pub const REPORTER: &str = "brownout-chaos";

/// The annotation of an event that holds a [`model::Strike`].
pub const STRIKE_ANNOTATION: &str = "brownout.dev/strike";

impl Cluster {
    /// Asks the API server, by a SelfSubjectAccessReview, whether this client may do so in a namespace.
    ///
    /// # Errors
    /// When the API server does not answer that question.
    pub async fn may(&self, namespace: &str, right: Right) -> Result<bool, Error> {
        let text = |s: &str| (!s.is_empty()).then(|| s.to_owned());
        let review = SelfSubjectAccessReview {
            spec: SelfSubjectAccessReviewSpec {
                resource_attributes: Some(ResourceAttributes {
                    namespace: Some(namespace.into()),
                    verb: text(right.verb),
                    group: text(right.group),
                    resource: text(right.resource),
                    subresource: text(right.subresource),
                    ..ResourceAttributes::default()
                }),
                ..SelfSubjectAccessReviewSpec::default()
            },
            ..SelfSubjectAccessReview::default()
        };
        let answer = Api::<SelfSubjectAccessReview>::all(self.client.clone())
            .create(&PostParams::default(), &review)
            .await
            .map_err(doing(format!("asking whether one may {}", right.write())))?;
        Ok(answer.status.is_some_and(|status| status.allowed))
    }

    /// Writes an event.
    ///
    /// # Errors
    /// When the API server refuses.
    pub async fn tell(&self, namespace: &str, told: &Told) -> Result<(), Error> {
        let now = jiff::Timestamp::now();
        let event = Event {
            metadata: ObjectMeta {
                generate_name: Some(format!("{}.", told.name)),
                annotations: Some(told.annotations.clone()),
                ..ObjectMeta::default()
            },
            involved_object: ObjectReference {
                api_version: Some(match told.kind.as_str() {
                    "Deployment" => "apps/v1".into(),
                    _ => "v1".into(),
                }),
                kind: Some(told.kind.clone()),
                name: Some(told.name.clone()),
                namespace: Some(namespace.into()),
                uid: (!told.uid.is_empty()).then(|| told.uid.clone()),
                ..ObjectReference::default()
            },
            type_: Some(if told.warning { "Warning" } else { "Normal" }.into()),
            reason: Some(told.reason.clone()),
            message: Some(told.message.clone()),
            action: Some("Chaos".into()),
            event_time: Some(MicroTime(now)),
            first_timestamp: Some(Time(now)),
            last_timestamp: Some(Time(now)),
            count: Some(1),
            reporting_component: Some(REPORTER.into()),
            reporting_instance: Some(REPORTER.into()),
            ..Event::default()
        };
        Api::<Event>::namespaced(self.client.clone(), namespace)
            .create(&PostParams::default(), &event)
            .await
            .map_err(doing("writing an event"))?;
        Ok(())
    }
}
