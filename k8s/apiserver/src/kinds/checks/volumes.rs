//! volumes — what can be wrong with the volumes of a pod, and with where its containers mount them. Texts are the real server's.
//!
//! Names and paths in it become paths on the node: what leads out of a volume is refused here, and again there.

use super::{Problems, list, one_of};
use crate::refusal::{Fault, Problem};
use serde_json::{Value, json};

const MODE: &str = "must be a number between 0 and 0777 (octal), both inclusive";
const ONE_SOURCE: &str = "may not specify more than 1 volume type";
const HOST_PATH_TYPES: &[&str] = &[
    "",
    "BlockDevice",
    "CharDevice",
    "Directory",
    "DirectoryOrCreate",
    "File",
    "FileOrCreate",
    "Socket",
];

/// Checks one volume of a pod.
pub fn volume(at: &str, volume: &Value, problems: &mut Problems) {
    let sources = volume.as_object().into_iter().flat_map(|v| v.keys());
    for other in sources.filter(|source| *source != "name").skip(1) {
        let fault = Fault::Forbidden(ONE_SOURCE.into());
        problems.push(Problem::new(format!("{at}.{other}"), fault));
    }
    required(at, volume, "configMap", "name", problems);
    required(at, volume, "secret", "secretName", problems);
    required(at, volume, "hostPath", "path", problems);
    required(at, volume, "persistentVolumeClaim", "claimName", problems);
    for source in ["configMap", "secret", "downwardAPI", "projected"] {
        mode(
            &format!("{at}.{source}"),
            "defaultMode",
            &volume[source],
            problems,
        );
    }
    for source in ["configMap", "secret"] {
        items(&format!("{at}.{source}"), &volume[source], problems);
    }
    downward(
        &format!("{at}.downwardAPI"),
        &volume["downwardAPI"],
        problems,
    );
    projected(&format!("{at}.projected"), &volume["projected"], problems);
    host_path(&format!("{at}.hostPath"), &volume["hostPath"], problems);
}

fn required(at: &str, volume: &Value, source: &str, field: &str, problems: &mut Problems) {
    let found = &volume[source];
    if found.is_object() && text(found, field).is_empty() {
        problems.push(Problem::required(format!("{at}.{source}.{field}")));
    }
}

fn text<'a>(object: &'a Value, field: &str) -> &'a str {
    object[field].as_str().unwrap_or("")
}

fn mode(at: &str, field: &str, source: &Value, problems: &mut Problems) {
    let value = &source[field];
    if value
        .as_i64()
        .is_some_and(|mode| !(0..=0o777).contains(&mode))
    {
        problems.push(Problem::invalid(format!("{at}.{field}"), value, MODE));
    }
}

/// Keys of a map or a Secret, and the files they become.
fn items(at: &str, source: &Value, problems: &mut Problems) {
    for (i, item) in list(source, "items").enumerate() {
        let at = format!("{at}.items[{i}]");
        if text(item, "key").is_empty() {
            problems.push(Problem::required(format!("{at}.key")));
        }
        file(&at, item, problems);
        mode(&at, "mode", item, problems);
    }
}

/// What the pod says of itself, as files. The real server does not say which of them is meant.
fn downward(at: &str, source: &Value, problems: &mut Problems) {
    for item in list(source, "items") {
        file(at, item, problems);
        if !item["fieldRef"].is_object() && !item["resourceFieldRef"].is_object() {
            let fault = Fault::Required("one of fieldRef and resourceFieldRef is required".into());
            problems.push(Problem::new(at, fault));
        }
        mode(at, "mode", item, problems);
    }
}

/// A file within a volume, by its `path`.
fn file(at: &str, item: &Value, problems: &mut Problems) {
    let at = format!("{at}.path");
    match text(item, "path") {
        "" => problems.push(Problem::required(at)),
        _ => unreserved(&at, &item["path"], problems),
    }
}

/// Several sources in one volume; each of their files has a path of its own.
fn projected(at: &str, volume: &Value, problems: &mut Problems) {
    let mut paths: Vec<&str> = vec![];
    for (i, source) in list(volume, "sources").enumerate() {
        let place = format!("{at}.sources[{i}]");
        for kind in ["secret", "configMap"] {
            required(&place, source, kind, "name", problems);
            items(&format!("{place}.{kind}"), &source[kind], problems);
            let name = &source[kind]["name"];
            named_once(at, &source[kind], |_| name, &mut paths, problems);
        }
        let place = format!("{place}.downwardAPI");
        downward(&place, &source["downwardAPI"], problems);
        named_once(
            at,
            &source["downwardAPI"],
            |item| &item["path"],
            &mut paths,
            problems,
        );
        if source["serviceAccountToken"].is_object() {
            file(at, &source["serviceAccountToken"], problems);
        }
        if source.as_object().is_some_and(|source| source.len() > 1) {
            let fault = Fault::Forbidden(ONE_SOURCE.into());
            problems.push(Problem::new(format!("{at}.sources[{i}]"), fault));
        }
    }
}

fn named_once<'a>(
    at: &str,
    source: &'a Value,
    shown: impl Fn(&'a Value) -> &'a Value,
    paths: &mut Vec<&'a str>,
    problems: &mut Problems,
) {
    for item in list(source, "items") {
        match text(item, "path") {
            "" => {}
            path if paths.contains(&path) => {
                let fault = "conflicting duplicate paths";
                problems.push(Problem::invalid(at, shown(item), fault));
            }
            path => paths.push(path),
        }
    }
}

/// A path of the machine: anything, but said straight out.
pub fn host_path(at: &str, source: &Value, problems: &mut Problems) {
    no_backsteps(&format!("{at}.path"), &source["path"], problems);
    let at = format!("{at}.type");
    one_of(problems, &at, &source["type"], HOST_PATH_TYPES);
}

/// A path within something else, none of whose names begins where it is reserved for the volume's own files.
fn unreserved(at: &str, path: &Value, problems: &mut Problems) {
    descending(at, path, problems);
    let shown = path.as_str().unwrap_or("");
    if shown.starts_with("..") && shown != ".." && !shown.starts_with("../") {
        problems.push(Problem::invalid(at, path, "must not start with '..'"));
    }
}

/// A path that leads down only.
fn descending(at: &str, path: &Value, problems: &mut Problems) {
    if path.as_str().is_some_and(|path| path.starts_with('/')) {
        problems.push(Problem::invalid(at, path, "must be a relative path"));
    }
    no_backsteps(at, path, problems);
}

/// A path that never leads back up.
pub fn no_backsteps(at: &str, path: &Value, problems: &mut Problems) {
    let mut names = path.as_str().unwrap_or("").split('/');
    if names.any(|name| name == "..") {
        problems.push(Problem::invalid(at, path, "must not contain '..'"));
    }
}

/// Checks where a container mounts which of the pod's volumes.
pub fn mounts(at: &str, container: &Value, volumes: &[&str], problems: &mut Problems) {
    let mut paths: Vec<&str> = vec![];
    for (i, mount) in list(container, "volumeMounts").enumerate() {
        let place = format!("{at}.volumeMounts[{i}]");
        match text(mount, "name") {
            "" => problems.push(Problem::required(format!("{place}.name"))),
            name if !volumes.contains(&name) => {
                let fault = Fault::NotFound(json!(name));
                problems.push(Problem::new(format!("{place}.name"), fault));
            }
            _ => {}
        }
        match text(mount, "mountPath") {
            "" => problems.push(Problem::required(format!("{place}.mountPath"))),
            path if paths.contains(&path) => {
                let at = format!("{place}.mountPath");
                problems.push(Problem::invalid(at, &json!(path), "must be unique"));
            }
            path => paths.push(path),
        }
        sub_paths(&format!("{at}.volumeMounts"), &place, mount, problems);
    }
}

/// Where within its volume a mount begins. The real server names all mounts of the container, not this one, for what is wrong with
/// the path itself.
fn sub_paths(all: &str, this: &str, mount: &Value, problems: &mut Problems) {
    descending(&format!("{all}.subPath"), &mount["subPath"], problems);
    if !text(mount, "subPathExpr").is_empty() && !text(mount, "subPath").is_empty() {
        let at = format!("{this}.subPathExpr");
        let fault = "subPathExpr and subPath are mutually exclusive";
        problems.push(Problem::invalid(at, &mount["subPathExpr"], fault));
    }
    descending(
        &format!("{all}.subPathExpr"),
        &mount["subPathExpr"],
        problems,
    );
}
