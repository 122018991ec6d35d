//! access — who asks, and whether that is allowed. Whoever holds the client of this process, or the secret path of the kubeconfig, is an
//! administrator, unless the request shows a token, which then counts, or is made in someone else's name.

mod escalation;
mod impersonation;
mod rbac;
mod review;
mod roles;
mod tokens;

pub use escalation::check as check_escalation;
pub use roles::built_in;
pub use tokens::Tokens;

use crate::{api::Api, api::Call, refusal::Refusal, store::Objects};
use axum::http::{HeaderMap, Method, Uri, header};
use std::collections::BTreeMap;

const ANONYMOUS: &str = "system:anonymous";
const AUTHENTICATED: &str = "system:authenticated";
const UNAUTHENTICATED: &str = "system:unauthenticated";
/// Its members may do everything, whatever roles say.
const MASTERS: &str = "system:masters";
/// What the name of every ServiceAccount as a user begins with.
const ACCOUNT: &str = "system:serviceaccount:";

/// Who a request comes from, as role bindings name it.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct User {
    pub name: String,
    /// Empty for most.
    pub uid: String,
    pub groups: Vec<String>,
    pub extra: BTreeMap<String, Vec<String>>,
}

impl User {
    fn new(name: &str, groups: &[&str]) -> User {
        User {
            name: name.into(),
            groups: groups.iter().map(|group| (*group).into()).collect(),
            ..User::default()
        }
    }

    /// A caller without a token.
    pub fn anonymous() -> User {
        User::new(ANONYMOUS, &[UNAUTHENTICATED])
    }

    /// Whoever holds the kubeconfig, and this process itself.
    pub fn administrator() -> User {
        User::new("system:admin", &[MASTERS, AUTHENTICATED])
    }

    /// A program in a pod.
    pub fn of_account(namespace: &str, name: &str) -> User {
        let all = format!("system:serviceaccounts:{namespace}");
        let groups = ["system:serviceaccounts", &all, AUTHENTICATED];
        User::new(&format!("{ACCOUNT}{namespace}:{name}"), &groups)
    }

    pub fn is_authenticated(&self) -> bool {
        self.is_in(AUTHENTICATED)
    }

    /// Whether no role is asked for.
    pub fn is_master(&self) -> bool {
        self.is_in(MASTERS)
    }

    fn is_in(&self, group: &str) -> bool {
        self.groups.iter().any(|own| own == group)
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
    /// Who a request is from: whoever holds the token that it shows, `otherwise` if it shows none; or in whose name it is made.
    ///
    /// # Errors
    /// A token that nobody holds (any more), and a name that the asker may not use.
    pub fn user_of(
        &self,
        uri: &Uri,
        headers: &HeaderMap,
        otherwise: &User,
    ) -> Result<User, Refusal> {
        let asker = match headers.get(header::AUTHORIZATION) {
            None => otherwise.clone(),
            Some(shown) => {
                let token = shown.to_str().ok().and_then(bearer);
                let holder = token.and_then(|token| self.tokens.holder(self, token));
                holder.ok_or_else(Refusal::unauthorized)?
            }
        };
        let wanted = impersonation::Wanted::read(headers)
            .map_err(|why| Refusal::unreadable_headers(uri.path(), &why))?;
        let Some(wanted) = wanted else {
            return Ok(asker);
        };
        let deeds = wanted.deeds();
        match deeds.iter().find(|deed| !self.allows(&asker, deed)) {
            None => Ok(wanted.user()),
            Some(deed) => Err(Refusal::not_permitted(&asker, deed)),
        }
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
        let about_oneself = ["selfsubjectaccessreviews", "selfsubjectreviews"];
        let is_own_question = about_oneself.contains(&&*deed.resource) && user.is_authenticated();
        for deed in std::iter::once(deed).chain(second) {
            if !is_own_question && !self.allows(user, &deed) {
                return Err(Refusal::not_permitted(user, &deed));
            }
        }
        Ok(())
    }

    /// Whether a role bound to the user has a rule for this.
    pub fn allows(&self, user: &User, deed: &Deed) -> bool {
        user.is_master()
            || self
                .store
                .read(|objects| rbac::is_allowed(user, deed, objects))
    }

    /// Whether the user may ask for a path that is no resource's: everybody for some, whoever is known for those that say what there is.
    pub fn allows_path(&self, user: &User, verb: &str, path: &str) -> bool {
        let is_open = PUBLIC.contains(&path) || (user.is_authenticated() && tells(path));
        let visits = |objects: &Objects| rbac::may_visit(user, verb, path, objects);
        user.is_master() || (verb == "get" && is_open) || self.store.read(visits)
    }
}

/// Paths for everybody.
const PUBLIC: [&str; 5] = ["/version", "/version/", "/healthz", "/livez", "/readyz"];

/// Whether a path leads to what says which resources there are.
fn tells(path: &str) -> bool {
    let first = path
        .strip_prefix('/')
        .and_then(|path| path.split('/').next());
    matches!(first, Some("api" | "apis" | "openapi"))
}

/// What follows the word “Bearer”, however that is written.
fn bearer(shown: &str) -> Option<&str> {
    let (scheme, token) = shown.trim().split_once(' ')?;
    let is_token = scheme.eq_ignore_ascii_case("bearer");
    is_token.then(|| token.trim())
}
