//! A chaos file performed by itself, by hand or as a Job in the cluster: guard rails first, then blows, each written to the
//! cluster's events and told to whoever listens.
use crate::blows::{Aftermath, Blows, Dealt};
use cluster::{
    Cluster,
    access::{Right, STRIKE_ANNOTATION, Told},
};
use model::{ChaosPlan, Course, FaultKind, Strike};
use std::{sync::Arc, time::Duration};
use tokio::{sync::mpsc, task::JoinHandle, time::timeout};

/// Who stops a Job waits 30 s before killing it: what was struck may take so long of that to recover.
const STOPPED_MAX: Duration = Duration::from_secs(25);

/// Events that the API server has not taken by then are given up: the lines on standard output have them all.
const EVENTS_MAX: Duration = Duration::from_secs(10);

/// Why nothing was touched.
#[derive(Debug, thiserror::Error)]
pub enum Refused {
    /// The namespace is not on the list.
    #[error(
        "namespace {namespace} is not in safety.allowNamespaces ({allowed}): nothing was touched"
    )]
    NotAllowed {
        /// Which.
        namespace: String,
        /// What is.
        allowed: String,
    },
    /// The namespace does not agree.
    #[error(
        "namespace {namespace} does not have the annotation {key}: {value:?} that safety.requireAnnotation asks for: nothing was \
         touched. kubectl annotate namespace {namespace} {key}={value}"
    )]
    NotAnnotated {
        /// Which.
        namespace: String,
        /// The annotation.
        key: String,
        /// Its value.
        value: String,
    },
    /// The cluster refuses.
    #[error(transparent)]
    Cluster(#[from] cluster::Error),
}

/// A chaos file and the cluster it is for, the namespace agreed upon.
pub struct Job {
    plan: ChaosPlan,
    cluster: Cluster,
    namespace: String,
}

/// What would be done.
#[derive(Debug, Clone, PartialEq)]
pub struct Preview {
    /// The namespace.
    pub namespace: String,
    /// Whom the first blows would hit, of whom; or why they would hit nobody.
    pub targets: Result<Vec<String>, String>,
    /// Each right that is needed, and whether it is there; an answer that cannot be had says why.
    pub rights: Vec<(String, Result<bool, String>)>,
}

impl Preview {
    /// Whether it would work.
    pub fn is_good(&self) -> bool {
        self.targets.is_ok() && self.rights.iter().all(|(_, may)| *may != Ok(false))
    }
}

/// What became of it.
#[derive(Debug, Clone, PartialEq)]
pub struct Ended {
    /// The blows.
    pub dealt: Dealt,
    /// What shows that everything struck has recovered, or what does not.
    pub recovered: Result<String, String>,
    /// Who stopped it, if somebody did.
    pub stopped: Option<String>,
}

impl Job {
    /// Checks the guard rails that concern the namespace; only reads.
    ///
    /// # Errors
    /// [`Refused`] when it may not be touched.
    pub async fn new(plan: ChaosPlan, cluster: Cluster) -> Result<Job, Refused> {
        let own = cluster.own_namespace().to_string();
        let namespace = plan.namespace.clone().unwrap_or(own);
        if !plan.safety.allows(&namespace) {
            return Err(Refused::NotAllowed {
                namespace,
                allowed: plan.safety.allow_namespaces.join(", "),
            });
        }
        if !plan.safety.require_annotation.is_empty() {
            let has = cluster.annotations_of(&namespace).await?;
            let wanted = plan.safety.require_annotation.iter();
            for (key, value) in wanted {
                if has.get(key) != Some(value) {
                    let (key, value) = (key.clone(), value.clone());
                    return Err(Refused::NotAnnotated {
                        namespace,
                        key,
                        value,
                    });
                }
            }
        }
        Ok(Job {
            plan,
            cluster,
            namespace,
        })
    }

    /// The namespace that is touched.
    pub fn namespace(&self) -> &str {
        &self.namespace
    }

    /// Resolves the targets and asks for the rights; touches nothing.
    pub async fn preview(&self) -> Preview {
        let mut rights = vec![];
        for right in rights_of(&self.plan.fault) {
            let may = self.cluster.may(&self.namespace, right).await;
            rights.push((right.write(), may.map_err(|e| e.to_string())));
        }
        Preview {
            namespace: self.namespace.clone(),
            targets: self.blows(Arc::new(|_| {})).targets().await,
            rights,
        }
    }

    /// Deals the blows and waits for recovery, until `stop`; what is held is let go in any case. `told` hears of everything, and
    /// the cluster's events have it, too.
    pub async fn run(
        &self,
        stop: impl Future<Output = String>,
        told: impl Fn(&Strike) + Send + Sync + 'static,
    ) -> Ended {
        let (events, writing) = self.write_events();
        let blows = self.blows(Arc::new(move |strike| {
            told(&strike);
            // Whoever writes them has ended only when this is dropped.
            let _ = events.send(strike);
        }));
        let mut aftermath = Aftermath::default();
        let recovery = Duration::from(self.plan.recovery);
        let course = async {
            let dealt = blows.deal(recovery, &mut aftermath).await;
            let recovered = aftermath.settled(self.held() + recovery).await;
            (dealt, recovered)
        };
        let came = tokio::select! {
            came = course => Ok(came),
            by = stop => Err(by),
        };
        let (dealt, recovered, stopped) = match came {
            Ok((dealt, recovered)) => (dealt, recovered, None),
            Err(by) => {
                let recovered = aftermath.end(recovery.min(STOPPED_MAX)).await;
                (Dealt::default(), recovered, Some(by))
            }
        };
        // The followers, which hold the way to the events, go first.
        drop((aftermath, blows));
        let _ = timeout(EVENTS_MAX, writing).await;
        Ended {
            dealt,
            recovered,
            stopped,
        }
    }

    /// How long a blow lasts by itself.
    fn held(&self) -> Duration {
        match &self.plan.fault {
            FaultKind::ProcessHang {
                held: Some(held), ..
            } => Duration::from(*held),
            _ => Duration::ZERO,
        }
    }

    fn blows(&self, told: Arc<dyn Fn(Strike) + Send + Sync>) -> Blows {
        Blows {
            cluster: self.cluster.clone(),
            namespace: self.namespace.clone(),
            step: self.plan.name.clone(),
            fault: self.plan.fault.clone(),
            seed: self.plan.seed,
            safety: self.plan.safety.clone(),
            told,
        }
    }

    /// Writes events in the order in which they happened.
    fn write_events(&self) -> (mpsc::UnboundedSender<Strike>, JoinHandle<()>) {
        let (sender, mut strikes) = mpsc::unbounded_channel::<Strike>();
        let (cluster, namespace) = (self.cluster.clone(), self.namespace.clone());
        let word = self.plan.fault.word();
        let writing = tokio::spawn(async move {
            while let Some(strike) = strikes.recv().await {
                let event = event(word, &strike);
                if let Err(error) = cluster.tell(&namespace, &event).await {
                    tracing::warn!(%error, reason = event.reason, "an event was not written");
                }
            }
        });
        (sender, writing)
    }
}

/// What a fault needs to be allowed to do.
fn rights_of(fault: &FaultKind) -> Vec<Right> {
    let core = |verb, resource, subresource| Right {
        verb,
        group: "",
        resource,
        subresource,
    };
    let mut rights = vec![core("list", "pods", ""), core("create", "events", "")];
    match fault {
        FaultKind::PodKill { .. } => rights.push(core("delete", "pods", "")),
        // A command goes over a WebSocket, which is a GET; newer API servers ask for both.
        _ => rights.extend([core("get", "pods", "exec"), core("create", "pods", "exec")]),
    }
    rights
}

fn event(fault: &str, strike: &Strike) -> Told {
    let (kind, name) = match strike.pod.as_str() {
        "" => ("Deployment", &strike.workload),
        _ => ("Pod", &strike.pod),
    };
    let mut reason = strike.course.word().to_string();
    reason[..1].make_ascii_uppercase();
    Told {
        kind: kind.into(),
        name: name.clone(),
        uid: String::new(),
        warning: matches!(
            strike.course,
            Course::Made | Course::Unproven | Course::Withheld
        ),
        reason: format!("Chaos{reason}"),
        message: format!(
            "{fault} by {}, blow {}: {}",
            strike.step, strike.number, strike.detail
        ),
        annotations: [(
            STRIKE_ANNOTATION.to_string(),
            serde_json::to_string(strike).expect("a strike is plain data"),
        )]
        .into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use model::{Aim, Mode, Rhythm, Safety};

    fn plan(fault: impl Fn(Aim) -> FaultKind) -> ChaosPlan {
        ChaosPlan {
            name: "kill".into(),
            namespace: Some("shop".into()),
            fault: fault(Aim {
                workloads: vec!["room".into()],
                selector: None,
                mode: Mode::One,
                rhythm: Rhythm::ONCE,
            }),
            seed: 1,
            recovery: model::Micros::from_secs(1),
            safety: Safety {
                allow_namespaces: vec!["shop".into()],
                ..Safety::default()
            },
        }
    }

    fn kill(aim: Aim) -> FaultKind {
        FaultKind::PodKill {
            aim,
            grace_period_seconds: None,
        }
    }

    fn cluster() -> Cluster {
        Cluster::new(apiserver::ApiServer::new(apiserver::Config::default()).client("default"))
    }

    #[test]
    fn a_fault_asks_for_no_more_than_it_needs() {
        let of = |fault| -> Vec<String> { rights_of(&fault).iter().map(Right::write).collect() };
        let aim = || plan(kill).fault.aim().unwrap().clone();
        assert_eq!(
            of(kill(aim())),
            ["list pods", "create events", "delete pods"]
        );
        let hang = FaultKind::ProcessHang {
            aim: aim(),
            container: None,
            held: None,
        };
        assert_eq!(
            of(hang),
            [
                "list pods",
                "create events",
                "get pods/exec",
                "create pods/exec"
            ]
        );
    }

    #[tokio::test]
    async fn a_namespace_that_is_not_allowed_is_refused_before_anything_is_asked() {
        let mut elsewhere = plan(kill);
        elsewhere.namespace = Some("prod".into());
        let refused = Job::new(elsewhere, cluster()).await.err().unwrap();
        assert!(
            refused
                .to_string()
                .starts_with("namespace prod is not in safety.allowNamespaces (shop)"),
            "{refused}"
        );
        // Where none is named it is the client's own, and that must be allowed as well.
        let mut own = plan(kill);
        own.namespace = None;
        let refused = Job::new(own, cluster()).await.err().unwrap();
        assert!(
            refused.to_string().starts_with("namespace default is not"),
            "{refused}"
        );
    }

    #[tokio::test]
    async fn a_namespace_that_does_not_agree_is_refused_with_the_way_out() {
        let mut asking = plan(kill);
        asking.namespace = Some("default".into());
        asking.safety.allow_namespaces = vec!["default".into()];
        asking
            .safety
            .require_annotation
            .insert("brownout/allow-chaos".into(), "true".into());
        let refused = Job::new(asking, cluster()).await.err().unwrap();
        let said = refused.to_string();
        assert!(
            said.ends_with("kubectl annotate namespace default brownout/allow-chaos=true"),
            "{said}"
        );
    }

    #[test]
    fn an_event_says_what_happened_to_whom() {
        let strike = Strike {
            step: "kill".into(),
            number: 3,
            pod: "room-1".into(),
            workload: "room".into(),
            course: Course::Made,
            detail: "one of 1 running, seed 1".into(),
        };
        let told = event("pod-kill", &strike);
        assert_eq!(
            (told.kind.as_str(), told.name.as_str(), told.reason.as_str()),
            ("Pod", "room-1", "ChaosMade")
        );
        assert_eq!(
            told.message,
            "pod-kill by kill, blow 3: one of 1 running, seed 1"
        );
        let back: Strike = serde_json::from_str(&told.annotations[STRIKE_ANNOTATION]).unwrap();
        assert_eq!(back, strike);
    }
}
