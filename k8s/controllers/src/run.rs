//! run — repeats one controller's step for every object that changed, and again later, ever more slowly, after a failure.

use std::{
    collections::BTreeMap,
    fmt::Debug,
    future::{Future, ready},
    hash::Hash,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use futures::StreamExt;
use kube::{
    Resource, ResourceExt,
    runtime::{Controller, controller::Action},
};
use serde::de::DeserializeOwned;

/// The first wait after a failed step; doubled after each further failure of the same object.
const RETRY_FIRST: Duration = Duration::from_millis(50);
/// No failing object waits longer than this, so that it recovers soon after its cause is gone.
const RETRY_MAX: Duration = Duration::from_secs(30);

/// What a step answers: when to look again although nothing changed, if ever.
pub(crate) type Step = Result<Option<Duration>, kube::Error>;

/// Runs a controller for ever. `step` is never run twice at once for the same object.
pub(crate) async fn run<K, F, Fut>(name: &'static str, controller: Controller<K>, step: F)
where
    K: Resource<DynamicType = ()> + Clone + Debug + DeserializeOwned + Send + Sync + 'static,
    K::DynamicType: Eq + Hash + Clone + Debug + Unpin,
    F: Fn(Arc<K>) -> Fut + Send + 'static,
    Fut: Future<Output = Step> + Send + 'static,
{
    let reconcile = move |object: Arc<K>, retries: Arc<Retries>| {
        let (key, step) = (key(&*object), step(object));
        async move {
            let again = step.await?;
            retries.forget(&key);
            Ok(again.map_or_else(Action::await_change, Action::requeue))
        }
    };
    let on_error = move |object: Arc<K>, error: &kube::Error, retries: Arc<Retries>| {
        let wait = retries.after_failure(key(&*object));
        tracing::debug!(controller = name, object = object.name_any(), %error, ?wait, "will try again");
        Action::requeue(wait)
    };
    controller
        .run(reconcile, on_error, Arc::default())
        .for_each(|_| ready(()))
        .await
}

type Key = (String, String);

fn key(object: &impl ResourceExt) -> Key {
    (object.namespace().unwrap_or_default(), object.name_any())
}

/// How often each object failed in a row.
#[derive(Default)]
struct Retries(Mutex<BTreeMap<Key, u32>>);

impl Retries {
    fn forget(&self, key: &Key) {
        self.0
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .remove(key);
    }

    fn after_failure(&self, key: Key) -> Duration {
        let mut failures = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let count = failures.entry(key).or_default();
        *count += 1;
        retry_wait(*count)
    }
}

fn retry_wait(failures: u32) -> Duration {
    RETRY_FIRST
        .saturating_mul(2_u32.saturating_pow(failures - 1))
        .min(RETRY_MAX)
}

/// Whether the server refused because the object changed since it was read: no failure, only a reason to look again.
pub(crate) fn is_conflict(error: &kube::Error) -> bool {
    matches!(error, kube::Error::Api(status) if status.code == 409 && status.reason != "AlreadyExists")
}

/// Whether the object to change is already gone.
pub(crate) fn is_gone(error: &kube::Error) -> bool {
    matches!(error, kube::Error::Api(status) if status.code == 404)
}

/// An answer in which "already gone" counts as done.
pub(crate) fn unless_gone<T>(answer: Result<T, kube::Error>) -> Result<(), kube::Error> {
    match answer {
        Err(error) if !is_gone(&error) => Err(error),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_object_that_keeps_failing_waits_twice_as_long_each_time_up_to_half_a_minute() {
        let waits: Vec<u128> = [1, 2, 3, 10, 11, 500]
            .map(|n| retry_wait(n).as_millis())
            .into();
        assert_eq!(waits, [50, 100, 200, 25_600, 30_000, 30_000]);
    }

    #[test]
    fn a_success_makes_the_next_failure_the_first_again() {
        let (retries, key) = (Retries::default(), ("ns".to_owned(), "web".to_owned()));
        retries.after_failure(key.clone());
        retries.after_failure(key.clone());
        retries.forget(&key);
        assert_eq!(retries.after_failure(key), RETRY_FIRST);
    }
}
