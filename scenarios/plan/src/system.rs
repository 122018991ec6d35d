//! The system of a plan: the objects of its manifests, patched, and what can be found in them.
use crate::limits::{DEPTH_MAX, MANIFEST_MAX};
use crate::object::Object;
use crate::problem::{Log, Place, Problem, meant};
use crate::tree::Node;
use model::Manifest;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::io;

/// What makes pods, besides a Deployment.
const WORKLOADS: [&str; 4] = ["StatefulSet", "DaemonSet", "Job", "ReplicaSet"];

/// Reads a file; paths are relative to where the path of the scenario file begins.
pub type Read<'r> = dyn Fn(&str) -> io::Result<String> + 'r;

/// The objects that are applied, in the order of their files.
#[derive(Debug, Default)]
pub struct System {
    pub namespace: String,
    pub manifests: Vec<Manifest>,
    /// What rollouts apply, by the path of the field that names the file.
    pub rollouts: BTreeMap<String, Manifest>,
    /// Every manifest could be read; else nobody can say that something is missing.
    pub complete: bool,
}

impl System {
    /// Reads the manifests of a spec and of its rollouts, and applies the spec's patches to both.
    pub fn load(spec: &Object, steps: &[Object], read: &Read) -> System {
        let log = spec.log;
        let files = spec.texts("manifests").into_iter();
        let target = spec.object("target");
        let before = log.count();
        let mut system = System {
            namespace: target
                .and_then(|t| t.text("namespace"))
                .unwrap_or_default()
                .into(),
            manifests: files
                .filter_map(|(node, path)| manifest(node, path, read, log))
                .collect(),
            rollouts: BTreeMap::new(),
            complete: false,
        };
        system.complete = log.count() == before;
        let changes =
            ["fault", "apply"].map(|field| steps.iter().filter_map(move |s| s.object(field)));
        for change in changes.into_iter().flatten() {
            if let Some((node, path)) = change.word("manifest")
                && let Some(manifest) = manifest(node, path, read, log)
            {
                system.rollouts.insert(node.path.clone(), manifest);
            }
        }
        if !system.complete {
            return system;
        }
        for patch in spec.list("patches").iter().filter_map(Patch::read) {
            let all = system
                .manifests
                .iter_mut()
                .chain(system.rollouts.values_mut());
            patch.apply(all, log);
        }
        system
    }

    /// All objects, those of rollouts and of what is applied during the run included.
    fn objects(&self) -> impl Iterator<Item = &Value> {
        let files = self.manifests.iter().chain(self.rollouts.values());
        files.flat_map(|m| &m.objects)
    }

    /// The API version that the objects of a kind have in the manifests.
    pub fn api_version(&self, kind: &str) -> Option<&str> {
        let mut of_kind = self.objects().filter(|o| o["kind"] == kind);
        of_kind.find_map(|o| o["apiVersion"].as_str())
    }

    /// The API version of a kind that a CustomResourceDefinition among the manifests defines.
    pub fn defined(&self, kind: &str) -> Option<String> {
        let mut definitions = self
            .objects()
            .filter(|o| o["kind"] == "CustomResourceDefinition");
        let spec = definitions
            .find(|o| o["spec"]["names"]["kind"] == kind)?
            .get("spec")?;
        let versions = spec["versions"].as_array()?;
        let served = versions.iter().find(|v| v["served"] != false)?;
        Some(format!(
            "{}/{}",
            spec["group"].as_str()?,
            served["name"].as_str()?
        ))
    }

    /// Puts down that nothing of that name makes pods.
    pub fn must_have_workload(&self, name: &str, node: &Node, log: &Log) {
        let others = WORKLOADS.iter().flat_map(|kind| self.names(kind));
        if !others.into_iter().any(|other| other == name) {
            self.must_have("Deployment", name, node, log);
        }
    }

    /// The names of all objects of a kind.
    pub fn names(&self, kind: &str) -> Vec<&str> {
        let mut names: Vec<&str> = self
            .objects()
            .filter(|o| o["kind"] == kind)
            .filter_map(|o| o["metadata"]["name"].as_str())
            .collect();
        names.sort_unstable();
        names.dedup();
        names
    }

    pub fn object(&self, kind: &str, name: &str) -> Option<&Value> {
        self.manifests.iter().find_map(|m| find(m, kind, name))
    }

    /// Puts down that there is no object of that kind and name.
    pub fn must_have(&self, kind: &str, name: &str, node: &Node, log: &Log) {
        let names = self.names(kind);
        if names.contains(&name) || !self.complete {
            return;
        }
        let what = kind.to_lowercase();
        let way_out = match crate::problem::nearest(name, names.iter().copied()) {
            Some(near) => format!(
                "did you mean {near}? {} has {}",
                self.namespace,
                names.join(", ")
            ),
            None => format!("{} has {}", self.namespace, names.join(", ")),
        };
        log.bad(node, format!("no such {what}: \"{name}\""), way_out);
    }
}

/// The object of that kind and name in a manifest.
pub fn find<'m>(manifest: &'m Manifest, kind: &str, name: &str) -> Option<&'m Value> {
    let is = |o: &&Value| o["kind"] == kind && o["metadata"]["name"] == name;
    manifest.objects.iter().find(is)
}

/// The path of a file that a scenario names, seen from where the path of the scenario begins.
pub fn beside(scenario: &str, path: &str) -> String {
    if path.starts_with('/') {
        return path.into();
    }
    let folder = scenario.rsplit_once('/').map_or("", |(folder, _)| folder);
    let absolute = if scenario.starts_with('/') { "/" } else { "" };
    let mut parts: Vec<&str> = vec![];
    for part in folder.split('/').chain(path.split('/')) {
        match part {
            "" | "." => {}
            ".." if parts.last().is_some_and(|p| *p != "..") => {
                parts.pop();
            }
            _ => parts.push(part),
        }
    }
    format!("{absolute}{}", parts.join("/"))
}

/// Reads one manifest. What is wrong inside it is put down with its own file and line.
pub fn manifest(node: &Node, path: &str, read: &Read, log: &Log) -> Option<Manifest> {
    let file = beside(log.file(), path);
    let text = read(&file)
        .map_err(|e| {
            log.bad(
                node,
                format!("cannot read {file}: {e}"),
                "paths are relative to the scenario file",
            )
        })
        .ok()?;
    let parsed: Result<Vec<Value>, _> = serde_saphyr::from_multiple_with_options(&text, bounds());
    let objects = parsed.map_err(|e| log.add(not_yaml(&file, &e))).ok()?;
    let objects: Vec<Value> = objects.into_iter().filter(|o| !o.is_null()).collect();
    for (i, object) in objects.iter().enumerate() {
        let named = object["kind"].is_string() && object["metadata"]["name"].is_string();
        if !named {
            let message = format!("document {} has no kind or no metadata.name", i + 1);
            let problem = Problem::new(&file, Place::default(), "", message);
            log.add(problem.way_out("manifests hold Kubernetes objects only"));
        }
    }
    Some(Manifest { file, objects })
}

/// Too few for a bomb of aliases, and more than any manifest has.
fn bounds() -> serde_saphyr::Options {
    serde_saphyr::options! {
        budget: serde_saphyr::budget! {
            max_depth: DEPTH_MAX,
            max_nodes: 250_000,
            max_total_scalar_bytes: 2 * MANIFEST_MAX as usize,
        },
    }
}

fn not_yaml(file: &str, error: &serde_saphyr::Error) -> Problem {
    let at = error.location().map_or(Place::default(), |l| Place {
        line: usize::try_from(l.line()).unwrap_or(0),
        column: usize::try_from(l.column()).unwrap_or(0),
    });
    let what = error.without_snippet().to_string();
    let first = match what.lines().next().unwrap_or_default() {
        more if more.starts_with("budget breached") => {
            "more values, texts or aliases than a manifest may have"
        }
        first => first,
    };
    Problem::new(file, at, "", format!("this is not YAML: {first}")).way_out("mend the manifest")
}

/// A change to an object.
#[derive(Debug)]
pub struct Patch<'a> {
    node: &'a Node,
    kind: &'a str,
    name: &'a str,
    env: Vec<(&'a str, &'a str)>,
    merge: Option<Value>,
}

impl<'a> Patch<'a> {
    pub fn read(object: &Object<'a>) -> Option<Patch<'a>> {
        let merge = object.json("merge");
        if merge.is_none() && object.get("env").is_none() {
            object.needs("env", "a patch without merge");
        }
        Some(Patch {
            node: object.node,
            kind: object.text("kind")?,
            name: object.text("name")?,
            env: object.text_map("env"),
            merge,
        })
    }

    /// Whether it changes this object.
    pub fn is_for(&self, object: &Value) -> bool {
        object["kind"] == self.kind && object["metadata"]["name"] == self.name
    }

    /// Changes the object wherever it is found; a patch that finds nothing is a mistake.
    pub fn apply<'m>(&self, manifests: impl IntoIterator<Item = &'m mut Manifest>, log: &Log) {
        let mut seen = vec![];
        let mut hit = false;
        for object in manifests.into_iter().flat_map(|m| &mut m.objects) {
            let name = object["metadata"]["name"]
                .as_str()
                .unwrap_or_default()
                .to_string();
            if object["kind"] == self.kind && name == self.name {
                hit = true;
                self.change(object, log);
            }
            seen.push(format!(
                "{}/{name}",
                object["kind"].as_str().unwrap_or_default()
            ));
        }
        if !hit {
            let wanted = format!("{}/{}", self.kind, self.name);
            seen.sort_unstable();
            seen.dedup();
            let way_out = meant(&wanted, seen.iter().map(String::as_str));
            log.bad(
                self.node,
                format!("no such object in the manifests: {wanted}"),
                way_out,
            );
        }
    }

    fn change(&self, object: &mut Value, log: &Log) {
        if let Some(merge) = &self.merge {
            self::merge(object, merge);
        }
        if !self.env.is_empty() {
            self.set_env(object, log);
        }
        let data = object["data"].as_object();
        if self.kind == "ConfigMap" && data.is_some_and(|d| d.values().any(|v| !v.is_string())) {
            log.bad(
                self.node,
                "the data of a ConfigMap is text",
                "put the value into quotes",
            );
        }
    }

    fn set_env(&self, object: &mut Value, log: &Log) {
        let containers = object.pointer_mut("/spec/template/spec/containers");
        let Some(containers) = containers.and_then(Value::as_array_mut) else {
            let message = format!("a {} has no containers", self.kind);
            log.bad(self.node, message, "write merge, or name the Deployment");
            return;
        };
        for container in containers {
            for (name, value) in &self.env {
                set(&mut container["env"], name, value);
            }
        }
    }
}

/// RFC 7396, and lists of named things by name, as `kubectl patch` does: else one word in a container would take all of it.
fn merge(target: &mut Value, patch: &Value) {
    match patch {
        Value::Object(members) => {
            if !target.is_object() {
                *target = json!({});
            }
            for (name, value) in members {
                if value.is_null() {
                    target.as_object_mut().map(|t| t.shift_remove(name));
                } else {
                    merge(&mut target[name], value);
                }
            }
        }
        Value::Array(items)
            if are_named(items) && target.as_array().is_some_and(|t| are_named(t)) =>
        {
            for item in items {
                merge_named(target, item);
            }
        }
        _ => *target = patch.clone(),
    }
}

fn are_named(items: &[Value]) -> bool {
    !items.is_empty() && items.iter().all(|i| i["name"].is_string())
}

fn merge_named(target: &mut Value, item: &Value) {
    let Some(list) = target.as_array_mut() else {
        return;
    };
    match list.iter_mut().find(|t| t["name"] == item["name"]) {
        Some(same) => merge(same, item),
        None => list.push(item.clone()),
    }
}

fn set(env: &mut Value, name: &str, value: &str) {
    let entry = json!({"name": name, "value": value});
    match env.as_array_mut() {
        None => *env = json!([entry]),
        Some(list) => match list.iter_mut().find(|e| e["name"] == name) {
            Some(old) => *old = entry,
            None => list.push(entry),
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_are_relative_to_the_scenario_file() {
        let beside_it = |path| beside("scenarios/catalog/mybnb/x.yaml", path);
        assert_eq!(beside_it("../../../k8s/a.yaml"), "k8s/a.yaml");
        assert_eq!(beside_it("./a.yaml"), "scenarios/catalog/mybnb/a.yaml");
        assert_eq!(beside_it("/tmp/a.yaml"), "/tmp/a.yaml");
        assert_eq!(beside("x.yaml", "../k8s/a.yaml"), "../k8s/a.yaml");
        assert_eq!(beside("/home/me/x.yaml", "../a.yaml"), "/home/a.yaml");
    }

    #[test]
    fn a_patch_merges_maps_and_lists_of_named_things_deletes_with_null_and_replaces_the_rest() {
        let mut object = json!({"spec": {"a": 1, "b": 2, "ports": [80], "containers": [{"name": "x", "image": "i"}]}});
        let patch = json!({"spec": {"a": null, "c": {"d": 3}, "ports": [81], "containers": [{"name": "x", "args": ["y"]}, {"name": "z"}]}});
        merge(&mut object, &patch);
        assert_eq!(
            object,
            json!({"spec": {
                "b": 2, "ports": [81], "c": {"d": 3},
                "containers": [{"name": "x", "image": "i", "args": ["y"]}, {"name": "z"}],
            }})
        );
    }

    #[test]
    fn an_environment_variable_is_set_in_every_container() {
        let mut env = json!([{"name": "A", "valueFrom": {}}, {"name": "B", "value": "2"}]);
        set(&mut env, "A", "1");
        set(&mut env, "C", "3");
        assert_eq!(
            env,
            json!([{"name": "A", "value": "1"}, {"name": "B", "value": "2"}, {"name": "C", "value": "3"}])
        );
        let mut none = Value::Null;
        set(&mut none, "A", "1");
        assert_eq!(none, json!([{"name": "A", "value": "1"}]));
    }
}
