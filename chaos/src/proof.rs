//! Whether a fault took effect, and whether it is undone: questions to what was seen, never to what was sent.
use cluster::View;
use model::{FaultKind, Manifest, PodState};

/// What proves that the fault took effect, once it has: the namespace before it was injected against now.
pub fn took_effect(fault: &FaultKind, before: &View, now: &View) -> Option<String> {
    match fault {
        // Each blow has a proof of its own.
        FaultKind::None { .. }
        | FaultKind::PodKill { .. }
        | FaultKind::ContainerKill { .. }
        | FaultKind::ProcessHang { .. } => None,
        FaultKind::ScaledDown { service } => {
            let is_gone = now.pods_of(service).next().is_none()
                && now.endpoints.get(service).is_none_or(|ready| *ready == 0)
                && now.deployments.get(service).is_some_and(|d| d.desired == 0);
            let there_was = names(before.pods_of(service));
            is_gone
                .then(|| format!("{service} has no endpoint and no pod is left ({there_was} gone)"))
        }
        FaultKind::ChaosJob { manifest, .. } => {
            let mut pods = new_pods_of(job_of(manifest)?, before, now);
            pods.find(|p| p.phase == "Succeeded")
                .map(|p| format!("{} says that each blow is proven", p.name))
        }
        FaultKind::ServiceDown { service, .. } => {
            let is_gone = now.pods_of(service).next().is_none()
                && !now.deployments.contains_key(service)
                && !now.services.contains(service);
            let there_was = names(before.pods_of(service));
            is_gone.then(|| {
                format!("Deployment and Service {service} are deleted and no pod of it is left ({there_was} gone)")
            })
        }
        FaultKind::Rollout { deployment, .. } => {
            let is_new = |p: &&PodState| is_of_new_template(p, deployment, before);
            let serves = |p: &&PodState| p.ready && !p.terminating;
            let new: Vec<_> = now
                .pods_of(deployment)
                .filter(is_new)
                .filter(serves)
                .collect();
            let old_serves = now
                .pods_of(deployment)
                .any(|p| !is_new(&p) && !p.terminating);
            let is_over = now
                .deployments
                .get(deployment)
                .is_some_and(|d| d.is_rolled_out());
            (!new.is_empty() && !old_serves && is_over).then(|| {
                let old = names(before.pods_of(deployment));
                format!(
                    "{} of another template ready in place of {old}",
                    names(new.into_iter())
                )
            })
        }
    }
}

/// A pod that was replaced by itself has the template of the one before; only a rollout makes pods of another.
fn is_of_new_template(pod: &PodState, deployment: &str, before: &View) -> bool {
    let was_there = before.pods.contains_key(&pod.uid);
    let mut templates = before.pods_of(deployment).map(|p| &p.template);
    !was_there && templates.all(|template| *template != pod.template)
}

fn new_pods_of<'a>(
    owner: &'a str,
    before: &'a View,
    now: &'a View,
) -> impl Iterator<Item = &'a PodState> {
    let is_new = |p: &&PodState| !before.pods.contains_key(&p.uid);
    now.pods_of(owner).filter(is_new)
}

/// What is missing of a proof that did not come, where more can be said than that.
pub fn what_is_missing(fault: &FaultKind, before: &View, now: &View) -> Option<String> {
    let FaultKind::Rollout { deployment, .. } = fault else {
        return None;
    };
    let mut pods = now.pods_of(deployment);
    let none = !pods.any(|p| is_of_new_template(p, deployment, before));
    none.then(|| {
        format!("no pod of another template came: what was applied changed nothing of {deployment}")
    })
}

/// What shows that a fault will never take effect: a Job that failed, or nothing that could be taken away.
pub fn came_to_nothing(fault: &FaultKind, before: &View, now: &View) -> Option<String> {
    match fault {
        FaultKind::ChaosJob { manifest, .. } => {
            let mut pods = new_pods_of(job_of(manifest)?, before, now);
            let failed = pods.find(|p| p.phase == "Failed")?;
            Some(format!("{} failed: its log says why", failed.name))
        }
        FaultKind::ServiceDown { service, .. } => {
            let was_there = had_pods(service, before) && before.services.contains(service);
            (!was_there).then(|| {
                format!(
                    "{service} had no pod, or no Service, before: nothing of it could be taken away"
                )
            })
        }
        FaultKind::ScaledDown { service } => (!had_pods(service, before))
            .then(|| format!("{service} had no pod before: nothing of it could be taken away")),
        _ => None,
    }
}

fn had_pods(deployment: &str, before: &View) -> bool {
    let had = before.pods_of(deployment).any(|p| !p.terminating);
    had && before.deployments.contains_key(deployment)
}

/// What shows that an undone fault is undone, once it is. Of a fault that deals blows, only the workloads that were `struck` are
/// waited for.
pub fn was_undone(fault: &FaultKind, struck: &[String], now: &View) -> Option<String> {
    match fault {
        FaultKind::None { .. } | FaultKind::Rollout { .. } => {
            Some("nothing was to be undone".into())
        }
        FaultKind::PodKill { .. }
        | FaultKind::ContainerKill { .. }
        | FaultKind::ProcessHang { .. } => {
            let struck: Vec<&str> = struck.iter().map(String::as_str).collect();
            back(&struck, now)
        }
        FaultKind::ChaosJob { manifest, .. } => {
            let still = job_of(manifest).is_some_and(|job| now.pods_of(job).next().is_some());
            let back = back(&fault.workloads(), now);
            back.filter(|_| !still)
                .map(|back| format!("the Job is deleted; {back}"))
        }
        FaultKind::ServiceDown { service, .. } | FaultKind::ScaledDown { service } => {
            let is_back = now
                .deployments
                .get(service)
                .is_some_and(|d| d.is_rolled_out())
                && now.endpoints.get(service).is_some_and(|ready| *ready > 0);
            let ready = names(now.pods_of(service).filter(|p| p.ready));
            is_back.then(|| format!("{service} is back: {ready} ready"))
        }
    }
}

/// The name of the Job in a manifest.
fn job_of(manifest: &Manifest) -> Option<&str> {
    let job = manifest.objects.iter().find(|o| o["kind"] == "Job")?;
    job["metadata"]["name"].as_str()
}

/// What is ready, once all of these Deployments are as they are asked to be.
fn back(workloads: &[&str], now: &View) -> Option<String> {
    let is_back = |name: &&str| {
        let deployment = now.deployments.get(*name);
        deployment.is_none_or(|d| d.is_rolled_out() && d.ready == d.desired)
    };
    workloads.iter().all(is_back).then(|| {
        let ready = now
            .pods
            .values()
            .filter(|p| p.ready && workloads.contains(&&*p.owner));
        format!("{} ready", names(ready))
    })
}

fn names<'a>(pods: impl Iterator<Item = &'a PodState>) -> String {
    let names: Vec<&str> = pods.map(|p| p.name.as_str()).collect();
    if names.is_empty() {
        "no pod".into()
    } else {
        names.join(", ")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use cluster::Replicas;

    fn pod(name: &str, ready: bool, terminating: bool) -> PodState {
        PodState {
            name: name.into(),
            uid: name.into(),
            owner: "review".into(),
            template: name.split('-').next().unwrap().into(),
            phase: "Running".into(),
            ready,
            terminating,
            gone: false,
            restarts: 0,
            reason: String::new(),
        }
    }

    fn view(pods: &[PodState], total: u32) -> View {
        let one = Replicas {
            desired: 1,
            updated: 1,
            ready: 1,
            available: 1,
            total,
            observed: true,
        };
        View {
            pods: pods.iter().map(|p| (p.uid.clone(), p.clone())).collect(),
            deployments: [("review".to_string(), one)].into(),
            services: ["review".to_string()].into(),
            endpoints: [("review".to_string(), 1)].into(),
            ..View::default()
        }
    }

    fn rollout() -> FaultKind {
        let manifest = Manifest {
            file: "review.yaml".into(),
            objects: vec![],
        };
        FaultKind::Rollout {
            deployment: "review".into(),
            manifest,
        }
    }

    fn down() -> FaultKind {
        FaultKind::ServiceDown {
            service: "review".into(),
            grace_period_seconds: None,
        }
    }

    #[test]
    fn a_rollout_is_proven_when_a_new_pod_is_ready_and_the_old_ones_are_told_to_go() {
        let before = view(&[pod("old", true, false)], 1);
        let both = view(&[pod("old", true, false), pod("new", true, false)], 2);
        assert_eq!(took_effect(&rollout(), &before, &before), None);
        assert_eq!(took_effect(&rollout(), &before, &both), None);
        let done = view(&[pod("old", true, true), pod("new", true, false)], 1);
        let evidence = took_effect(&rollout(), &before, &done);
        assert_eq!(
            evidence.as_deref(),
            Some("new of another template ready in place of old")
        );
        assert_eq!(what_is_missing(&rollout(), &before, &done), None);
    }

    #[test]
    fn a_pod_that_was_replaced_by_itself_proves_no_rollout() {
        let before = view(&[pod("old-1", true, false)], 1);
        let replaced = view(&[pod("old-2", true, false)], 1);
        assert_eq!(took_effect(&rollout(), &before, &replaced), None);
        assert_eq!(
            what_is_missing(&rollout(), &before, &replaced).as_deref(),
            Some("no pod of another template came: what was applied changed nothing of review")
        );
    }

    #[test]
    fn what_had_no_pod_before_cannot_be_taken_away() {
        let scaled = FaultKind::ScaledDown {
            service: "review".into(),
        };
        let there = view(&[pod("old", true, false)], 1);
        let empty = view(&[], 0);
        assert_eq!(came_to_nothing(&down(), &there, &there), None);
        assert_eq!(came_to_nothing(&scaled, &there, &there), None);
        assert_eq!(
            came_to_nothing(&scaled, &empty, &empty).as_deref(),
            Some("review had no pod before: nothing of it could be taken away")
        );
        let mut alone = there.clone();
        alone.services.clear();
        assert!(came_to_nothing(&down(), &alone, &alone).is_some());
    }

    #[test]
    fn a_job_that_had_ended_before_says_nothing_of_this_one() {
        let manifest = Manifest {
            file: "kill.yaml".into(),
            objects: vec![serde_json::json!({"kind": "Job", "metadata": {"name": "review"}})],
        };
        let job = FaultKind::ChaosJob {
            manifest,
            chaos: Box::new(chaos()),
        };
        let ended = |name: &str, phase: &str| PodState {
            phase: phase.into(),
            ..pod(name, false, false)
        };
        let before = view(&[ended("a", "Succeeded"), ended("b", "Failed")], 0);
        assert_eq!(took_effect(&job, &before, &before), None);
        assert_eq!(came_to_nothing(&job, &before, &before), None);
        let now = view(&[ended("c", "Succeeded")], 0);
        let evidence = took_effect(&job, &before, &now);
        assert_eq!(evidence.as_deref(), Some("c says that each blow is proven"));
        let failed = view(&[ended("c", "Failed")], 0);
        assert!(came_to_nothing(&job, &before, &failed).is_some());
    }

    fn chaos() -> model::ChaosPlan {
        let aim = model::Aim {
            workloads: vec!["review".into()],
            selector: None,
            mode: model::Mode::One,
            rhythm: model::Rhythm::ONCE,
        };
        model::ChaosPlan {
            name: "kill".into(),
            namespace: None,
            fault: FaultKind::PodKill {
                aim,
                grace_period_seconds: None,
            },
            seed: 1,
            recovery: model::Micros::from_secs(1),
            safety: model::Safety::default(),
        }
    }

    #[test]
    fn workloads_that_no_blow_struck_are_not_waited_for() {
        let crashing = view(&[pod("old", false, false)], 2);
        let struck = |names: &[&str]| {
            let names: Vec<String> = names.iter().map(ToString::to_string).collect();
            was_undone(&chaos().fault, &names, &crashing)
        };
        assert_eq!(struck(&["review"]), None);
        assert_eq!(struck(&[]).as_deref(), Some("no pod ready"));
    }

    #[test]
    fn a_service_is_down_only_when_its_last_pod_is_gone() {
        let before = view(&[pod("old", true, false)], 1);
        let mut now = before.clone();
        now.deployments.clear();
        now.services.clear();
        assert_eq!(took_effect(&down(), &before, &now), None);
        now.pods.clear();
        let evidence = took_effect(&down(), &before, &now).unwrap();
        assert!(evidence.contains("(old gone)"), "{evidence}");
    }

    #[test]
    fn a_service_is_back_only_with_a_ready_endpoint() {
        let mut now = view(&[pod("new", true, false)], 1);
        assert_eq!(
            was_undone(&down(), &[], &now).as_deref(),
            Some("review is back: new ready")
        );
        now.endpoints.insert("review".into(), 0);
        assert_eq!(was_undone(&down(), &[], &now), None);
    }

    #[test]
    fn nothing_can_prove_a_fault_that_was_replaced_by_nothing() {
        let none = FaultKind::None {
            instead_of: Box::new(down()),
        };
        assert_eq!(took_effect(&none, &View::default(), &View::default()), None);
    }
}
