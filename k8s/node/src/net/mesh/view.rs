//! view — rules and pods, as the API has them.

use std::collections::BTreeMap;
use std::fmt::Debug;
use std::net::IpAddr;
use std::sync::Arc;

use futures::StreamExt;
use k8s_openapi::api::core::v1::{Namespace, Pod};
use kube::runtime::watcher::Event;
use kube::{Client, Resource};
use mesh::inject;
use mesh::names::{ServiceName, precedence};
use mesh::profile::{ANNOTATION, Profile};
use mesh::rules::{DestinationRule, VirtualService};
use tokio::sync::watch;

use crate::watch::watch_all;

/// A pod as the mesh knows it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::net) struct MeshPod {
    /// Namespace, name, uid.
    pub id: [String; 3],
    pub labels: BTreeMap<String, String>,
    pub has_side_car: bool,
}

impl MeshPod {
    pub fn namespace(&self) -> &str {
        &self.id[0]
    }
}

/// All of it at one moment.
#[derive(Debug, Default)]
pub(in crate::net) struct View {
    rules: Vec<DestinationRule>,
    services: Vec<VirtualService>,
    pods: BTreeMap<IpAddr, Arc<MeshPod>>,
    profiles: BTreeMap<String, Profile>,
}

impl View {
    /// Whether there is a mesh at all.
    pub fn is_mesh(&self) -> bool {
        self.pods.values().any(|pod| pod.has_side_car)
    }

    /// Whether a pod of this namespace has a side-car.
    pub fn reaches(&self, namespace: &str) -> bool {
        let mut pods = self.pods.values();
        pods.any(|pod| pod.has_side_car && pod.namespace() == namespace)
    }

    /// The pod at an address, if it has a side-car.
    pub fn side_car(&self, address: IpAddr) -> Option<&Arc<MeshPod>> {
        self.pods.get(&address).filter(|pod| pod.has_side_car)
    }

    /// Whether the pod at an address has all of these labels.
    pub fn has_labels(&self, address: IpAddr, labels: &BTreeMap<String, String>) -> bool {
        self.pods.get(&address).is_some_and(|pod| {
            let mut wanted = labels.iter();
            wanted.all(|(name, value)| pod.labels.get(name) == Some(value))
        })
    }

    pub fn has_pod(&self, id: &[String; 3]) -> bool {
        self.pods.values().any(|pod| pod.id == *id)
    }

    /// The rule for a Service in the eyes of a client's namespace.
    pub fn rule(&self, client: &str, service: &ServiceName) -> Option<&DestinationRule> {
        best(&self.rules, client, service, |rule| {
            let hosts = std::slice::from_ref(&rule.spec.host);
            (hosts, &rule.spec.export_to)
        })
    }

    /// The routes to a Service in the eyes of a client's namespace.
    pub fn routes(&self, client: &str, service: &ServiceName) -> Option<&VirtualService> {
        best(&self.services, client, service, |service| {
            (&service.spec.hosts, &service.spec.export_to)
        })
    }

    /// The release that is played: the rule's word comes before the namespace's.
    pub fn profile(&self, rule: Option<&DestinationRule>, namespace: &str) -> Profile {
        let own = rule.and_then(|rule| annotated(&rule.metadata.annotations));
        own.or_else(|| self.profiles.get(namespace).copied())
            .unwrap_or_default()
    }
}

// The API refuses a release that there is not.
fn annotated(annotations: &Option<BTreeMap<String, String>>) -> Option<Profile> {
    annotations.as_ref()?.get(ANNOTATION)?.parse().ok()
}

/// Of the rules that mean this Service, the one whose word counts most; among equals the oldest, as in Istio.
fn best<'a, R: Resource>(
    rules: &'a [R],
    client: &str,
    service: &ServiceName,
    parts: impl Fn(&R) -> (&[String], &[String]),
) -> Option<&'a R> {
    let rank = |rule: &&R| {
        let namespace = rule.meta().namespace.as_deref().unwrap_or_default();
        let (hosts, export_to) = parts(rule);
        let is_meant = hosts
            .iter()
            .any(|host| service.is_meant_by(host, namespace));
        is_meant
            .then(|| precedence(namespace, export_to, client, &service.namespace))
            .flatten()
            .map(|rank| (rank, rule.meta().creation_timestamp.clone()))
    };
    let ranked = rules.iter().filter_map(|rule| Some((rank(&rule)?, rule)));
    ranked
        .min_by(|(a, _), (b, _)| a.cmp(b))
        .map(|(_, rule)| rule)
}

/// A kind as a watch tells of it.
struct Followed<K> {
    objects: BTreeMap<(String, String), K>,
    listed: BTreeMap<(String, String), K>,
}

impl<K: Resource<DynamicType = ()> + Clone + Debug> Followed<K> {
    fn new() -> Followed<K> {
        Followed {
            objects: BTreeMap::new(),
            listed: BTreeMap::new(),
        }
    }

    /// False: nothing is different yet.
    fn see(&mut self, event: Event<K>) -> bool {
        let id = |object: &K| {
            let meta = object.meta();
            (
                meta.namespace.clone().unwrap_or_default(),
                meta.name.clone().unwrap_or_default(),
            )
        };
        match event {
            Event::Apply(object) => drop(self.objects.insert(id(&object), object)),
            Event::Delete(object) => drop(self.objects.remove(&id(&object))),
            Event::Init => self.listed.clear(),
            Event::InitApply(object) => drop(self.listed.insert(id(&object), object)),
            Event::InitDone => {
                self.objects = std::mem::take(&mut self.listed);
                return true;
            }
        }
        self.listed.is_empty()
    }
}

/// Keeps the view, for ever.
pub(super) async fn follow(client: Client, view: watch::Sender<Arc<View>>) {
    let mut rule_events = watch_all::<DestinationRule>(&client);
    let mut service_events = watch_all::<VirtualService>(&client);
    let mut pod_events = watch_all::<Pod>(&client);
    let mut namespace_events = watch_all::<Namespace>(&client);
    let (mut rules, mut services) = (Followed::new(), Followed::new());
    let (mut pods, mut namespaces) = (Followed::new(), Followed::new());
    loop {
        let is_new = tokio::select! {
            Some(event) = rule_events.next() => rules.see(event),
            Some(event) = service_events.next() => services.see(event),
            Some(event) = pod_events.next() => pods.see(event),
            Some(event) = namespace_events.next() => namespaces.see(event),
            else => return,
        };
        if is_new {
            view.send_replace(Arc::new(View {
                rules: rules.objects.values().cloned().collect(),
                services: services.objects.values().cloned().collect(),
                pods: pods.objects.values().filter_map(known).collect(),
                profiles: namespaces.objects.values().filter_map(profiled).collect(),
            }));
        }
    }
}

fn known(pod: &Pod) -> Option<(IpAddr, Arc<MeshPod>)> {
    let address = pod.status.as_ref()?.pod_ip.as_ref()?.parse().ok()?;
    let meta = &pod.metadata;
    let text = |text: &Option<String>| text.clone().unwrap_or_default();
    let known = MeshPod {
        id: [text(&meta.namespace), text(&meta.name), text(&meta.uid)],
        labels: meta.labels.clone().unwrap_or_default(),
        has_side_car: inject::is_done(meta.annotations.as_ref()),
    };
    // The address of a pod that is over belongs to nobody, or to another.
    let phase = pod.status.as_ref()?.phase.as_deref();
    (!matches!(phase, Some("Succeeded" | "Failed"))).then_some((address, Arc::new(known)))
}

fn profiled(namespace: &Namespace) -> Option<(String, Profile)> {
    let profile = annotated(&namespace.metadata.annotations)?;
    Some((namespace.metadata.name.clone()?, profile))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{from_value, json};

    fn view(rules: serde_json::Value) -> View {
        View {
            rules: from_value(rules).unwrap(),
            profiles: [("shop".to_owned(), "1.4".parse().unwrap())].into(),
            ..View::default()
        }
    }

    #[test]
    fn the_rule_nearest_to_the_client_counts_and_the_oldest_of_equals() {
        let rule = |namespace: &str, name: &str, age: &str| json!({"metadata": {"namespace": namespace, "name": name, "creationTimestamp": age}, "spec": {"host": "order.shop"}});
        let (old, new) = ("2026-01-01T00:00:00Z", "2026-01-02T00:00:00Z");
        let view = view(json!([
            rule("shop", "b", new),
            rule("shop", "a", old),
            rule("client", "c", new)
        ]));
        let order = ServiceName::new("shop", "order");
        let name = |client| {
            let rule = view.rule(client, &order);
            rule.and_then(|rule| rule.metadata.name.as_deref())
        };
        assert_eq!(name("client"), Some("c"));
        assert_eq!(name("shop"), Some("a"));
        assert_eq!(view.rule("shop", &ServiceName::new("shop", "pay")), None);
    }

    #[test]
    fn a_rule_may_name_its_own_release() {
        let view = view(json!([{"metadata": {"namespace": "shop", "name": "order",
            "annotations": {"brownout.dev/istio-profile": "1.7"}}, "spec": {"host": "order"}}]));
        let order = view.rule("shop", &ServiceName::new("shop", "order"));
        assert_eq!(view.profile(order, "shop"), "1.7".parse().unwrap());
        assert_eq!(view.profile(None, "shop"), "1.4".parse().unwrap());
        assert_eq!(view.profile(None, "other"), Profile::default());
    }

    #[test]
    fn only_running_pods_with_the_mark_have_a_side_car() {
        let pod = |phase: &str, annotations: serde_json::Value| -> Option<bool> {
            let pod: Pod = from_value(
                json!({"metadata": {"name": "a", "annotations": annotations},
                "status": {"podIP": "127.1.0.1", "phase": phase}}),
            )
            .unwrap();
            known(&pod).map(|(_, pod)| pod.has_side_car)
        };
        let marked = json!({"sidecar.istio.io/status": "{}"});
        assert_eq!(pod("Running", marked.clone()), Some(true));
        assert_eq!(pod("Running", json!({})), Some(false));
        assert_eq!(pod("Succeeded", marked), None);
    }
}
