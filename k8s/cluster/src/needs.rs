//! Whether a cluster has what a scenario needs.
use crate::{Cluster, Error, objects::doing};
use k8s_openapi::{api::core::v1::Node, apimachinery::pkg::apis::meta::v1::APIGroup};
use kube::{Api, api::ListParams};
use model::Requirement;

/// What a cluster has no way to do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Lack {
    /// What.
    pub what: String,
    /// How it comes to have it, or which cluster does.
    pub way_out: String,
}

impl Cluster {
    /// The first of these things that the cluster lacks.
    ///
    /// # Errors
    /// When the API server does not answer.
    pub async fn lacks(&self, needs: &[Requirement]) -> Result<Option<Lack>, Error> {
        if needs.is_empty() {
            return Ok(None);
        }
        let groups = self.client.list_api_groups().await;
        let groups = groups.map_err(doing("listing API groups"))?.groups;
        let nodes = Api::<Node>::all(self.client.clone());
        let nodes = nodes.list(&ListParams::default()).await;
        let nodes = nodes.map_err(doing("listing nodes"))?.items;
        let missing = needs.iter().find(|need| !has(need, &groups, &nodes));
        Ok(missing.map(|need| Lack {
            what: need.written(),
            way_out: way_out(need),
        }))
    }
}

fn has(need: &Requirement, groups: &[APIGroup], nodes: &[Node]) -> bool {
    match need {
        Requirement::Api(wanted) => groups.iter().any(|g| {
            let mut versions = g.versions.iter();
            g.name == *wanted || versions.any(|v| v.group_version == *wanted)
        }),
        Requirement::Limits => nodes.iter().all(|node| says(node, "LimitsExact")),
        Requirement::Isolation => nodes.iter().all(|node| says(node, "Sandboxed")),
        Requirement::Image(name) => nodes.iter().all(|node| runs(node, name)),
    }
}

/// Only nodes of the embedded cluster have a tier; what they do not say of themselves they do not do. All others do everything.
fn says(node: &Node, condition: &str) -> bool {
    let conditions = node.status.as_ref().and_then(|s| s.conditions.as_deref());
    let mut conditions = conditions.unwrap_or_default().iter();
    !is_embedded(node) || conditions.any(|c| c.type_ == condition && c.status == "True")
}

/// An embedded node lists every image it knows; all others pull what they lack.
fn runs(node: &Node, image: &str) -> bool {
    let images = node.status.as_ref().and_then(|s| s.images.as_deref());
    let mut names = images
        .unwrap_or_default()
        .iter()
        .filter_map(|i| i.names.as_deref())
        .flatten();
    !is_embedded(node) || names.any(|name| name == image)
}

fn is_embedded(node: &Node) -> bool {
    let labels = node.metadata.labels.as_ref();
    labels.is_some_and(|l| l.contains_key("brownout.dev/tier"))
}

fn way_out(need: &Requirement) -> String {
    match need {
        Requirement::Api(group) if group.starts_with("metrics.k8s.io") => {
            "install metrics-server in it, or run on the embedded cluster".into()
        }
        Requirement::Api(group) if group.contains("istio.io") => {
            "install Istio in it, or run on the embedded cluster".into()
        }
        Requirement::Api(_) => "install what serves it, or name another cluster with --cluster kube".into(),
        Requirement::Limits => {
            "run it as root on Linux with cgroups, or on a real cluster with --cluster kube".into()
        }
        Requirement::Isolation => {
            "run it as root or where user namespaces are allowed, or on a real cluster with --cluster kube".into()
        }
        Requirement::Image(name) if name == "postgres" => {
            "install PostgreSQL on this machine (Debian: apt install postgresql), or run on a real cluster with --cluster kube".into()
        }
        Requirement::Image(name) => format!(
            "say which program of this machine it is with --image-map {name}=PROGRAM, or run on a real cluster with --cluster kube"
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn node(labels: serde_json::Value, limits: &str) -> Node {
        let conditions = json!([{"type": "LimitsExact", "status": limits}, {"type": "Sandboxed", "status": "True"}]);
        serde_json::from_value(
            json!({"metadata": {"labels": labels}, "status": {"conditions": conditions}}),
        )
        .unwrap()
    }

    #[test]
    fn an_api_is_there_by_its_group_or_with_its_version() {
        let group = json!({"name": "metrics.k8s.io", "versions": [{"groupVersion": "metrics.k8s.io/v1beta1", "version": "v1beta1"}]});
        let groups: Vec<APIGroup> = vec![serde_json::from_value(group).unwrap()];
        let has = |api: &str| has(&Requirement::Api(api.into()), &groups, &[]);
        assert!(has("metrics.k8s.io") && has("metrics.k8s.io/v1beta1"));
        assert!(!has("metrics.k8s.io/v1") && !has("networking.istio.io"));
    }

    #[test]
    fn an_embedded_node_keeps_limits_only_if_it_says_so() {
        let embedded = json!({"brownout.dev/tier": "sandboxed"});
        let has = |need, node| has(&need, &[], &[node]);
        assert!(has(Requirement::Limits, node(embedded.clone(), "True")));
        assert!(!has(Requirement::Limits, node(embedded.clone(), "False")));
        assert!(has(Requirement::Isolation, node(embedded, "False")));
        assert!(has(Requirement::Limits, node(json!({}), "False")));
    }

    #[test]
    fn an_embedded_node_runs_the_images_it_lists_and_any_other_node_pulls_them() {
        let node = |labels: serde_json::Value| -> Node {
            let images = json!([{"names": ["postgres"], "sizeBytes": 0}]);
            let node = json!({"metadata": {"labels": labels}, "status": {"images": images}});
            serde_json::from_value(node).unwrap()
        };
        let has =
            |image: &str, labels| has(&Requirement::Image(image.into()), &[], &[node(labels)]);
        let embedded = json!({"brownout.dev/tier": "plain"});
        assert!(has("postgres", embedded.clone()) && !has("shop", embedded));
        assert!(has("shop", json!({})));
    }

    #[test]
    fn a_missing_postgresql_is_said_with_what_to_install() {
        let way_out = |image: &str| way_out(&Requirement::Image(image.into()));
        assert!(way_out("postgres").contains("apt install postgresql"));
        assert!(way_out("shop").contains("--image-map shop=PROGRAM"));
    }
}
