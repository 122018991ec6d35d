//! names — which Service a host name of a rule means, and whose rule applies to a call.

/// What every full name of a Service ends with.
const SUFFIX: &str = ".svc.cluster.local";

/// A Service.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ServiceName {
    /// Its namespace.
    pub namespace: String,
    /// Its own name.
    pub name: String,
}

impl ServiceName {
    /// `namespace/name` of nothing but these two.
    pub fn new(namespace: impl Into<String>, name: impl Into<String>) -> ServiceName {
        ServiceName {
            namespace: namespace.into(),
            name: name.into(),
        }
    }

    /// `order.shop.svc.cluster.local`.
    pub fn host(&self) -> String {
        format!("{}.{}{SUFFIX}", self.name, self.namespace)
    }

    /// The Service that `host` means in a rule of `namespace`; none if it has a `*` or is no name of a Service.
    pub fn of(host: &str, namespace: &str) -> Option<ServiceName> {
        let short = host.strip_suffix(SUFFIX).unwrap_or(host);
        let short = short.strip_suffix(".svc").unwrap_or(short);
        let mut parts = short.split('.');
        let name = parts
            .next()
            .filter(|name| !name.is_empty() && !name.contains('*'))?;
        let given = parts.next();
        if parts.next().is_some() {
            return None;
        }
        Some(ServiceName::new(given.unwrap_or(namespace), name))
    }

    /// Whether `host`, in a rule of `namespace`, means this Service.
    pub fn is_meant_by(&self, host: &str, namespace: &str) -> bool {
        match host.strip_prefix('*') {
            Some(end) => self.host().ends_with(end),
            None => ServiceName::of(host, namespace).as_ref() == Some(self),
        }
    }
}

/// Whose rule applies when several mean the same Service: the client's own namespace, then the Service's, then the mesh's. Smaller is
/// sooner; none if the rule is not for this client at all.
pub fn precedence(
    rule_namespace: &str,
    export_to: &[String],
    client_namespace: &str,
    service_namespace: &str,
) -> Option<u8> {
    /// Istio's root namespace.
    const ROOT: &str = "istio-system";
    let is_seen = rule_namespace == client_namespace
        || export_to.is_empty()
        || export_to
            .iter()
            .any(|to| to == "*" || to == client_namespace);
    let rank = match rule_namespace {
        own if own == client_namespace => 0,
        of_service if of_service == service_namespace => 1,
        ROOT => 2,
        _ => return None,
    };
    is_seen.then_some(rank)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_short_name_means_the_rule_s_own_namespace() {
        let order = ServiceName::new("shop", "order");
        for host in [
            "order",
            "order.shop",
            "order.shop.svc",
            "order.shop.svc.cluster.local",
            "*.shop.svc.cluster.local",
            "*",
        ] {
            assert!(order.is_meant_by(host, "shop"), "{host}");
        }
        for host in ["pay", "order.other", "*.other.svc.cluster.local"] {
            assert!(!order.is_meant_by(host, "shop"), "{host}");
        }
        assert!(!order.is_meant_by("order", "other"));
    }

    #[test]
    fn the_client_s_rule_comes_before_the_service_s_and_that_before_the_mesh_s() {
        let of = |rule, to: &[String]| precedence(rule, to, "client", "service");
        assert_eq!(
            [
                of("client", &[]),
                of("service", &[]),
                of("istio-system", &[]),
                of("else", &[])
            ],
            [Some(0), Some(1), Some(2), None]
        );
        assert_eq!(of("service", &[".".into()]), None);
        assert_eq!(of("client", &[".".into()]), Some(0));
    }
}
