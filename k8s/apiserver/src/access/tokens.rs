//! tokens — what a program in a pod shows to prove which ServiceAccount it runs as.

use super::User;
use crate::{api::Api, kinds, names, refusal::Refusal, store::Key};
use k8s_openapi::jiff::{SignedDuration, Timestamp};
use serde_json::Value;
use std::{
    collections::BTreeMap,
    sync::{Mutex, PoisonError},
};

/// Asked for when a request names no time, in seconds: an hour.
const DEFAULT_SECONDS: i64 = 3600;
/// The least that may be asked for.
const LEAST_SECONDS: i64 = 600;
/// What the token of every pod asks for. Programs that read it only once go on for a year, as on a real server.
const POD_SECONDS: i64 = 3607;
const YEAR: SignedDuration = SignedDuration::from_hours(365 * 24);

/// Every token given out that has not expired. They are random texts, not signed ones: only this server can tell whose they are.
#[derive(Default)]
pub struct Tokens(Mutex<BTreeMap<String, Token>>);

struct Token {
    namespace: String,
    account: String,
    /// An account that was deleted and made again is another one.
    uid: Value,
    /// The object that it goes with, and its uid.
    bound: Option<(Key, Value)>,
    until: Timestamp,
}

/// A token and when it ends.
pub struct Issued {
    pub token: String,
    pub until: Timestamp,
}

impl Tokens {
    /// A new token for an account, by the `spec` of a `TokenRequest`.
    pub fn issue(
        &self,
        api: &Api,
        namespace: &str,
        account: &str,
        spec: &Value,
    ) -> Result<Issued, Refusal> {
        let key = Key::new("serviceaccounts", namespace, account);
        let object = api.store.get(&key);
        let object =
            object.ok_or_else(|| Refusal::not_found(kinds::known("serviceaccounts"), account))?;
        let now = api.clock.now();
        let seconds = spec["expirationSeconds"]
            .as_i64()
            .unwrap_or(DEFAULT_SECONDS);
        let bound = bound_to(api, namespace, &spec["boundObjectRef"])?;
        let lasts = match (seconds, &bound) {
            (POD_SECONDS, Some(_)) => YEAR,
            (seconds, _) => SignedDuration::from_secs(seconds.max(LEAST_SECONDS)),
        };
        let until = now.saturating_add(lasts).unwrap_or(Timestamp::MAX);
        let token = names::secret();
        let mut issued = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        issued.retain(|_, token| token.until > now);
        issued.insert(
            token.clone(),
            Token {
                namespace: namespace.into(),
                account: account.into(),
                uid: object["metadata"]["uid"].clone(),
                bound,
                until,
            },
        );
        Ok(Issued { token, until })
    }

    /// Whose this token is, while account and bound object exist.
    pub fn holder(&self, api: &Api, token: &str) -> Option<User> {
        let issued = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let found = issued.get(token).filter(|t| t.until > api.clock.now())?;
        let exists = |key: &Key, uid: &Value| {
            let object = api.store.get(key);
            object.is_some_and(|object| object["metadata"]["uid"] == *uid)
        };
        let account = Key::new("serviceaccounts", &found.namespace, &found.account);
        let is_bound_well = found
            .bound
            .as_ref()
            .is_none_or(|(key, uid)| exists(key, uid));
        (exists(&account, &found.uid) && is_bound_well)
            .then(|| User::of_account(&found.namespace, &found.account))
    }
}

/// The pod or Secret that a token is to end with.
fn bound_to(
    api: &Api,
    namespace: &str,
    reference: &Value,
) -> Result<Option<(Key, Value)>, Refusal> {
    let name = reference["name"].as_str().unwrap_or("");
    let plural = match reference["kind"].as_str() {
        None => return Ok(None),
        Some("Pod") => "pods",
        Some("Secret") => "secrets",
        Some(other) => {
            return Err(Refusal::bad_request(format!(
                "cannot bind token to object of type {other}"
            )));
        }
    };
    let key = Key::new(plural, namespace, name);
    let object = api.store.get(&key);
    let object = object.ok_or_else(|| Refusal::not_found(kinds::known(plural), name))?;
    Ok(Some((key, object["metadata"]["uid"].clone())))
}
