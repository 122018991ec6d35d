//! env — a container's environment, put together as the kubelet does: maps, then variables, then Services.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

use k8s_openapi::api::core::v1::{ConfigMap, Container, EnvVar, EnvVarSource, Pod, Secret};

/// What variables may refer to.
#[derive(Debug, Default)]
pub(crate) struct Sources {
    pub config_maps: BTreeMap<String, ConfigMap>,
    pub secrets: BTreeMap<String, Secret>,
}

/// Names of maps and secrets that a container's environment refers to.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Wanted {
    pub config_maps: BTreeSet<String>,
    pub secrets: BTreeSet<String>,
}

/// Which objects must be read before [`variables`].
pub(crate) fn wanted(container: &Container) -> Wanted {
    let mut wanted = Wanted::default();
    for from in container.env_from.iter().flatten() {
        wanted
            .config_maps
            .extend(from.config_map_ref.iter().map(|map| map.name.clone()));
        wanted
            .secrets
            .extend(from.secret_ref.iter().map(|secret| secret.name.clone()));
    }
    for source in container
        .env
        .iter()
        .flatten()
        .filter_map(|var| var.value_from.as_ref())
    {
        wanted
            .config_maps
            .extend(source.config_map_key_ref.iter().map(|key| key.name.clone()));
        wanted
            .secrets
            .extend(source.secret_key_ref.iter().map(|key| key.name.clone()));
    }
    wanted
}

/// The environment of a container, by name, or why it cannot be made.
pub(crate) fn variables(
    pod: &Pod,
    address: IpAddr,
    container: &Container,
    sources: &Sources,
    services: &BTreeMap<String, String>,
) -> Result<BTreeMap<String, String>, String> {
    let mut all = BTreeMap::new();
    for from in container.env_from.iter().flatten() {
        let prefix = from.prefix.as_deref().unwrap_or_default();
        if let Some(map) = &from.config_map_ref {
            let data = sources.config_maps.get(&map.name).map(texts_of_map);
            extend(&mut all, prefix, data, map.optional, || {
                format!("configmap {:?} not found", map.name)
            })?;
        }
        if let Some(secret) = &from.secret_ref {
            let data = sources.secrets.get(&secret.name).map(texts_of_secret);
            extend(&mut all, prefix, data, secret.optional, || {
                format!("secret {:?} not found", secret.name)
            })?;
        }
    }
    for var in container.env.iter().flatten() {
        if let Some(value) = value(pod, address, var, sources, &all, services)? {
            all.insert(var.name.clone(), value);
        }
    }
    for (name, value) in services {
        all.entry(name.clone()).or_insert_with(|| value.clone());
    }
    Ok(all)
}

fn extend(
    all: &mut BTreeMap<String, String>,
    prefix: &str,
    data: Option<BTreeMap<String, String>>,
    optional: Option<bool>,
    missing: impl FnOnce() -> String,
) -> Result<(), String> {
    match data {
        Some(data) => all.extend(
            data.into_iter()
                .map(|(key, value)| (format!("{prefix}{key}"), value)),
        ),
        None if optional == Some(true) => {}
        None => return Err(missing()),
    }
    Ok(())
}

fn texts_of_map(map: &ConfigMap) -> BTreeMap<String, String> {
    map.data.clone().unwrap_or_default()
}

fn texts_of_secret(secret: &Secret) -> BTreeMap<String, String> {
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    secret
        .data
        .iter()
        .flatten()
        .map(|(key, value)| (key.clone(), text(&value.0)))
        .collect()
}

fn value(
    pod: &Pod,
    address: IpAddr,
    var: &EnvVar,
    sources: &Sources,
    earlier: &BTreeMap<String, String>,
    services: &BTreeMap<String, String>,
) -> Result<Option<String>, String> {
    match &var.value_from {
        Some(source) => referred(pod, address, source, sources),
        None => Ok(Some(expand_with(
            var.value.as_deref().unwrap_or_default(),
            &|name| earlier.get(name).or_else(|| services.get(name)).cloned(),
        ))),
    }
}

fn referred(
    pod: &Pod,
    address: IpAddr,
    source: &EnvVarSource,
    sources: &Sources,
) -> Result<Option<String>, String> {
    let (value, optional, missing) = if let Some(key) = &source.config_map_key_ref {
        let map = sources.config_maps.get(&key.name).map(texts_of_map);
        (
            map.map(|map| map.get(&key.key).cloned()),
            key.optional,
            ("configmap", "ConfigMap", &key.name, &key.key),
        )
    } else if let Some(key) = &source.secret_key_ref {
        let secret = sources.secrets.get(&key.name).map(texts_of_secret);
        (
            secret.map(|secret| secret.get(&key.key).cloned()),
            key.optional,
            ("secret", "Secret", &key.name, &key.key),
        )
    } else if let Some(field) = &source.field_ref {
        return self::field(pod, address, &field.field_path).map(Some);
    } else {
        return Err("unsupported source of a variable".into());
    };
    let (kind, title, name, key) = missing;
    match value {
        Some(Some(value)) => Ok(Some(value)),
        _ if optional == Some(true) => Ok(None),
        None => Err(format!("{kind} {name:?} not found")),
        Some(None) => {
            let namespace = pod.metadata.namespace.as_deref().unwrap_or_default();
            Err(format!(
                "couldn't find key {key} in {title} {namespace}/{name}"
            ))
        }
    }
}

/// What the downward API says about a pod.
pub(crate) fn field(pod: &Pod, address: IpAddr, path: &str) -> Result<String, String> {
    let (meta, spec) = (&pod.metadata, pod.spec.as_ref());
    let entry = |map: &Option<BTreeMap<String, String>>, key: &str| {
        map.as_ref()
            .and_then(|map| map.get(key))
            .cloned()
            .unwrap_or_default()
    };
    let subscript = |name: &str| {
        path.strip_prefix(name)?
            .strip_prefix("['")?
            .strip_suffix("']")
    };
    if let Some(key) = subscript("metadata.labels") {
        return Ok(entry(&meta.labels, key));
    }
    if let Some(key) = subscript("metadata.annotations") {
        return Ok(entry(&meta.annotations, key));
    }
    let found = match path {
        "metadata.name" => meta.name.clone(),
        "metadata.namespace" => meta.namespace.clone(),
        "metadata.uid" => meta.uid.clone(),
        "spec.nodeName" => spec.and_then(|spec| spec.node_name.clone()),
        "spec.serviceAccountName" => spec.and_then(|spec| spec.service_account_name.clone()),
        "status.podIP" | "status.podIPs" => Some(address.to_string()),
        "status.hostIP" | "status.hostIPs" => Some(crate::HOST_ADDRESS.to_string()),
        _ => return Err(format!("unsupported fieldPath: {path}")),
    };
    Ok(found.unwrap_or_default())
}

/// The variables that a manifest gives literally, as probes know them.
pub(crate) fn literal(container: &Container) -> BTreeMap<String, String> {
    let vars = container
        .env
        .iter()
        .flatten()
        .filter(|var| var.value_from.is_none());
    vars.map(|var| (var.name.clone(), var.value.clone().unwrap_or_default()))
        .collect()
}

/// Replaces `$(NAME)` by the variable; an unknown one stays as it is, and `$$` means `$`.
pub(crate) fn expand(text: &str, variables: &BTreeMap<String, String>) -> String {
    expand_with(text, &|name| variables.get(name).cloned())
}

fn expand_with(text: &str, lookup: &dyn Fn(&str) -> Option<String>) -> String {
    let (mut out, mut rest) = (String::new(), text);
    while let Some(at) = rest.find('$') {
        out.push_str(&rest[..at]);
        rest = &rest[at + 1..];
        let name = rest
            .strip_prefix('(')
            .and_then(|inside| inside.split_once(')'));
        if let Some(after) = rest.strip_prefix('$') {
            out.push('$');
            rest = after;
        } else if let Some((name, after)) = name {
            out.push_str(&lookup(name).unwrap_or_else(|| format!("$({name})")));
            rest = after;
        } else {
            out.push('$');
        }
    }
    out + rest
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, from_value, json};

    fn sources() -> Sources {
        let map = |data: Value| from_value::<ConfigMap>(json!({"data": data})).unwrap();
        // The recorded secret of the gas station: an accident of encoding, kept to the byte.
        let secret = json!({"data": {"NAME": "LW4gJ1NLIEltbWUnIA0K"}});
        Sources {
            config_maps: [
                ("one".to_owned(), map(json!({"A": "one", "B": "one"}))),
                ("two".to_owned(), map(json!({"B": "two"}))),
            ]
            .into(),
            secrets: [("gas".to_owned(), from_value(secret).unwrap())].into(),
        }
    }

    fn environment(container: Value) -> Result<BTreeMap<String, String>, String> {
        let pod = json!({"metadata": {"name": "room-1", "namespace": "shop", "labels": {"app": "room"}},
            "spec": {"containers": [], "nodeName": "node-1"}});
        let services = [("PAY_SERVICE_HOST".to_owned(), "127.2.0.9".to_owned())].into();
        let (pod, container) = (from_value(pod).unwrap(), from_value(container).unwrap());
        variables(
            &pod,
            "127.1.0.5".parse().unwrap(),
            &container,
            &sources(),
            &services,
        )
    }

    #[test]
    fn vol_11_later_sources_win_and_variables_win_over_maps() {
        let all = environment(
            json!({"name": "c", "env": [{"name": "A", "value": "own"}], "envFrom": [
            {"configMapRef": {"name": "one"}}, {"configMapRef": {"name": "two"}, "prefix": ""},
            {"configMapRef": {"name": "two"}, "prefix": "P_"}]}),
        )
        .unwrap();
        let expected = [
            ("A", "own"),
            ("B", "two"),
            ("PAY_SERVICE_HOST", "127.2.0.9"),
            ("P_B", "two"),
        ];
        assert_eq!(
            all,
            expected
                .map(|(name, value)| (name.to_owned(), value.to_owned()))
                .into()
        );
    }

    #[test]
    fn vol_12_a_secret_arrives_to_the_byte() {
        let all = environment(json!({"name": "c", "env": [
            {"name": "N", "valueFrom": {"secretKeyRef": {"name": "gas", "key": "NAME"}}}]}));
        assert_eq!(all.unwrap()["N"], "-n 'SK Imme' \r\n");
    }

    #[test]
    fn vol_10_a_missing_key_is_an_error_unless_it_is_optional() {
        let key = |name: &str, optional: bool| {
            environment(json!({"name": "c", "env": [{"name": "X", "valueFrom":
                {"configMapKeyRef": {"name": name, "key": "nope", "optional": optional}}}]}))
        };
        assert_eq!(
            key("one", false).unwrap_err(),
            "couldn't find key nope in ConfigMap shop/one"
        );
        assert_eq!(
            key("gone", false).unwrap_err(),
            "configmap \"gone\" not found"
        );
        assert!(
            !key("one", true).unwrap().contains_key("X")
                && !key("gone", true).unwrap().contains_key("X")
        );
    }

    #[test]
    fn references_see_earlier_variables_and_services_and_stay_literal_otherwise() {
        let all = environment(json!({"name": "c", "env": [
            {"name": "X", "value": "$(Y) $(PAY_SERVICE_HOST) $$(A) $"}, {"name": "Y", "value": "y"},
            {"name": "Z", "value": "<$(Y)>"}]}))
        .unwrap();
        assert_eq!((&*all["X"], &*all["Z"]), ("$(Y) 127.2.0.9 $(A) $", "<y>"));
    }

    #[test]
    fn the_pod_tells_about_itself() {
        let from = |path: &str| json!({"name": path.replace(['.', '[', ']', '\''], ""), "valueFrom": {"fieldRef": {"fieldPath": path}}});
        let all = environment(
            json!({"name": "c", "env": [from("metadata.name"), from("metadata.namespace"),
            from("spec.nodeName"), from("status.podIP"), from("metadata.labels['app']")]}),
        )
        .unwrap();
        let values: Vec<&str> = [
            "metadataname",
            "metadatanamespace",
            "specnodeName",
            "statuspodIP",
            "metadatalabelsapp",
        ]
        .iter()
        .map(|name| &*all[*name])
        .collect();
        assert_eq!(values, ["room-1", "shop", "node-1", "127.1.0.5", "room"]);
    }
}
