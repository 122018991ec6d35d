//! statistics — what the side-cars count for each destination, told once a second in the `status` of its DestinationRule, and as events
//! when a breaker opens, closes, or leaves a host out.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use kube::api::{Patch, PatchParams};
use kube::{Api, Client, Resource};
use mesh::rules::DestinationRule;
use serde_json::{Value, json};
use tokio::time::sleep;

use super::cluster::Cluster;
use super::view::View;
use super::{Mesh, lock};
use crate::events::Events;

/// Between two looks at the counters.
const LOOK_EVERY: Duration = Duration::from_secs(1);

/// What one side-car counted about one destination.
#[derive(Default)]
pub(super) struct Counters {
    requests: AtomicU64,
    rejected: AtomicU64,
    retried: AtomicU64,
    ejections: AtomicU64,
    out: Mutex<Vec<SocketAddr>>,
    /// `rejected` at the last look, and what the breaker was then.
    looked: Mutex<(u64, bool)>,
}

impl Counters {
    pub fn asked(&self) {
        self.requests.fetch_add(1, Ordering::Relaxed);
    }

    pub fn rejected(&self) {
        self.rejected.fetch_add(1, Ordering::Relaxed);
    }

    pub fn retried(&self) {
        self.retried.fetch_add(1, Ordering::Relaxed);
    }

    pub fn ejected(&self, host: SocketAddr) {
        self.ejections.fetch_add(1, Ordering::Relaxed);
        lock(&self.out).push(host);
    }

    pub fn returned(&self, host: SocketAddr) {
        lock(&self.out).retain(|other| *other != host);
    }

    /// Looks at what was refused since the last look: whether the breaker is open, and whether that is new.
    fn look(&self) -> (bool, bool) {
        let rejected = self.rejected.load(Ordering::Relaxed);
        let mut looked = lock(&self.looked);
        let (before, was_open) = *looked;
        let is_open = rejected > before;
        *looked = (rejected, is_open);
        (is_open, is_open != was_open)
    }

    fn row(&self, is_open: bool) -> Value {
        let number = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        let out: Vec<String> = lock(&self.out).iter().map(ToString::to_string).collect();
        json!({
            "state": if is_open { "open" } else { "closed" },
            "requests": number(&self.requests), "rejected": number(&self.rejected), "retried": number(&self.retried),
            "ejections": number(&self.ejections), "ejected": out,
        })
    }
}

/// Looks and tells, for ever.
pub(super) async fn tell(mesh: Arc<Mesh>, client: Client, events: Events) {
    let mut told = BTreeMap::new();
    let mut changes = mesh.changes();
    loop {
        tokio::select! {
            () = sleep(LOOK_EVERY) => {}
            _ = changes.changed() => {
                mesh.forget_pods();
                continue;
            }
        }
        let clusters: Vec<Arc<Cluster>> = lock(&mesh.clusters).values().cloned().collect();
        let view = mesh.view();
        let mut rows: BTreeMap<(String, String), Vec<Value>> = BTreeMap::new();
        for cluster in clusters {
            cluster.tick();
            if let Some((rule, row)) = looked_at(&cluster, &view, &events) {
                rows.entry(rule).or_default().push(row);
            }
        }
        told.retain(|rule, _| rows.contains_key(rule));
        for (rule, mut rows) in rows {
            rows.sort_by_key(|row| (row["client"].to_string(), row["side"].to_string()));
            if told.get(&rule) != Some(&rows) {
                write(&client, &rule, &rows).await;
                told.insert(rule, rows);
            }
        }
    }
}

/// The rule that a cluster belongs to, and what is told of it there.
fn looked_at(cluster: &Cluster, view: &View, events: &Events) -> Option<((String, String), Value)> {
    let [namespace, pod, _] = &cluster.id.pod;
    let target = &cluster.id.target;
    let rule = view.rule(namespace, &target.service)?;
    let side = if cluster.id.inbound.is_some() {
        "inbound"
    } else {
        "outbound"
    };
    let service = format!("{}:{}", target.service.name, target.port);
    let (is_open, is_new) = cluster.counters.look();
    if is_new {
        say(events, rule, pod, side, &service, is_open);
    }
    let mut row = json!({"client": pod, "side": side, "service": service});
    if let Some(subset) = &target.subset {
        row["subset"] = json!(subset);
    }
    if let (Value::Object(row), Value::Object(more)) = (&mut row, cluster.counters.row(is_open)) {
        row.extend(more);
    }
    let meta = rule.meta();
    let id = (meta.namespace.clone()?, meta.name.clone()?);
    Some((id, row))
}

fn say(
    events: &Events,
    rule: &DestinationRule,
    pod: &str,
    side: &str,
    service: &str,
    is_open: bool,
) {
    let about = rule.object_ref(&());
    let which = format!("{side} side of {pod}, {service}");
    if is_open {
        let what = format!("{which}: requests are refused");
        events.warning_about(about, "BreakerOpened", what);
    } else {
        let what = format!("{which}: no request is refused any more");
        events.normal_about(about, "BreakerClosed", what);
    }
}

// Statistics are a courtesy: a rule that is just being deleted takes none.
async fn write(client: &Client, (namespace, name): &(String, String), rows: &[Value]) {
    let api: Api<DestinationRule> = Api::namespaced(client.clone(), namespace);
    let patch = Patch::Merge(json!({"status": {"breakers": rows}}));
    if let Err(error) = api
        .patch_status(name, &PatchParams::default(), &patch)
        .await
    {
        tracing::debug!(%error, "the status of a DestinationRule was not written");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_breaker_is_open_while_requests_are_refused() {
        let counters = Counters::default();
        assert_eq!(counters.look(), (false, false));
        counters.rejected();
        assert_eq!(counters.look(), (true, true));
        counters.rejected();
        assert_eq!(counters.look(), (true, false));
        assert_eq!(counters.look(), (false, true));
    }

    #[test]
    fn everything_that_was_counted_is_told() {
        let counters = Counters::default();
        let host: SocketAddr = "127.1.0.1:8080".parse().unwrap();
        counters.asked();
        counters.asked();
        counters.rejected();
        counters.retried();
        counters.ejected(host);
        assert_eq!(
            counters.row(true),
            json!({"state": "open", "requests": 2, "rejected": 1, "retried": 1, "ejections": 1, "ejected": ["127.1.0.1:8080"]})
        );
        counters.returned(host);
        assert_eq!(counters.row(false)["ejected"], json!([]));
    }
}
