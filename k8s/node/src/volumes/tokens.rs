//! tokens — the tokens of a pod's ServiceAccount, asked for once and again before they end.

use std::sync::PoisonError;
use std::time::Duration;

use k8s_openapi::api::authentication::v1::{BoundObjectReference, TokenRequest, TokenRequestSpec};
use k8s_openapi::api::core::v1::{ServiceAccount, ServiceAccountTokenProjection};
use k8s_openapi::jiff::{SignedDuration, Timestamp};
use kube::api::PostParams;
use kube::{Api, ResourceExt};

use super::Volumes;

/// What a projection asks for that names no time, in seconds.
const DEFAULT_SECONDS: i64 = 3600;
/// No token is used for longer, however long it would hold.
const AGE_MAX: SignedDuration = SignedDuration::from_hours(24);

/// A token, and when another one is to take its place.
#[derive(Debug, Clone)]
pub(super) struct Held {
    token: String,
    until: Timestamp,
}

impl Volumes {
    /// The token of the pod's account for one file.
    pub(super) async fn token(
        &self,
        volume: &str,
        from: &ServiceAccountTokenProjection,
    ) -> Result<String, String> {
        let key = (volume.to_owned(), from.path.clone());
        let now = self.clock.now();
        let held = {
            let all = self.tokens.lock().unwrap_or_else(PoisonError::into_inner);
            all.get(&key).filter(|held| now < held.until).cloned()
        };
        if let Some(held) = held {
            return Ok(held.token);
        }
        let seconds = from.expiration_seconds.unwrap_or(DEFAULT_SECONDS);
        let token = self.request(from, seconds).await;
        let token = token.map_err(|error| format!("failed to fetch token: {error}"))?;
        let held = Held {
            token: token.clone(),
            until: now
                .saturating_add(used_for(seconds))
                .unwrap_or(Timestamp::MAX),
        };
        let mut all = self.tokens.lock().unwrap_or_else(PoisonError::into_inner);
        all.insert(key, held);
        Ok(token)
    }

    async fn request(
        &self,
        from: &ServiceAccountTokenProjection,
        seconds: i64,
    ) -> kube::Result<String> {
        let spec = self.pod.spec.as_ref();
        let account = spec.and_then(|spec| spec.service_account_name.as_deref());
        let request = TokenRequest {
            spec: TokenRequestSpec {
                audiences: from.audience.iter().cloned().collect(),
                expiration_seconds: Some(seconds),
                bound_object_ref: Some(BoundObjectReference {
                    api_version: Some("v1".into()),
                    kind: Some("Pod".into()),
                    name: Some(self.pod.name_any()),
                    uid: self.pod.uid(),
                }),
            },
            ..TokenRequest::default()
        };
        let api: Api<ServiceAccount> = Api::namespaced(self.client.clone(), &self.namespace());
        let name = account.unwrap_or("default");
        let params = PostParams::default();
        let answer: TokenRequest = api
            .create_subresource("token", name, &params, &request)
            .await?;
        Ok(answer.status.map(|status| status.token).unwrap_or_default())
    }

    /// How long until a token is to be replaced; `None` if the pod has none.
    pub fn token_ends_in(&self) -> Option<Duration> {
        let all = self.tokens.lock().unwrap_or_else(PoisonError::into_inner);
        let first = all.values().map(|held| held.until).min()?;
        let left = first.duration_since(self.clock.now());
        Some(left.try_into().unwrap_or_default())
    }
}

/// A kubelet asks anew when four fifths of the time are over.
fn used_for(seconds: i64) -> SignedDuration {
    (SignedDuration::from_secs(seconds) * 4 / 5).min(AGE_MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_is_replaced_when_four_fifths_of_its_time_are_over_and_once_a_day() {
        assert_eq!(used_for(600), SignedDuration::from_secs(480));
        assert_eq!(used_for(1_000_000), SignedDuration::from_hours(24));
    }
}
