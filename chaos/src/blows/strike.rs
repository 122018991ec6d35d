//! One blow against one pod: dealt, proven, held and let go, and followed until its workload has recovered.
use super::{
    Blows,
    aftermath::{Shared, of},
};
use crate::grip;
use cluster::Inside;
use model::{Course, FaultKind, PodState};
use std::time::Duration;
use tokio::{
    sync::oneshot,
    time::{sleep, timeout},
};

/// What is asked about pods is asked so often: the error of a recovery time.
pub(super) const ASK_EVERY: Duration = Duration::from_millis(100);

/// A process that nobody lets go of is let go after so long, whatever becomes of us.
const HOLD_MAX: Duration = Duration::from_secs(3600);

/// Name of brownout in its image: what is started inside a container.
pub(super) const PROGRAM: &str = "brownout";

/// The container has no brownout to start.
pub(super) const NOT_STARTED: &str = "nothing could be started in the container: its image must hold brownout on its PATH, and exec be allowed";

impl Blows {
    /// One blow against one pod, from dealing it to the recovery of its workload.
    pub(super) async fn follow(
        &self,
        number: u32,
        pod: &PodState,
        limit: Duration,
        shared: &Shared,
        proof: oneshot::Sender<Result<String, String>>,
    ) {
        let dealt = timeout(limit, self.strike(pod, shared)).await;
        let dealt = dealt.unwrap_or_else(|_| Err(format!("nothing of it was seen in {limit:?}")));
        let (evidence, held) = match dealt {
            Ok(dealt) => dealt,
            Err(why) => {
                self.say(number, pod, Course::Unproven, why.clone());
                let _ = proof.send(Err(format!("{}: {why}", pod.name)));
                return;
            }
        };
        self.say(number, pod, Course::Proven, evidence);
        let _ = proof.send(Ok(pod.name.clone()));
        let released = match held {
            Some(held) => self.release(held, shared).await,
            None => String::new(),
        };
        let before = of(&shared.before).get(&pod.owner).copied().unwrap_or(1);
        loop {
            if of(&shared.latest).get(&pod.owner) != Some(&number) {
                let why = "struck again before it had recovered";
                return self.say(number, pod, Course::Overtaken, why);
            }
            if let Ok(pods) = self.pods().await
                && let Some(ready) = recovered(&pods, pod, before, &self.fault)
            {
                let detail = format!("{released}{} ready again: {ready}", pod.owner);
                return self.say(number, pod, Course::Recovered, detail);
            }
            sleep(ASK_EVERY).await;
        }
    }

    /// Deals the blow; what proves it, and what is held from then on.
    async fn strike(
        &self,
        pod: &PodState,
        shared: &Shared,
    ) -> Result<(String, Option<Inside>), String> {
        let (namespace, said) = (&self.namespace, |e: cluster::Error| e.to_string());
        let is_struck = || {
            of(&shared.struck).insert(pod.owner.clone());
        };
        match &self.fault {
            FaultKind::PodKill {
                grace_period_seconds,
                ..
            } => {
                let deleted = self
                    .cluster
                    .delete_pod(namespace, pod, *grace_period_seconds);
                if !deleted.await.map_err(said)? {
                    return Err("it was gone before it could be deleted".into());
                }
                is_struck();
                let gone = |pods: &[PodState]| {
                    let is_gone = pods.iter().all(|p| p.uid != pod.uid);
                    is_gone.then(|| format!("pod {} is gone, deleted by us", pod.name))
                };
                Ok((self.until(gone).await, None))
            }
            FaultKind::ContainerKill { container, .. } => {
                let killed = self.kill(pod, container.as_deref(), is_struck);
                Ok((killed.await?, None))
            }
            FaultKind::ProcessHang {
                container, held, ..
            } => {
                let limit = held.map_or(HOLD_MAX, Duration::from);
                let ms = limit.as_millis().to_string();
                let words = [PROGRAM, grip::WORD, "hold", &ms];
                let container = container.as_deref();
                let inside = self
                    .cluster
                    .start_inside(namespace, &pod.name, container, &words);
                let mut inside = inside.await.map_err(said)?;
                let line = inside.line().await;
                match line.as_deref().and_then(|l| l.strip_prefix("held ")) {
                    Some(evidence) => {
                        is_struck();
                        Ok((format!("{}: {evidence}", pod.name), Some(inside)))
                    }
                    None => Err(refusal(line).unwrap_or_else(|| NOT_STARTED.into())),
                }
            }
            _ => unreachable!("only faults with an aim deal blows"),
        }
    }

    /// Holds until it is over or everything is let go; what was seen of it, for people.
    async fn release(&self, mut held: Inside, shared: &Shared) -> String {
        let asked = shared.let_go.notified();
        if !*of(&shared.released) {
            tokio::select! {
                line = held.line() => return said(line.as_deref()),
                () = asked => {}
            }
        }
        said(held.end().await.as_deref())
    }

    async fn until(&self, seen: impl Fn(&[PodState]) -> Option<String>) -> String {
        loop {
            if let Ok(pods) = self.pods().await
                && let Some(evidence) = seen(&pods)
            {
                return evidence;
            }
            sleep(ASK_EVERY).await;
        }
    }
}

/// Why the program inside did nothing, if it did nothing.
pub(super) fn refusal(line: Option<String>) -> Option<String> {
    match line {
        None => Some(NOT_STARTED.into()),
        Some(line) => line.strip_prefix("refused ").map(str::to_owned),
    }
}

/// The last words of the program that held.
fn said(line: Option<&str>) -> String {
    match line.and_then(|line| line.strip_prefix("let go")) {
        Some(rest) => format!("let go{rest}; "),
        // Killed with its container, by a liveness probe for instance.
        None => "its container ended while it was held; ".into(),
    }
}

/// The ready pods of the workload once it is as well off as before, without the pod that was killed.
fn recovered(
    pods: &[PodState],
    struck: &PodState,
    before: usize,
    fault: &FaultKind,
) -> Option<String> {
    let replaced = matches!(fault, FaultKind::PodKill { .. });
    let ready: Vec<&str> = pods
        .iter()
        .filter(|p| p.owner == struck.owner && p.ready && !p.terminating)
        .filter(|p| !(replaced && p.uid == struck.uid))
        .map(|p| p.name.as_str())
        .collect();
    (ready.len() >= before.max(1)).then(|| ready.join(", "))
}

#[cfg(test)]
mod tests {
    use super::*;
    use model::{Aim, Mode, Rhythm};

    fn pod(uid: &str, ready: bool) -> PodState {
        PodState {
            name: format!("room-{uid}"),
            uid: uid.into(),
            owner: "room".into(),
            template: String::new(),
            phase: "Running".into(),
            ready,
            terminating: false,
            gone: false,
            restarts: 0,
            reason: String::new(),
        }
    }

    #[test]
    fn a_workload_has_recovered_when_as_many_others_are_ready() {
        let aim = Aim {
            workloads: vec!["room".into()],
            selector: None,
            mode: Mode::One,
            rhythm: Rhythm::ONCE,
        };
        let kill = FaultKind::PodKill {
            aim: aim.clone(),
            grace_period_seconds: None,
        };
        let restart = FaultKind::ContainerKill {
            aim,
            container: None,
        };
        let struck = pod("a", true);
        let now = [pod("a", true), pod("b", true)];
        assert_eq!(recovered(&now, &struck, 2, &kill), None);
        assert_eq!(
            recovered(&now, &struck, 1, &kill).as_deref(),
            Some("room-b")
        );
        assert_eq!(
            recovered(&now, &struck, 2, &restart).as_deref(),
            Some("room-a, room-b")
        );
        assert_eq!(recovered(&[pod("b", false)], &struck, 1, &kill), None);
    }

    #[test]
    fn what_the_program_inside_says_is_understood() {
        assert_eq!(refusal(Some("killing process 1".into())), None);
        assert_eq!(
            refusal(Some("refused it cannot be held".into())).as_deref(),
            Some("it cannot be held")
        );
        assert!(refusal(None).unwrap().contains("must hold brownout"));
        assert_eq!(
            said(Some("let go of process 1 as asked")),
            "let go of process 1 as asked; "
        );
        assert!(said(None).contains("ended while it was held"));
    }
}
