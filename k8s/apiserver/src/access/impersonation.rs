//! impersonation — a request in someone else's name, as `kubectl --as` makes it. Whoever asks must be allowed every part of that name.

use super::{ACCOUNT, ANONYMOUS, AUTHENTICATED, Deed, UNAUTHENTICATED, User};
use axum::http::HeaderMap;

const GROUP: &str = "authentication.k8s.io";
const USER_HEADER: &str = "impersonate-user";
const GROUP_HEADER: &str = "impersonate-group";
const UID_HEADER: &str = "impersonate-uid";
const EXTRA_HEADER: &str = "impersonate-extra-";

/// In whose name a request is made.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Wanted {
    name: String,
    groups: Vec<String>,
    extra: Vec<(String, String)>,
    uid: String,
}

impl Wanted {
    /// What the headers of a request say; none for a request in the asker's own name.
    ///
    /// # Errors
    /// When something besides a name is asked for, but no name. The text is the real server's.
    pub fn read(headers: &HeaderMap) -> Result<Option<Wanted>, String> {
        let all = |name| headers.get_all(name).iter().filter_map(|v| v.to_str().ok());
        let first = |name| all(name).next().unwrap_or("").to_owned();
        let extra = headers.iter().filter_map(|(name, value)| {
            let key = name.as_str().strip_prefix(EXTRA_HEADER)?;
            Some((unescaped(key), value.to_str().ok()?.to_owned()))
        });
        let wanted = Wanted {
            name: first(USER_HEADER),
            groups: all(GROUP_HEADER).map(Into::into).collect(),
            extra: extra.collect(),
            uid: first(UID_HEADER),
        };
        match (wanted.name.is_empty(), wanted.shown().is_empty()) {
            (true, true) => Ok(None),
            (false, _) => Ok(Some(wanted)),
            (true, false) => Err(format!(
                "requested [{}] without impersonating a user",
                wanted.shown()
            )),
        }
    }

    /// Everything besides the name, as Go prints references to it.
    fn shown(&self) -> String {
        let groups = self
            .groups
            .iter()
            .map(|group| format!("{{Group  {group}    }}"));
        let extra = self.extra.iter();
        let extra = extra.map(|(key, value)| format!("{{UserExtra  {value}  {GROUP}/v1  {key}}}"));
        let uid = Some(&self.uid).filter(|uid| !uid.is_empty());
        let uid = uid.map(|uid| format!("{{UID  {uid}  {GROUP}/v1  }}"));
        groups.chain(extra).chain(uid).collect::<Vec<_>>().join(" ")
    }

    /// What the asker must be allowed to do.
    pub fn deeds(&self) -> Vec<Deed> {
        let deed = |group: &str, resource: &str, name: &str| Deed {
            verb: "impersonate".into(),
            group: group.into(),
            resource: resource.into(),
            name: name.into(),
            ..Deed::default()
        };
        let name = match self.account() {
            Some((namespace, account)) => Deed {
                namespace: namespace.into(),
                ..deed("", "serviceaccounts", account)
            },
            None => deed("", "users", &self.name),
        };
        let groups = self.groups.iter().map(|group| deed("", "groups", group));
        let extra = self.extra.iter();
        let extra = extra.map(|(key, value)| deed(GROUP, &format!("userextras/{key}"), value));
        let uid = Some(&self.uid).filter(|uid| !uid.is_empty());
        let uid = uid.map(|uid| deed(GROUP, "uids", uid));
        let rest = groups.chain(extra).chain(uid);
        std::iter::once(name).chain(rest).collect()
    }

    /// Namespace and name, if it is a ServiceAccount.
    fn account(&self) -> Option<(&str, &str)> {
        let (namespace, name) = self.name.strip_prefix(ACCOUNT)?.split_once(':')?;
        let is_sound = !namespace.is_empty() && !name.is_empty() && !name.contains(':');
        is_sound.then_some((namespace, name))
    }

    /// Who the request is from then. The groups of a ServiceAccount are known; everyone is authenticated or is not.
    pub fn user(&self) -> User {
        let mut user = match self.account() {
            Some((namespace, name)) if self.groups.is_empty() => User::of_account(namespace, name),
            _ => User {
                name: self.name.clone(),
                groups: self.groups.clone(),
                ..User::default()
            },
        };
        let missing = match self.name == ANONYMOUS {
            true => (!user.is_in(UNAUTHENTICATED)).then_some(UNAUTHENTICATED),
            false => {
                let is_said = user.is_authenticated() || user.is_in(UNAUTHENTICATED);
                (!is_said).then_some(AUTHENTICATED)
            }
        };
        user.groups.extend(missing.map(Into::into));
        user.uid.clone_from(&self.uid);
        for (key, value) in &self.extra {
            user.extra
                .entry(key.clone())
                .or_default()
                .push(value.clone());
        }
        user
    }
}

/// A key with its `%2F` and the like read; as it is, if they cannot be.
fn unescaped(key: &str) -> String {
    let mut bytes = vec![];
    let mut rest = key;
    while let Some((before, after)) = rest.split_once('%') {
        let code = after
            .get(..2)
            .and_then(|hex| u8::from_str_radix(hex, 16).ok());
        let Some(code) = code else {
            return key.into();
        };
        bytes.extend_from_slice(before.as_bytes());
        bytes.push(code);
        rest = &after[2..];
    }
    bytes.extend_from_slice(rest.as_bytes());
    String::from_utf8(bytes).unwrap_or_else(|_| key.into())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(headers: &[(&'static str, &str)]) -> Result<Option<Wanted>, String> {
        let mut all = HeaderMap::new();
        for (name, value) in headers {
            all.append(*name, value.parse().unwrap());
        }
        Wanted::read(&all)
    }

    fn user(headers: &[(&'static str, &str)]) -> User {
        read(headers).unwrap().unwrap().user()
    }

    #[test]
    fn a_request_without_such_headers_is_in_the_askers_own_name() {
        assert_eq!(read(&[("accept", "*/*")]), Ok(None));
    }

    #[test]
    fn who_is_named_is_authenticated_unless_the_groups_say_otherwise() {
        let cases = [
            (vec![(USER_HEADER, "ann")], vec![AUTHENTICATED]),
            (
                vec![(USER_HEADER, "ann"), (GROUP_HEADER, "dev")],
                vec!["dev", AUTHENTICATED],
            ),
            (
                vec![(USER_HEADER, "ann"), (GROUP_HEADER, UNAUTHENTICATED)],
                vec![UNAUTHENTICATED],
            ),
            (vec![(USER_HEADER, ANONYMOUS)], vec![UNAUTHENTICATED]),
            (
                vec![(USER_HEADER, "system:serviceaccount:shop:chaos")],
                vec![
                    "system:serviceaccounts",
                    "system:serviceaccounts:shop",
                    AUTHENTICATED,
                ],
            ),
            (
                vec![
                    (USER_HEADER, "system:serviceaccount:shop:chaos"),
                    (GROUP_HEADER, "dev"),
                ],
                vec!["dev", AUTHENTICATED],
            ),
        ];
        for (headers, groups) in cases {
            assert_eq!(user(&headers).groups, groups, "{headers:?}");
        }
    }

    #[test]
    fn every_part_of_the_name_must_be_allowed() {
        let wanted = read(&[
            (USER_HEADER, "ann"),
            (GROUP_HEADER, "dev"),
            ("impersonate-extra-example.org%2fscope", "view"),
            (UID_HEADER, "7"),
        ]);
        let wanted = wanted.unwrap().unwrap();
        let deeds: Vec<_> = wanted
            .deeds()
            .into_iter()
            .map(|deed| {
                format!(
                    "{} {}/{} {}",
                    deed.verb, deed.group, deed.resource, deed.name
                )
            })
            .collect();
        assert_eq!(
            deeds,
            [
                "impersonate /users ann",
                "impersonate /groups dev",
                "impersonate authentication.k8s.io/userextras/example.org/scope view",
                "impersonate authentication.k8s.io/uids 7",
            ]
        );
        let user = wanted.user();
        assert_eq!((&*user.name, &*user.uid), ("ann", "7"));
        assert_eq!(user.extra["example.org/scope"], ["view"]);
        let account = read(&[(USER_HEADER, "system:serviceaccount:shop:chaos")]);
        let deed = account.unwrap().unwrap().deeds().remove(0);
        assert_eq!(
            [&*deed.resource, &deed.namespace, &deed.name],
            ["serviceaccounts", "shop", "chaos"]
        );
    }

    #[test]
    fn groups_without_a_name_are_refused() {
        assert_eq!(
            read(&[(GROUP_HEADER, "dev"), (UID_HEADER, "7")]),
            Err("requested [{Group  dev    } {UID  7  authentication.k8s.io/v1  }] without impersonating a user".into())
        );
    }
}
