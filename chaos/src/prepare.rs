//! From a fault to the change it makes, and the change that takes it back.
use cluster::{Cluster, Error, View, title};
use model::{FaultKind, Manifest};
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// What is done to the cluster.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Change {
    /// Nothing.
    Nothing,
    /// These objects are applied, in this order.
    Apply(Vec<Value>),
    /// These objects are deleted, in this order; pods of the Deployments among them with this grace in seconds, if one
    /// is given.
    Delete(Vec<Value>, Option<u32>),
    /// A Deployment is scaled.
    Scale {
        /// Its name.
        deployment: String,
        /// To so many replicas.
        replicas: u32,
    },
}

/// A fault that is ready to be injected.
#[derive(Debug, Clone, PartialEq)]
pub struct Prepared {
    /// What it will hit, for people: `Deployment/auth`.
    pub targets: Vec<String>,
    /// The fault.
    pub inject: Change,
    /// Takes it back. Harmless when it was never injected.
    pub undo: Change,
    /// Once it is undone, the Services among these must be reached again.
    pub back: Vec<Value>,
}

/// A fault that aims at nothing.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[error("no manifest has a Deployment {wanted}; there are {there}")]
pub struct NoTarget {
    /// The name that was looked for.
    pub wanted: String,
    /// The names there are.
    pub there: String,
}

/// What a fault does to a system made of these manifests, as it is `now`. Blows against pods change no object: they are dealt by
/// [`Blows`](crate::Blows).
///
/// # Errors
/// [`NoTarget`] when no manifest has the Deployment it names.
pub fn prepare(
    fault: &FaultKind,
    manifests: &[Manifest],
    now: &View,
) -> Result<Prepared, NoTarget> {
    match fault {
        FaultKind::None { .. } => Ok(Prepared {
            targets: vec![],
            inject: Change::Nothing,
            undo: Change::Nothing,
            back: vec![],
        }),
        FaultKind::ServiceDown {
            service,
            grace_period_seconds,
        } => {
            let objects = deployment_and_service(service, manifests)?;
            Ok(Prepared {
                targets: objects.iter().map(title).collect(),
                inject: Change::Delete(
                    objects.iter().rev().cloned().collect(),
                    *grace_period_seconds,
                ),
                undo: Change::Apply(objects.clone()),
                back: objects,
            })
        }
        FaultKind::ScaledDown { service } => {
            let objects = deployment_and_service(service, manifests)?;
            let replicas = now.deployments.get(service).map_or(1, |d| d.desired);
            let scale = |replicas| Change::Scale {
                deployment: service.clone(),
                replicas,
            };
            Ok(Prepared {
                targets: vec![format!("Deployment/{service} of {replicas}")],
                inject: scale(0),
                undo: scale(replicas),
                back: objects,
            })
        }
        FaultKind::PodKill { .. }
        | FaultKind::ContainerKill { .. }
        | FaultKind::ProcessHang { .. } => Ok(Prepared {
            targets: vec![fault.target()],
            inject: Change::Nothing,
            undo: Change::Nothing,
            back: of_workloads(fault, manifests)?,
        }),
        FaultKind::ChaosJob { manifest, .. } => Ok(Prepared {
            targets: vec![format!("{} by {}", fault.target(), manifest.file)],
            inject: Change::Apply(manifest.objects.clone()),
            undo: Change::Delete(manifest.objects.iter().rev().cloned().collect(), None),
            back: of_workloads(fault, manifests)?,
        }),
        FaultKind::Rollout {
            deployment,
            manifest,
        } => {
            deployment_and_service(deployment, manifests)?;
            Ok(Prepared {
                targets: vec![format!("Deployment/{deployment} by {}", manifest.file)],
                inject: Change::Apply(manifest.objects.clone()),
                undo: Change::Nothing,
                back: vec![],
            })
        }
    }
}

/// The Deployments and Services of the workloads that a fault names.
fn of_workloads(fault: &FaultKind, manifests: &[Manifest]) -> Result<Vec<Value>, NoTarget> {
    let each = fault.workloads().into_iter();
    let each = each.map(|name| deployment_and_service(name, manifests));
    Ok(each.collect::<Result<Vec<_>, _>>()?.concat())
}

/// The Deployment of that name, and the Service if there is one, in the order of the manifests.
fn deployment_and_service(name: &str, manifests: &[Manifest]) -> Result<Vec<Value>, NoTarget> {
    let objects = || manifests.iter().flat_map(|m| &m.objects);
    let is = |o: &Value, kind: &str| o["kind"] == kind && o["metadata"]["name"] == name;
    if !objects().any(|o| is(o, "Deployment")) {
        let deployments = objects().filter(|o| o["kind"] == "Deployment");
        let names: Vec<&str> = deployments
            .filter_map(|o| o["metadata"]["name"].as_str())
            .collect();
        return Err(NoTarget {
            wanted: name.into(),
            there: names.join(", "),
        });
    }
    Ok(objects()
        .filter(|o| is(o, "Deployment") || is(o, "Service"))
        .cloned()
        .collect())
}

impl Change {
    /// Does it. Doing it twice is harmless.
    ///
    /// # Errors
    /// When the API server refuses; what was done until then stays.
    pub async fn make(&self, cluster: &Cluster, namespace: &str) -> Result<(), Error> {
        match self {
            Change::Nothing => {}
            Change::Apply(objects) => {
                for object in objects {
                    cluster.apply(namespace, object).await?;
                }
            }
            Change::Delete(objects, grace) => {
                for object in objects {
                    cluster.delete(namespace, object, *grace).await?;
                }
            }
            Change::Scale {
                deployment,
                replicas,
            } => cluster.scale(namespace, deployment, *replicas).await?,
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn manifests() -> Vec<Manifest> {
        ["auth", "room"]
            .map(|name| Manifest {
                file: format!("{name}.yaml"),
                objects: vec![
                    json!({"kind": "Deployment", "metadata": {"name": name}}),
                    json!({"kind": "Service", "metadata": {"name": name}}),
                ],
            })
            .into()
    }

    #[test]
    fn a_service_goes_down_with_its_deployment_and_comes_back_the_same() {
        let fault = FaultKind::ServiceDown {
            service: "auth".into(),
            grace_period_seconds: None,
        };
        let prepared = prepare(&fault, &manifests(), &View::default()).unwrap();
        let [deployment, service] = &manifests()[0].objects[..] else {
            panic!()
        };
        assert_eq!(prepared.targets, ["Deployment/auth", "Service/auth"]);
        assert_eq!(
            prepared.inject,
            Change::Delete(vec![service.clone(), deployment.clone()], None)
        );
        assert_eq!(
            prepared.undo,
            Change::Apply(vec![deployment.clone(), service.clone()])
        );
    }

    #[test]
    fn what_is_scaled_down_comes_back_with_as_many_replicas_as_it_has_now() {
        let fault = FaultKind::ScaledDown {
            service: "room".into(),
        };
        let mut now = View::default();
        now.deployments.insert(
            "room".into(),
            cluster::Replicas {
                desired: 3,
                ..cluster::Replicas::default()
            },
        );
        let prepared = prepare(&fault, &manifests(), &now).unwrap();
        let scale = |replicas| Change::Scale {
            deployment: "room".into(),
            replicas,
        };
        assert_eq!((prepared.inject, prepared.undo), (scale(0), scale(3)));
        assert_eq!(prepared.back, manifests()[1].objects);
    }

    #[test]
    fn a_fault_that_aims_at_nothing_names_what_there_is() {
        let fault = FaultKind::ServiceDown {
            service: "auht".into(),
            grace_period_seconds: None,
        };
        let refused = prepare(&fault, &manifests(), &View::default()).unwrap_err();
        assert_eq!(
            refused.to_string(),
            "no manifest has a Deployment auht; there are auth, room"
        );
    }

    #[test]
    fn a_fault_replaced_by_nothing_changes_nothing() {
        let instead_of = FaultKind::ServiceDown {
            service: "auth".into(),
            grace_period_seconds: None,
        };
        let fault = FaultKind::None {
            instead_of: Box::new(instead_of),
        };
        let prepared = prepare(&fault, &manifests(), &View::default()).unwrap();
        assert_eq!(
            (prepared.inject, prepared.undo),
            (Change::Nothing, Change::Nothing)
        );
    }
}
