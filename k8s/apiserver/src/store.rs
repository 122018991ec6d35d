//! store — every object of the cluster, versioned: one lock, one counter, one log of changes.

use serde_json::{Value, json};
use std::{
    collections::{BTreeMap, VecDeque},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};
use tokio::sync::watch;

/// Where the counter starts. A watcher that comes with a smaller version learnt it from another server and must list again.
const FIRST_VERSION: u64 = 1000;

/// Changes remembered for watchers. Slower ones are told to list again (410), as by a real server after compaction.
const LOG_MAX: usize = 50_000;

/// Names one object: plural of its kind, namespace (empty for cluster-wide kinds), name.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Key {
    pub resource: &'static str,
    pub namespace: String,
    pub name: String,
}

impl Key {
    pub fn new(resource: &'static str, namespace: &str, name: &str) -> Key {
        Key {
            resource,
            namespace: namespace.into(),
            name: name.into(),
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Change {
    Added,
    Modified,
    Deleted,
}

/// One change, with the object before and after it. Of a deleted object `object` is the last state.
#[derive(Debug)]
pub struct Event {
    pub version: u64,
    pub change: Change,
    pub key: Key,
    pub object: Arc<Value>,
    pub before: Option<Arc<Value>>,
}

/// What a writer decided about an object.
#[derive(Debug)]
pub enum Next {
    /// Store this.
    Put(Value),
    /// Remove the object; this is its last state.
    Remove(Value),
    /// Change nothing, answer with this (a dry run, or a request that asks for what is already so).
    Show(Value),
}

/// The log no longer reaches back to the version asked for.
#[derive(Debug, PartialEq)]
pub struct Forgotten;

/// All objects, as a writer sees them while it decides.
#[derive(Default)]
pub struct Objects(BTreeMap<Key, Arc<Value>>);

impl Objects {
    pub fn get(&self, key: &Key) -> Option<&Arc<Value>> {
        self.0.get(key)
    }

    /// Objects of one resource, of one namespace or of all, by namespace and name.
    pub fn list(
        &self,
        resource: &'static str,
        namespace: Option<&str>,
    ) -> impl Iterator<Item = &Arc<Value>> {
        let first = Key::new(resource, namespace.unwrap_or(""), "");
        self.0
            .range(first..)
            .take_while(move |(key, _)| {
                key.resource == resource && namespace.is_none_or(|n| key.namespace == n)
            })
            .map(|(_, object)| object)
    }
}

struct State {
    version: u64,
    objects: Objects,
    log: VecDeque<Arc<Event>>,
    /// The newest version that has left the log.
    forgotten: u64,
}

/// The store. Cloning shares it.
#[derive(Clone)]
pub struct Store {
    state: Arc<Mutex<State>>,
    newest: Arc<watch::Sender<u64>>,
    log_max: usize,
}

impl Store {
    pub fn new() -> Store {
        Store::remembering(LOG_MAX)
    }

    fn remembering(log_max: usize) -> Store {
        let state = State {
            version: FIRST_VERSION,
            objects: Objects::default(),
            log: VecDeque::new(),
            forgotten: FIRST_VERSION,
        };
        Store {
            state: Arc::new(Mutex::new(state)),
            newest: Arc::new(watch::channel(FIRST_VERSION).0),
            log_max,
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        // Deciding comes before changing, so a decision that panicked has left the state whole.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub fn get(&self, key: &Key) -> Option<Arc<Value>> {
        self.lock().objects.get(key).cloned()
    }

    /// The objects and the version at which they were so.
    pub fn list(&self, resource: &'static str, namespace: Option<&str>) -> (u64, Vec<Arc<Value>>) {
        let state = self.lock();
        (
            state.version,
            state.objects.list(resource, namespace).cloned().collect(),
        )
    }

    /// Looks at all objects as they are at one moment.
    pub fn read<T>(&self, look: impl FnOnce(&Objects) -> T) -> T {
        look(&self.lock().objects)
    }

    /// The only writer. `decide` sees the object and all others, and says what comes next. What it answers is returned with the object
    /// as it is afterwards. Putting an object equal to the current one changes no version and wakes nobody.
    pub fn update<T, E>(
        &self,
        key: &Key,
        decide: impl FnOnce(Option<&Value>, &Objects) -> Result<(Next, T), E>,
    ) -> Result<(Arc<Value>, T), E> {
        let mut state = self.lock();
        let before = state.objects.get(key).cloned();
        let (next, answer) = decide(before.as_deref(), &state.objects)?;
        let (change, object) = match (next, &before) {
            (Next::Show(object), _) => return Ok((Arc::new(object), answer)),
            (Next::Remove(last), None) => return Ok((Arc::new(last), answer)),
            (Next::Remove(last), Some(_)) => (Change::Deleted, last),
            (Next::Put(object), Some(before)) if object == **before => {
                return Ok((before.clone(), answer));
            }
            (Next::Put(object), Some(_)) => (Change::Modified, object),
            (Next::Put(object), None) => (Change::Added, object),
        };
        let object = state.commit(key, change, object, before, self.log_max);
        let version = state.version;
        drop(state);
        self.newest.send_replace(version);
        Ok((object, answer))
    }

    /// The newest version and the changes after `version`.
    pub fn since(&self, version: u64) -> Result<(u64, Vec<Arc<Event>>), Forgotten> {
        let state = self.lock();
        if version < state.forgotten {
            return Err(Forgotten);
        }
        let at = state.log.partition_point(|event| event.version <= version);
        Ok((state.version, state.log.range(at..).cloned().collect()))
    }

    /// Wakes whenever the version has grown.
    pub fn newest(&self) -> watch::Receiver<u64> {
        self.newest.subscribe()
    }
}

impl State {
    fn commit(
        &mut self,
        key: &Key,
        change: Change,
        mut object: Value,
        before: Option<Arc<Value>>,
        log_max: usize,
    ) -> Arc<Value> {
        self.version += 1;
        object["metadata"]["resourceVersion"] = json!(self.version.to_string());
        let object = Arc::new(object);
        match change {
            Change::Deleted => self.objects.0.remove(key),
            _ => self.objects.0.insert(key.clone(), object.clone()),
        };
        self.log.push_back(Arc::new(Event {
            version: self.version,
            change,
            key: key.clone(),
            object: object.clone(),
            before,
        }));
        while self.log.len() > log_max {
            if let Some(event) = self.log.pop_front() {
                self.forgotten = event.version;
            }
        }
        object
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::convert::Infallible;

    fn pod(name: &str) -> Key {
        Key::new("pods", "default", name)
    }

    fn put(store: &Store, key: &Key, object: Value) -> Arc<Value> {
        let decide = |_: Option<&Value>, _: &Objects| Ok::<_, Infallible>((Next::Put(object), ()));
        store.update(key, decide).unwrap().0
    }

    #[test]
    fn a_write_that_changes_nothing_leaves_no_trace() {
        let store = Store::new();
        let first = put(&store, &pod("a"), json!({"spec": 1}));
        let again = put(&store, &pod("a"), (*first).clone());
        assert_eq!(again["metadata"]["resourceVersion"], "1001");
        assert_eq!(store.since(1000).unwrap().1.len(), 1);
    }

    #[test]
    fn changes_come_once_and_in_order() {
        let store = Store::new();
        put(&store, &pod("a"), json!({"spec": 1}));
        put(&store, &pod("a"), json!({"spec": 2}));
        let remove = |now: Option<&Value>, _: &Objects| {
            Ok::<_, Infallible>((Next::Remove(now.unwrap().clone()), ()))
        };
        store.update(&pod("a"), remove).unwrap();
        let (newest, events) = store.since(1001).unwrap();
        assert_eq!(newest, 1003);
        let seen: Vec<_> = events.iter().map(|e| (e.version, e.change)).collect();
        assert_eq!(seen, [(1002, Change::Modified), (1003, Change::Deleted)]);
        assert!(store.get(&pod("a")).is_none());
    }

    #[test]
    fn what_left_the_log_is_forgotten() {
        let store = Store::remembering(2);
        for n in 0..3 {
            put(&store, &pod("a"), json!({"spec": n}));
        }
        assert_eq!(store.since(1000).unwrap_err(), Forgotten);
        assert_eq!(store.since(1001).unwrap().1.len(), 2);
        assert_eq!(Store::new().since(7).unwrap_err(), Forgotten);
    }

    #[test]
    fn a_list_keeps_to_its_namespace() {
        let store = Store::new();
        for namespace in ["a", "b"] {
            put(
                &store,
                &Key::new("pods", namespace, "x"),
                json!({"in": namespace}),
            );
        }
        put(&store, &Key::new("services", "a", "x"), json!({}));
        assert_eq!(store.list("pods", None).1.len(), 2);
        assert_eq!(store.list("pods", Some("b")).1[0]["in"], "b");
    }
}
