//! Watching one kind of object.
use futures::{Stream, StreamExt};
use kube::{
    Api, Resource, ResourceExt,
    runtime::{WatchStreamExt, watcher},
};
use serde::de::DeserializeOwned;
use std::{collections::BTreeMap, fmt::Debug};

/// An object as a watch tells it.
pub(crate) struct Told<K> {
    pub object: K,
    pub gone: bool,
}

/// Changes of a kind for ever; after a broken watch the list is read again, and what went meanwhile is told as gone.
pub(crate) fn told<K>(api: Api<K>) -> impl Stream<Item = Told<K>> + Send
where
    K: Resource<DynamicType = ()> + Clone + Debug + DeserializeOwned + Send + 'static,
{
    let mut known: BTreeMap<String, K> = BTreeMap::new();
    let mut listing: Option<BTreeMap<String, K>> = None;
    watcher(api, watcher::Config::default())
        .default_backoff()
        .flat_map(move |event| {
            let mut out = vec![];
            let uid = |o: &K| o.uid().unwrap_or_default();
            match event {
                Ok(watcher::Event::Init) => listing = Some(BTreeMap::new()),
                Ok(watcher::Event::InitApply(object)) => {
                    if let Some(listing) = &mut listing {
                        listing.insert(uid(&object), object.clone());
                    }
                    out.push(Told {
                        object,
                        gone: false,
                    });
                }
                Ok(watcher::Event::InitDone) => {
                    let now = listing.take().unwrap_or_default();
                    let before = std::mem::replace(&mut known, now);
                    let gone = before
                        .into_iter()
                        .filter(|(uid, _)| !known.contains_key(uid));
                    out.extend(gone.map(|(_, object)| Told { object, gone: true }));
                }
                Ok(watcher::Event::Apply(object)) => {
                    known.insert(uid(&object), object.clone());
                    out.push(Told {
                        object,
                        gone: false,
                    });
                }
                Ok(watcher::Event::Delete(object)) => {
                    known.remove(&uid(&object));
                    out.push(Told { object, gone: true });
                }
                Err(error) => tracing::debug!(%error, "a watch broke and is begun again"),
            }
            futures::stream::iter(out)
        })
}
