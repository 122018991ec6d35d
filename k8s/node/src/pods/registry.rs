//! registry — where the node finds a container by name: for logs, exec and usage.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use apiserver::LogFile;
use k8s_openapi::jiff::Timestamp;
use tokio::sync::watch;

use crate::runtime::{Container, Usage};

type PodName = (String, String);

/// All containers of the node. Copies share it.
#[derive(Clone, Default)]
pub(crate) struct Registry(Arc<Mutex<BTreeMap<PodName, Entry>>>);

#[derive(Default)]
struct Entry {
    uid: String,
    /// In the order of the manifest, regular ones before init containers.
    containers: Vec<Slot>,
}

struct Slot {
    name: String,
    /// Since when, and what.
    live: Option<(Timestamp, Arc<dyn Container>)>,
    logs: Vec<(PathBuf, watch::Receiver<bool>)>,
}

impl Registry {
    /// A pod and the names of its containers.
    pub fn add(
        &self,
        namespace: &str,
        pod: &str,
        uid: &str,
        containers: impl Iterator<Item = String>,
    ) {
        let containers = containers
            .map(|name| Slot {
                name,
                live: None,
                logs: vec![],
            })
            .collect();
        self.lock().insert(
            (namespace.into(), pod.into()),
            Entry {
                uid: uid.into(),
                containers,
            },
        );
    }

    /// The pod is gone, unless its name already belongs to another one.
    pub fn remove(&self, namespace: &str, pod: &str, uid: &str) {
        let key = (namespace.to_owned(), pod.to_owned());
        let mut pods = self.lock();
        if pods.get(&key).is_some_and(|entry| entry.uid == uid) {
            pods.remove(&key);
        }
    }

    /// A container is about to start, with this log.
    pub fn log(
        &self,
        pod: (&str, &str, &str),
        container: &str,
        path: PathBuf,
        ended: watch::Receiver<bool>,
    ) {
        self.change(pod, container, |slot| slot.logs.push((path, ended)));
    }

    /// A container runs, or no longer does.
    pub fn live(
        &self,
        pod: (&str, &str, &str),
        container: &str,
        live: Option<(Timestamp, Arc<dyn Container>)>,
    ) {
        self.change(pod, container, |slot| slot.live = live);
    }

    fn change(
        &self,
        (namespace, pod, uid): (&str, &str, &str),
        container: &str,
        f: impl FnOnce(&mut Slot),
    ) {
        let mut pods = self.lock();
        let entry = pods
            .get_mut(&(namespace.to_owned(), pod.to_owned()))
            .filter(|entry| entry.uid == uid);
        if let Some(slot) = entry.and_then(|entry| {
            entry
                .containers
                .iter_mut()
                .find(|slot| slot.name == container)
        }) {
            f(slot);
        }
    }

    /// The newest log of a container, or the one before it.
    pub fn log_file(
        &self,
        namespace: &str,
        pod: &str,
        container: Option<&str>,
        previous: bool,
    ) -> Result<LogFile, String> {
        self.with_slot(namespace, pod, container, |slot| {
            let newest = slot.logs.len().checked_sub(if previous { 2 } else { 1 });
            let (path, ended) = newest
                .and_then(|at| slot.logs.get(at))
                .cloned()
                .ok_or_else(|| match previous {
                    true => format!(
                        "previous terminated container {:?} in pod {pod:?} not found",
                        slot.name
                    ),
                    false => format!(
                        "container {:?} in pod {pod:?} is waiting to start: ContainerCreating",
                        slot.name
                    ),
                })?;
            Ok(LogFile { path, ended })
        })?
    }

    /// A running container.
    pub fn running(
        &self,
        namespace: &str,
        pod: &str,
        container: Option<&str>,
    ) -> Result<Arc<dyn Container>, String> {
        self.with_slot(namespace, pod, container, |slot| {
            let live = slot.live.as_ref();
            live.map(|(_, container)| container.clone())
                .ok_or_else(|| format!("container not found ({:?})", slot.name))
        })?
    }

    /// What every running container has used, and since when: namespace, pod, container.
    pub fn looks(&self) -> Vec<((String, String, String), Timestamp, Usage)> {
        let live: Vec<_> = self
            .lock()
            .iter()
            .flat_map(|((namespace, pod), entry)| {
                let running = entry
                    .containers
                    .iter()
                    .filter_map(|slot| Some((slot.name.clone(), slot.live.clone()?)));
                running
                    .map(|(name, live)| ((namespace.clone(), pod.clone(), name), live))
                    .collect::<Vec<_>>()
            })
            .collect();
        live.into_iter()
            .map(|(name, (since, live))| (name, since, live.usage()))
            .collect()
    }

    /// Every container that runs.
    pub fn all_live(&self) -> Vec<Arc<dyn Container>> {
        self.lock()
            .values()
            .flat_map(|entry| entry.containers.iter())
            .filter_map(|slot| Some(slot.live.as_ref()?.1.clone()))
            .collect()
    }

    fn with_slot<T>(
        &self,
        namespace: &str,
        pod: &str,
        container: Option<&str>,
        f: impl FnOnce(&Slot) -> T,
    ) -> Result<T, String> {
        let pods = self.lock();
        let entry = pods.get(&(namespace.to_owned(), pod.to_owned()));
        let entry = entry.ok_or_else(|| format!("pod {pod:?} is not running on this node"))?;
        let slot = match container {
            Some(name) => entry.containers.iter().find(|slot| slot.name == name),
            None => entry.containers.first(),
        };
        let slot = slot.ok_or_else(|| {
            format!(
                "container {} is not valid for pod {pod}",
                container.unwrap_or_default()
            )
        })?;
        Ok(f(slot))
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<PodName, Entry>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
