//! watch — every change of a kind, in order, for as long as anyone listens.

use std::fmt::Debug;
use std::future::ready;

use futures::StreamExt;
use futures::stream::BoxStream;
use kube::runtime::WatchStreamExt;
use kube::runtime::watcher::{self, Event, watcher};
use kube::{Api, Client, Resource};
use serde::de::DeserializeOwned;

/// All objects of a kind in all namespaces. A broken watch is resumed, ever more slowly; that is all one can do about its errors.
pub(crate) fn watch_all<K>(client: &Client) -> BoxStream<'static, Event<K>>
where
    K: Resource<DynamicType = ()> + Clone + Debug + DeserializeOwned + Send + 'static,
{
    let events =
        watcher(Api::<K>::all(client.clone()), watcher::Config::default()).default_backoff();
    events.filter_map(|event| ready(event.ok())).boxed()
}
