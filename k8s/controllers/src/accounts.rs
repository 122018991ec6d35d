//! accounts — what every namespace needs for its pods to speak to the API: the ServiceAccount `default`, and the certificate by
//! which they know the server.

use std::sync::Arc;

use k8s_openapi::api::core::v1::{ConfigMap, Namespace, ServiceAccount};
use kube::{
    Api, Client, ResourceExt,
    api::{ObjectMeta, PostParams},
    runtime::{Controller, reflector::ObjectRef, watcher},
};

use crate::run::{self, Step};

const ACCOUNT: &str = "default";
/// The certificate, in `kube-system` first and copied from there.
const ROOT_CA: &str = "kube-root-ca.crt";
const SOURCE: &str = "kube-system";

/// Runs the controller until it is dropped.
pub async fn run(client: Client) {
    let named = |name: &str| watcher::Config::default().fields(&format!("metadata.name={name}"));
    let namespace = |of: Option<String>| ObjectRef::<Namespace>::new(&of.unwrap_or_default());
    let namespaces: Api<Namespace> = Api::all(client.clone());
    let accounts: Api<ServiceAccount> = Api::all(client.clone());
    let maps: Api<ConfigMap> = Api::all(client.clone());
    let controller = Controller::new(namespaces, watcher::Config::default())
        .watches(accounts, named(ACCOUNT), move |account| {
            Some(namespace(account.namespace()))
        })
        .watches(maps, named(ROOT_CA), move |map| {
            Some(namespace(map.namespace()))
        });
    run::run("accounts", controller, move |namespace| {
        step(client.clone(), namespace)
    })
    .await;
}

// The account comes first: what waits for the certificate needs both.
async fn step(client: Client, namespace: Arc<Namespace>) -> Step {
    if namespace.metadata.deletion_timestamp.is_some() {
        return Ok(None);
    }
    let name = namespace.name_any();
    let accounts: Api<ServiceAccount> = Api::namespaced(client.clone(), &name);
    if accounts.get_opt(ACCOUNT).await?.is_none() {
        let account = ServiceAccount {
            metadata: named(ACCOUNT),
            ..ServiceAccount::default()
        };
        made(accounts.create(&PostParams::default(), &account).await)?;
    }
    let source: Api<ConfigMap> = Api::namespaced(client.clone(), SOURCE);
    let Some(root) = source.get_opt(ROOT_CA).await? else {
        return Ok(None);
    };
    let maps: Api<ConfigMap> = Api::namespaced(client, &name);
    match maps.get_opt(ROOT_CA).await? {
        None => {
            let copy = ConfigMap {
                metadata: named(ROOT_CA),
                data: root.data,
                ..ConfigMap::default()
            };
            made(maps.create(&PostParams::default(), &copy).await)?;
        }
        Some(mut copy) if copy.data != root.data => {
            copy.data = root.data;
            maps.replace(ROOT_CA, &PostParams::default(), &copy).await?;
        }
        Some(_) => {}
    }
    Ok(None)
}

fn named(name: &str) -> ObjectMeta {
    ObjectMeta {
        name: Some(name.into()),
        ..ObjectMeta::default()
    }
}

/// A namespace that is on its way out takes nothing new, and somebody else may have been faster.
fn made<T>(answer: Result<T, kube::Error>) -> Result<(), kube::Error> {
    match answer {
        Err(kube::Error::Api(status)) if matches!(status.code, 403 | 404 | 409) => Ok(()),
        other => other.map(drop),
    }
}
