//! call — what a request asks for: the kind, the object, the options.

use crate::{
    access::User,
    kinds::{self, Kind},
    patch,
    refusal::Refusal,
    selector::Selector,
    store::Key,
};
use axum::{
    extract::Query,
    http::{HeaderMap, Uri, header},
};

/// How the client wants objects to be shown.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Shape {
    Whole,
    /// `PartialObjectMetadata`.
    Metadata,
    /// `Table`, as kubectl asks for.
    Table,
}

/// A request for a resource, its path and options read.
pub struct Call {
    pub kind: &'static Kind,
    /// Empty for cluster-wide kinds and for requests over all namespaces.
    pub namespace: String,
    /// Empty for requests for the whole list.
    pub name: String,
    pub subresource: String,
    /// Who asks.
    pub by: User,
    pub shape: Shape,
    /// The type of the body, without parameters.
    pub media_type: String,
    query: Vec<(String, String)>,
}

/// Whether and how unknown fields are complained about (`fieldValidation`).
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Strictness {
    Ignore,
    Warn,
    Refuse,
}

impl Call {
    /// A request of the server itself to create an object; cluster-wide ones have an empty namespace.
    pub fn to_create(plural: &str, namespace: &str) -> Call {
        Call {
            kind: kinds::known(plural),
            namespace: namespace.into(),
            name: String::new(),
            subresource: String::new(),
            by: User::administrator(),
            shape: Shape::Whole,
            media_type: String::new(),
            query: vec![],
        }
    }

    pub fn read(uri: &Uri, headers: &HeaderMap, by: User) -> Result<Call, Refusal> {
        let path = Path::read(uri.path()).ok_or_else(Refusal::no_such_path)?;
        let query = Query::try_from_uri(uri).map_err(|e| Refusal::bad_request(e.body_text()))?;
        let text = |name| {
            headers
                .get(name)
                .and_then(|v| v.to_str().ok())
                .unwrap_or("")
        };
        let media_type = text(header::CONTENT_TYPE)
            .split(';')
            .next()
            .unwrap_or("")
            .trim()
            .to_string();
        Ok(Call {
            kind: path.kind,
            namespace: path.namespace,
            name: path.name,
            subresource: path.subresource,
            by,
            shape: shape(text(header::ACCEPT)),
            media_type,
            query: query.0,
        })
    }

    pub fn key(&self) -> Key {
        Key::new(self.kind.plural, &self.namespace, &self.name)
    }

    /// The namespace to list, or all of them.
    pub fn scope(&self) -> Option<&str> {
        (!self.namespace.is_empty()).then_some(self.namespace.as_str())
    }

    pub fn option(&self, name: &str) -> Option<&str> {
        let found = self.query.iter().find(|(n, _)| n == name);
        found.map(|(_, value)| value.as_str())
    }

    pub fn options<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a str> {
        self.query
            .iter()
            .filter(move |(n, _)| n == name)
            .map(|(_, value)| value.as_str())
    }

    pub fn flag(&self, name: &str) -> bool {
        matches!(self.option(name), Some("true" | "1"))
    }

    /// A whole number; one that cannot be read is refused.
    pub fn number(&self, name: &str) -> Result<Option<i64>, Refusal> {
        let Some(text) = self.option(name).filter(|text| !text.is_empty()) else {
            return Ok(None);
        };
        let number = text
            .parse()
            .map_err(|_| Refusal::bad_request(format!("invalid value for {name}: \"{text}\"")))?;
        Ok(Some(number))
    }

    pub fn is_dry_run(&self) -> bool {
        self.option("dryRun").is_some()
    }

    /// Whether this is a server-side apply.
    pub fn applies(&self) -> bool {
        self.media_type == patch::APPLY
    }

    pub fn strictness(&self) -> Strictness {
        match self.option("fieldValidation") {
            Some("Strict") => Strictness::Refuse,
            Some("Ignore") => Strictness::Ignore,
            _ => Strictness::Warn,
        }
    }

    pub fn selector(&self) -> Result<Selector, Refusal> {
        let text = |name| self.option(name).unwrap_or("");
        Selector::parse(self.kind, text("labelSelector"), text("fieldSelector"))
    }

    /// The one name that a request for a list is limited to by its field selector.
    pub fn only_name(&self) -> Option<String> {
        let selector = self.option("fieldSelector")?;
        let mut tests = selector.split(',');
        let name = tests.find_map(|test| test.strip_prefix("metadata.name="))?;
        Some(name.trim_start_matches('=').to_owned())
    }

    pub fn not_found(&self) -> Refusal {
        Refusal::not_found(self.kind, &self.name)
    }
}

fn shape(accept: &str) -> Shape {
    // Clients list what they want most first.
    let first = accept.split(',').next().unwrap_or("");
    if first.contains("as=Table") {
        Shape::Table
    } else if first.contains("as=PartialObjectMetadata") {
        Shape::Metadata
    } else {
        Shape::Whole
    }
}

struct Path {
    kind: &'static Kind,
    namespace: String,
    name: String,
    subresource: String,
}

impl Path {
    fn read(path: &str) -> Option<Path> {
        let parts: Vec<&str> = path.trim_matches('/').split('/').collect();
        let (group, version, rest) = match parts.as_slice() {
            ["api", version, rest @ ..] => ("", *version, rest),
            ["apis", group, version, rest @ ..] => (*group, *version, rest),
            _ => return None,
        };
        let (namespace, rest) = match rest {
            // `namespaces/x/status` is about the namespace itself, `namespaces/x/pods` about what is in it.
            ["namespaces", namespace, rest @ ..]
                if !matches!(rest, [] | ["status"] | ["finalize"]) =>
            {
                (*namespace, rest)
            }
            _ => ("", rest),
        };
        let (plural, name, subresource) = match *rest {
            [plural] => (plural, "", ""),
            [plural, name] => (plural, name, ""),
            [plural, name, subresource] => (plural, name, subresource),
            _ => return None,
        };
        let kind = kinds::find(group, version, plural)?;
        let is_known = subresource.is_empty() || kind.has(subresource);
        let is_in_place = match namespace.is_empty() {
            false => kind.namespaced,
            true => !kind.namespaced || name.is_empty(),
        };
        (is_known && is_in_place).then(|| Path {
            kind,
            namespace: namespace.into(),
            name: name.into(),
            subresource: subresource.into(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parts(path: &str) -> Option<[String; 4]> {
        let path = Path::read(path)?;
        Some([
            path.kind.kind.into(),
            path.namespace,
            path.name,
            path.subresource,
        ])
    }

    #[test]
    fn paths_name_kind_namespace_object_and_subresource() {
        let cases = [
            ("/api/v1/pods", ["Pod", "", "", ""]),
            ("/api/v1/namespaces", ["Namespace", "", "", ""]),
            ("/api/v1/namespaces/a", ["Namespace", "", "a", ""]),
            (
                "/api/v1/namespaces/a/finalize",
                ["Namespace", "", "a", "finalize"],
            ),
            ("/api/v1/namespaces/a/pods", ["Pod", "a", "", ""]),
            (
                "/apis/apps/v1/namespaces/a/deployments/web/scale",
                ["Deployment", "a", "web", "scale"],
            ),
        ];
        for (path, expected) in cases {
            assert_eq!(parts(path).unwrap(), expected, "{path}");
        }
    }

    #[test]
    fn other_paths_lead_nowhere() {
        for path in [
            "/",
            "/api/v1",
            "/api/v1/nothing",
            "/apis/apps/v1/pods",
            "/api/v1/pods/a",
            "/api/v1/namespaces/a/pods/b/scale",
            "/api/v1/namespaces/a/nodes/b",
        ] {
            assert_eq!(parts(path), None, "{path}");
        }
    }

    #[test]
    fn the_first_wish_decides_the_shape() {
        let table = "application/json;as=Table;v=v1;g=meta.k8s.io,application/json";
        assert_eq!(shape(table), Shape::Table);
        assert_eq!(shape("application/json"), Shape::Whole);
        assert_eq!(
            shape("application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1"),
            Shape::Metadata
        );
    }
}
