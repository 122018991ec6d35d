//! Scenario files in, plans or problems out.
mod catalogue;
mod content;
mod coverage;
mod mistakes;
mod plans;
mod rbac;
mod reason;

use std::io;

/// Reads from literal files.
pub fn files<'f>(files: &'f [(&'f str, &'f str)]) -> impl Fn(&str) -> io::Result<String> + 'f {
    move |path| {
        let found = files.iter().find(|(name, _)| *name == path);
        found
            .map(|(_, text)| (*text).into())
            .ok_or(io::ErrorKind::NotFound.into())
    }
}

/// A Deployment and a Service of that name, as manifests have them.
pub fn service(name: &str) -> String {
    format!(
        "apiVersion: apps/v1
kind: Deployment
metadata: {{ name: {name} }}
spec:
  template:
    metadata: {{ labels: {{ app: {name} }} }}
    spec: {{ containers: [{{ name: {name}, env: [{{ name: A, value: \"1\" }}] }}] }}
---
apiVersion: v1
kind: Service
metadata: {{ name: {name} }}
spec: {{ selector: {{ app: {name} }}, ports: [{{ port: 8080 }}] }}
"
    )
}
