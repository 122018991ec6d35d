//! sources — what the API says, as files: maps, Secrets, the pod itself, tokens, and several of these in one volume.

use std::collections::BTreeMap;

use k8s_openapi::api::core::v1::{
    ConfigMap, DownwardAPIVolumeFile, KeyToPath, Pod, ProjectedVolumeSource, Secret, Service,
    Volume, VolumeProjection,
};
use kube::{Api, ResourceExt};

use super::files::{Files, MODE, Missing, bits, files};
use super::{KUBECONFIG, TOKEN_VOLUME, Volumes};
use crate::{env, links};

/// How a manifest asks for a map or a Secret.
struct Wanted<'a> {
    name: &'a str,
    items: Option<&'a [KeyToPath]>,
    mode: Option<i32>,
    optional: Option<bool>,
}

impl Volumes {
    /// Files of a volume that comes from the API; `None` for the others.
    pub(super) async fn content(&self, volume: &Volume) -> Result<Option<Files>, String> {
        if let Some(from) = &volume.config_map {
            let wanted = Wanted {
                name: &from.name,
                items: from.items.as_deref(),
                mode: from.default_mode,
                optional: from.optional,
            };
            return self.config_map(wanted).await.map(Some);
        }
        if let Some(from) = &volume.secret {
            let wanted = Wanted {
                name: from.secret_name.as_deref().unwrap_or_default(),
                items: from.items.as_deref(),
                mode: from.default_mode,
                optional: from.optional,
            };
            return self.secret(wanted).await.map(Some);
        }
        if let Some(from) = &volume.downward_api {
            let items = from.items.as_deref().unwrap_or_default();
            return self.downward(items, from.default_mode).map(Some);
        }
        match &volume.projected {
            Some(from) => self.projected(&volume.name, from).await.map(Some),
            None => Ok(None),
        }
    }

    async fn config_map(&self, wanted: Wanted<'_>) -> Result<Files, String> {
        let api: Api<ConfigMap> = Api::namespaced(self.client.clone(), &self.namespace());
        let found = api.get_opt(wanted.name).await;
        let found = found.map_err(|error| error.to_string())?;
        let bytes = found.map(|map| {
            let texts = map.data.unwrap_or_default().into_iter();
            let texts = texts.map(|(key, text)| (key, text.into_bytes()));
            let binary = map.binary_data.unwrap_or_default().into_iter();
            texts
                .chain(binary.map(|(key, bytes)| (key, bytes.0)))
                .collect()
        });
        let missing = Missing::ConfigMap(wanted.name);
        files(bytes, wanted.items, wanted.mode, wanted.optional, missing)
    }

    async fn secret(&self, wanted: Wanted<'_>) -> Result<Files, String> {
        let api: Api<Secret> = Api::namespaced(self.client.clone(), &self.namespace());
        let found = api.get_opt(wanted.name).await;
        let found = found.map_err(|error| error.to_string())?;
        let bytes = found.map(|secret| {
            let data = secret.data.unwrap_or_default().into_iter();
            data.map(|(key, bytes)| (key, bytes.0)).collect()
        });
        let missing = Missing::Secret(wanted.name);
        files(bytes, wanted.items, wanted.mode, wanted.optional, missing)
    }

    fn downward(
        &self,
        items: &[DownwardAPIVolumeFile],
        mode: Option<i32>,
    ) -> Result<Files, String> {
        let mut pod = self.pod.clone();
        let marks = self.marks.borrow().clone();
        (pod.metadata.labels, pod.metadata.annotations) =
            (Some(marks.labels), Some(marks.annotations));
        let default = bits(mode).unwrap_or(MODE);
        let mut all = Files::new();
        for item in items {
            let text = self.told(&pod, item)?;
            let mode = bits(item.mode).unwrap_or(default);
            all.insert(item.path.clone(), (text.into_bytes(), mode));
        }
        Ok(all)
    }

    fn told(&self, pod: &Pod, item: &DownwardAPIVolumeFile) -> Result<String, String> {
        let Some(field) = &item.field_ref else {
            return Err(format!(
                "{}: resourceFieldRef is not supported by the embedded cluster",
                item.path
            ));
        };
        match field.field_path.as_str() {
            "metadata.labels" => Ok(lines(pod.labels())),
            "metadata.annotations" => Ok(lines(pod.annotations())),
            path => env::field(pod, self.address, path),
        }
    }

    async fn projected(&self, name: &str, from: &ProjectedVolumeSource) -> Result<Files, String> {
        let mut all = Files::new();
        for source in from.sources.iter().flatten() {
            all.extend(self.part(name, source, from.default_mode).await?);
        }
        if name.starts_with(TOKEN_VOLUME) {
            all.extend(self.kubeconfig().await?);
        }
        Ok(all)
    }

    async fn part(
        &self,
        volume: &str,
        source: &VolumeProjection,
        mode: Option<i32>,
    ) -> Result<Files, String> {
        if let Some(from) = &source.config_map {
            let wanted = Wanted {
                name: &from.name,
                items: from.items.as_deref(),
                mode,
                optional: from.optional,
            };
            return self.config_map(wanted).await;
        }
        if let Some(from) = &source.secret {
            let wanted = Wanted {
                name: &from.name,
                items: from.items.as_deref(),
                mode,
                optional: from.optional,
            };
            return self.secret(wanted).await;
        }
        if let Some(from) = &source.downward_api {
            return self.downward(from.items.as_deref().unwrap_or_default(), mode);
        }
        let Some(from) = &source.service_account_token else {
            return Err("this kind of projection is not supported by the embedded cluster".into());
        };
        let token = self.token(volume, from).await?;
        let mode = bits(mode).unwrap_or(MODE);
        Ok([(from.path.clone(), (token.into_bytes(), mode))].into())
    }

    /// How to reach the API, for clients that look for a kubeconfig before they look into this volume: on this machine they would
    /// find the one of whoever started the cluster.
    async fn kubeconfig(&self) -> Result<Files, String> {
        let services: Api<Service> = Api::namespaced(self.client.clone(), "default");
        let service = services.get_opt(links::API).await;
        let service = service.map_err(|error| error.to_string())?;
        let Some(address) = service.as_ref().and_then(links::address) else {
            return Ok(Files::new());
        };
        let text = kubeconfig(&address, &self.namespace());
        Ok([(KUBECONFIG.to_owned(), (text.into_bytes(), MODE))].into())
    }
}

/// Paths in it are relative, so that it holds wherever the volume is mounted.
fn kubeconfig(address: &str, namespace: &str) -> String {
    format!(
        "apiVersion: v1\nkind: Config\ncurrent-context: in-cluster\n\
         clusters:\n- name: in-cluster\n  cluster:\n    server: https://{address}\n    certificate-authority: ca.crt\n\
         users:\n- name: pod\n  user:\n    tokenFile: token\n\
         contexts:\n- name: in-cluster\n  context:\n    cluster: in-cluster\n    user: pod\n    namespace: {namespace}\n"
    )
}

/// `key="value"` line by line, as the kubelet writes maps down.
fn lines(map: &BTreeMap<String, String>) -> String {
    let lines: Vec<String> = map
        .iter()
        .map(|(key, value)| format!("{key}={value:?}"))
        .collect();
    lines.join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn labels_are_written_one_a_line_and_quoted() {
        let map = |pairs: &[(&str, &str)]| {
            let pairs = pairs.iter();
            lines(
                &pairs
                    .map(|(k, v)| ((*k).to_owned(), (*v).to_owned()))
                    .collect(),
            )
        };
        assert_eq!(
            map(&[("zone", "a \"b\""), ("app", "room")]),
            "app=\"room\"\nzone=\"a \\\"b\\\"\""
        );
        assert_eq!(map(&[]), "");
    }

    #[test]
    fn a_kubeconfig_names_files_beside_it() {
        let text = kubeconfig("127.2.0.1:443", "shop");
        assert!(text.contains("server: https://127.2.0.1:443\n"));
        assert!(text.contains("tokenFile: token\n") && text.contains("namespace: shop\n"));
    }
}
