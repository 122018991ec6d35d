//! access — who asks, and whether that is allowed. Only requests that come from inside the cluster are asked: whoever holds the
//! client of this process, or the secret path of the kubeconfig, is an administrator.

mod rbac;
mod review;
mod roles;
mod tokens;

pub use roles::built_in;
pub use tokens::Tokens;

use crate::{api::Api, api::Call, refusal::Refusal};
use axum::http::{HeaderMap, Method, header};
use serde_json::Value;

/// Who a request comes from, as role bindings name it.
#[derive(Clone, Debug, PartialEq)]
pub struct User {
    pub name: String,
    pub groups: Vec<String>,
}

impl User {
    /// A caller without a token.
    pub fn anonymous() -> User {
        User {
            name: "system:anonymous".into(),
            groups: vec!["system:unauthenticated".into()],
        }
    }

    /// A program in a pod.
    pub fn of_account(namespace: &str, name: &str) -> User {
        User {
            name: format!("system:serviceaccount:{namespace}:{name}"),
            groups: vec![
                "system:serviceaccounts".into(),
                format!("system:serviceaccounts:{namespace}"),
                "system:authenticated".into(),
            ],
        }
    }

    pub fn is_authenticated(&self) -> bool {
        self.groups.iter().any(|g| g == "system:authenticated")
    }
}

/// What a request does, in the words of role rules.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Deed {
    pub verb: String,
    pub group: String,
    /// With its sub-resource: `pods/log`.
    pub resource: String,
    /// Empty for cluster-wide kinds and for requests over all namespaces.
    pub namespace: String,
    /// Empty for requests for no object in particular.
    pub name: String,
}

impl Deed {
    /// What this request does.
    pub fn of(method: &Method, call: &Call) -> Deed {
        let named = match call.name.is_empty() {
            true => call.only_name().unwrap_or_default(),
            false => call.name.clone(),
        };
        let verb = match (method.as_str(), call.name.is_empty()) {
            ("GET", true) if call.flag("watch") => "watch",
            ("GET", true) => "list",
            ("GET", false) => "get",
            ("POST", _) => "create",
            ("PUT", _) => "update",
            ("PATCH", _) => "patch",
            ("DELETE", true) => "deletecollection",
            ("DELETE", false) => "delete",
            (other, _) => other,
        };
        let resource = match call.subresource.as_str() {
            "" => call.kind.plural.to_owned(),
            part => format!("{}/{part}", call.kind.plural),
        };
        // A namespace counts as something in itself.
        let namespace = match call.kind.kind {
            "Namespace" => named.clone(),
            _ => call.namespace.clone(),
        };
        Deed {
            verb: verb.into(),
            group: call.kind.group.into(),
            resource,
            namespace,
            name: named,
        }
    }
}

impl Api {
    /// Who holds the token that a request shows; none if it shows one that nobody holds (any more).
    pub fn user_of(&self, headers: &HeaderMap) -> Option<User> {
        let Some(shown) = headers.get(header::AUTHORIZATION) else {
            return Some(User::anonymous());
        };
        let token = shown.to_str().ok()?.strip_prefix("Bearer ")?;
        self.tokens.holder(self, token.trim())
    }

    /// Whether the user may do what a request asks for.
    ///
    /// # Errors
    /// The real server's text, which names user, verb and resource.
    pub fn authorise(&self, user: &User, method: &Method, call: &Call) -> Result<(), Refusal> {
        let deed = Deed::of(method, call);
        let creates =
            deed.verb == "patch" && call.applies() && self.store.get(&call.key()).is_none();
        let second = creates.then(|| Deed {
            verb: "create".into(),
            ..deed.clone()
        });
        let is_own_question =
            deed.resource == "selfsubjectaccessreviews" && user.is_authenticated();
        for deed in std::iter::once(deed).chain(second) {
            if !is_own_question && !self.allows(user, &deed) {
                return Err(Refusal::not_permitted(call.kind, user, &deed));
            }
        }
        Ok(())
    }

    /// Whether a role bound to the user has a rule for this.
    pub fn allows(&self, user: &User, deed: &Deed) -> bool {
        let list = |plural, namespace: Option<&str>| self.store.list(plural, namespace).1;
        let everywhere = list("clusterrolebindings", None);
        let here = match deed.namespace.as_str() {
            "" => vec![],
            namespace => list("rolebindings", Some(namespace)),
        };
        let bindings = everywhere.iter().chain(&here);
        let rules = |binding: &Value| self.rules_of(binding);
        rbac::is_allowed(user, deed, bindings.map(|b| &**b), rules)
    }

    fn rules_of(&self, binding: &Value) -> Vec<Value> {
        let name = binding["roleRef"]["name"].as_str().unwrap_or("");
        let key = match binding["roleRef"]["kind"].as_str() {
            Some("Role") => {
                let namespace = binding["metadata"]["namespace"].as_str().unwrap_or("");
                crate::store::Key::new("roles", namespace, name)
            }
            _ => crate::store::Key::new("clusterroles", "", name),
        };
        let role = self.store.get(&key);
        let rules = role.and_then(|role| role["rules"].as_array().cloned());
        rules.unwrap_or_default()
    }
}
