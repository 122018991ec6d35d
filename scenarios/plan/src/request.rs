//! Requests and what their answers must be.
use crate::expected;
use crate::limits::WEIGHT_MAX;
use crate::object::Object;
use crate::path;
use crate::problem::{Log, nearest};
use crate::system::System;
use crate::tree::{Kind, Node};
use model::{Expected, Request, Save, Source};

/// Where a request stands: what may be said of it there.
#[derive(Clone, Copy, PartialEq)]
pub enum Within {
    /// Sent over and over.
    Load {
        /// A redirected request is sent on, as siege does.
        follows_redirects: bool,
    },
    /// Sent once; its answer can be judged alone.
    Step,
}

/// The requests of a load or a step, each with what is expected of its answer.
pub fn read(
    of: &Object,
    within: Within,
    saved: &[&str],
    system: Option<&System>,
) -> Vec<(Request, Option<Expected>)> {
    let requests = of.list("requests");
    if requests.is_empty() && of.get("requests").is_some_and(|n| n.items().is_empty()) {
        let node = of.get("requests").expect("it was just there");
        of.log
            .bad(node, "no request", "write at least one, with a url");
    }
    requests
        .iter()
        .filter_map(|r| one(r, within, saved, system))
        .collect()
}

fn one(
    r: &Object,
    within: Within,
    saved: &[&str],
    system: Option<&System>,
) -> Option<(Request, Option<Expected>)> {
    let url = r.word("url");
    if let Some((node, url)) = url {
        check_url(node, url, system, r.log);
    }
    let (body, is_json) = body(r);
    let default = if body.is_some() { "POST" } else { "GET" };
    let method = r.text("method").unwrap_or(default).to_uppercase();
    let mut headers: Vec<(String, String)> = r
        .text_map("headers")
        .iter()
        .map(|(k, v)| (k.to_lowercase(), v.to_string()))
        .collect();
    sendable(r);
    if is_json && !headers.iter().any(|(name, _)| name == "content-type") {
        headers.push(("content-type".into(), "application/json".into()));
    }
    match within {
        Within::Load { .. } => r.refuses(&["until"], "in a load: nothing is asked again there"),
        Within::Step => r.refuses(
            &["key", "weight"],
            "in requests that are sent once: write it in a load",
        ),
    }
    if within == Within::Step && r.get("until").is_some() {
        r.needs("expect", "a request with until");
    }
    if let Some((node, key)) = r.word("key").filter(|(_, key)| !key.contains("{{seq}}")) {
        let message = format!("every request would write \"{key}\"");
        r.log
            .bad(node, message, "put {{seq}} into it, and into the body");
    }
    placeholders(r.node, saved, r.log);
    let expected = r.object("expect").map(|e| match within {
        Within::Load { follows_redirects } => expected::of_load(&e, follows_redirects),
        Within::Step => expected::read(&e),
    });
    let (_, url) = url?;
    let request = Request {
        name: r
            .text("name")
            .map_or_else(|| format!("{method} {}", path(url)), Into::into),
        method,
        url: url.into(),
        headers,
        body,
        key: r.text("key").map(Into::into),
        keep_body: within == Within::Step,
        save: save(r),
        until: r.duration("until"),
        weight: r.whole32("weight", 1, WEIGHT_MAX),
        expect: None,
    };
    Some((request, expected))
}

/// Puts down what cannot stand in the head of a request: a line feed in it would begin another header, or another request.
fn sendable(r: &Object) {
    if let Some((node, method)) = r.word("method")
        && !is_token(method)
    {
        let message = format!("\"{method}\" is no method");
        r.log.bad(node, message, "write letters, as PUT");
    }
    let headers = r.get("headers").map(Node::entries).unwrap_or_default();
    for entry in headers {
        if !is_token(&entry.key) {
            let message = format!("\"{}\" is no name of a header", entry.key);
            let way_out = "write letters, digits and hyphens, as x-request-id";
            r.log.bad(&entry.node, message, way_out);
        }
        if entry.node.text().is_some_and(|v| v.contains(is_control)) {
            let message = format!("the header \"{}\" has a control character", entry.key);
            r.log.bad(&entry.node, message, "write it on one line");
        }
    }
}

/// What RFC 9110 calls a token: methods and names of headers are one.
fn is_token(word: &str) -> bool {
    let allowed = |c: char| c.is_ascii_alphanumeric() || "!#$%&'*+-.^_`|~".contains(c);
    !word.is_empty() && word.chars().all(allowed)
}

fn is_control(c: char) -> bool {
    c.is_control() && c != '\t'
}

/// The body as it is sent, and whether it was written as JSON.
fn body(r: &Object) -> (Option<String>, bool) {
    match r.get("body") {
        None => (None, false),
        Some(node) => match node.json() {
            serde_json::Value::String(text) => (Some(text), false),
            json => (Some(json.to_string()), true),
        },
    }
}

/// What of the answer is kept, each under a name that can stand in braces.
fn save(r: &Object) -> Vec<Save> {
    let mut all = vec![];
    for (name, text) in r.text_map("save") {
        let node = r.get("save").and_then(|s| s.get(name)).unwrap_or(r.node);
        if !path::is_name(name) || name == "seq" {
            let message = format!("\"{name}\" is no name for something saved");
            r.log
                .bad(node, message, "write letters and digits, as roomId");
        }
        let from = match text {
            "location" => Some(Source::Location),
            _ => path::read(node, text, r.log).map(Source::Path),
        };
        all.extend(from.map(|from| Save {
            name: name.into(),
            from,
        }));
    }
    all
}

/// A URL must be one, and its host must be a Service of the system that has that port.
pub fn check_url(node: &Node, url: &str, system: Option<&System>, log: &Log) {
    if url.contains(|c: char| c.is_control() || c.is_whitespace()) {
        let message = format!("\"{url}\" has a space or a control character");
        log.bad(node, message, "write %20 for a space, %0A for a line feed");
        return;
    }
    let Some(rest) = url.strip_prefix("http://") else {
        log.bad(
            node,
            format!("\"{url}\" is no URL of a service"),
            "write http://service:port/path",
        );
        return;
    };
    let authority = &rest[..rest.find(['/', '?']).unwrap_or(rest.len())];
    let (host, port) = match authority.split_once(':') {
        None => (authority, Some(80)),
        Some((host, port)) => (host, port.parse().ok()),
    };
    let Some(port) = port.filter(|_| !host.is_empty()) else {
        log.bad(
            node,
            format!("\"{url}\" is no URL of a service"),
            "write http://service:port/path",
        );
        return;
    };
    if let Some(system) = system {
        check_service(node, host, port, system, log);
    }
}

fn check_service(node: &Node, host: &str, port: u16, system: &System, log: &Log) {
    let (name, domain) = host.split_once('.').unwrap_or((host, ""));
    let inside = domain.is_empty() || domain.split('.').next() == Some(system.namespace.as_str());
    if !inside {
        return; // a host elsewhere: nothing here can know it
    }
    system.must_have("Service", name, node, log);
    let Some(service) = system.object("Service", name) else {
        return;
    };
    let ports = service["spec"]["ports"]
        .as_array()
        .map(Vec::as_slice)
        .unwrap_or_default();
    let numbers: Vec<u64> = ports.iter().filter_map(|p| p["port"].as_u64()).collect();
    if !numbers.contains(&port.into()) {
        let has: Vec<String> = numbers.iter().map(u64::to_string).collect();
        log.bad(
            node,
            format!("service {name} has no port {port}"),
            format!("it has {}", has.join(", ")),
        );
    }
}

fn path(url: &str) -> &str {
    let rest = url.strip_prefix("http://").unwrap_or(url);
    rest.find('/').map_or("/", |slash| &rest[slash..])
}

/// Puts down every placeholder that is neither `{{seq}}` nor something saved.
pub fn placeholders(node: &Node, saved: &[&str], log: &Log) {
    match &node.kind {
        Kind::List(items) => items.iter().for_each(|n| placeholders(n, saved, log)),
        Kind::Map(entries) => entries
            .iter()
            .for_each(|e| placeholders(&e.node, saved, log)),
        Kind::Scalar(s) => {
            let words = s.text.split("{{").skip(1);
            let mut words = words.map(|rest| rest.split("}}").next().unwrap_or(rest));
            if let Some(word) = words.find(|word| *word != "seq" && !saved.contains(word)) {
                let message = format!("no such placeholder: {{{{{word}}}}}");
                log.bad(node, message, known(word, saved));
            }
        }
    }
}

fn known(word: &str, saved: &[&str]) -> String {
    match nearest(word, saved.iter().copied()) {
        Some(near) => format!("did you mean {{{{{near}}}}}?"),
        None if saved.is_empty() => "there is {{seq}}, a number that no other request has".into(),
        None => format!("there is seq and what was saved: {}", saved.join(", ")),
    }
}
