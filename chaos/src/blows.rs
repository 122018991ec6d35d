//! Blows against pods, one after the other as their rhythm says: each is chosen, dealt, proven, and followed until the workload
//! has recovered. What is asked is the API, what is told goes to whoever listens.
use crate::draw::{self, Due};
use crate::grip;
use cluster::{Cluster, Inside};
use model::{Aim, Course, EmptyTarget, FaultKind, Micros, PodState, Safety, Strike};
use std::{
    collections::{BTreeMap, BTreeSet},
    fmt,
    sync::{Arc, Mutex},
    time::Duration,
};
use tokio::{
    sync::Notify,
    task::JoinSet,
    time::{Instant, sleep, sleep_until, timeout},
};

/// What is asked about pods is asked so often: the error of a recovery time.
const ASK_EVERY: Duration = Duration::from_millis(100);

/// A process that nobody lets go of is let go after so long, whatever becomes of us.
const HOLD_MAX: Duration = Duration::from_secs(3600);

/// Name of brownout in its image: what is started inside a container.
const PROGRAM: &str = "brownout";

/// Deals the blows of one fault.
#[derive(Clone)]
pub struct Blows {
    /// The cluster.
    pub cluster: Cluster,
    /// Where the pods are.
    pub namespace: String,
    /// What reports call it: the name of the step or of the chaos file.
    pub step: String,
    /// What each blow does: one of the faults that have an aim.
    pub fault: FaultKind,
    /// Feeds every choice.
    pub seed: u64,
    /// What is kept to.
    pub safety: Safety,
    /// Hears of everything as it happens.
    pub told: Arc<dyn Fn(Strike) + Send + Sync>,
}

/// What is still under way, or still held, after the last blow. Dropping it lets go of everything that is held.
#[derive(Default)]
pub struct Aftermath {
    following: JoinSet<()>,
    shared: Shared,
}

/// What the followers of all blows share.
#[derive(Clone, Default)]
struct Shared {
    /// Ready pods of each workload before it was first struck.
    before: Arc<Mutex<BTreeMap<String, usize>>>,
    /// The number of the latest blow against each workload.
    latest: Arc<Mutex<BTreeMap<String, u32>>>,
    /// Ends all holding.
    let_go: Arc<Notify>,
    released: Arc<Mutex<bool>>,
}

/// What all blows together came to.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Dealt {
    /// Pods that were struck, with proof.
    pub proven: Vec<String>,
    /// What was missing of those that could not be proven.
    pub unproven: Vec<String>,
    /// Why blows were withheld.
    pub withheld: Vec<String>,
}

impl Dealt {
    /// For people: `3 blows proven: room-1, room-2, pay-1`.
    pub fn summary(&self) -> String {
        let mut said = match self.proven.len() {
            0 => "no blow was dealt".to_string(),
            1 => format!("1 blow proven: {}", self.proven[0]),
            n => format!("{n} blows proven: {}", shortened(&self.proven)),
        };
        if !self.withheld.is_empty() {
            said += &format!("; {} withheld: {}", self.withheld.len(), self.withheld[0]);
        }
        said
    }
}

/// More names than this make a line that nobody reads; every one is on the timeline.
const NAMED_MAX: usize = 6;

fn shortened(names: &[String]) -> String {
    match names.len() > NAMED_MAX {
        true => format!(
            "{} and {} more",
            names[..NAMED_MAX].join(", "),
            names.len() - NAMED_MAX
        ),
        false => names.join(", "),
    }
}

/// Lock of plain data.
fn of<T>(shared: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    shared
        .lock()
        .expect("nothing panics while it holds this lock")
}

impl Blows {
    fn aim(&self) -> &Aim {
        self.fault
            .aim()
            .expect("only faults with an aim deal blows")
    }

    fn labels(&self) -> String {
        let selector = self.aim().selector.as_ref();
        selector.map(model::Selector::write).unwrap_or_default()
    }

    async fn pods(&self) -> Result<Vec<PodState>, String> {
        let pods = self.cluster.pods(&self.namespace, &self.labels()).await;
        pods.map_err(|e| e.to_string())
    }

    fn say(&self, number: u32, pod: &PodState, course: Course, detail: impl Into<String>) {
        (self.told)(Strike {
            step: self.step.clone(),
            number,
            pod: pod.name.clone(),
            workload: pod.owner.clone(),
            course,
            detail: detail.into(),
        });
    }

    /// What would be hit now, for people; nothing is touched.
    ///
    /// # Errors
    /// When the pods cannot be listed, or a blow would find nobody.
    pub async fn targets(&self) -> Result<Vec<String>, String> {
        let pods = self.pods().await?;
        let mut said = vec![];
        let mut lanes = BTreeSet::new();
        for due in draw::schedule(self.aim(), self.seed) {
            if !lanes.insert(due.workload.clone()) {
                continue;
            }
            let candidates = draw::candidates(&pods, due.workload.as_deref());
            let named = |pods: &[PodState]| {
                let names: Vec<&str> = pods.iter().map(|p| p.name.as_str()).collect();
                names.join(", ")
            };
            let lane = due.workload.clone().unwrap_or_else(|| self.aim().write());
            let chosen = draw::choose(self.aim().mode, &candidates, due.seed)
                .map_err(|why| format!("{lane}: {why}"))?;
            let kept = draw::forbidden(&self.safety, &candidates, &chosen);
            let kept = kept.map(|why| format!(" (it would be withheld: {why})"));
            said.push(format!(
                "{lane}: {} of {}{}",
                named(&chosen),
                named(&candidates),
                kept.unwrap_or_default()
            ));
        }
        Ok(said)
    }

    /// Deals all blows and waits until each is proven, or is known not to be within `limit` after it was dealt.
    ///
    /// Whoever stops waiting for this ends the rhythm; what was dealt until then is in `aftermath`.
    pub async fn deal(&self, limit: Duration, aftermath: &mut Aftermath) -> Dealt {
        let began = Instant::now();
        let mut proving = JoinSet::new();
        let mut dealt = Dealt::default();
        let mut number = 0;
        for due in draw::schedule(self.aim(), self.seed) {
            sleep_until(began + Duration::from(due.at)).await;
            number += 1;
            let blow = self.one(number, &due, limit, aftermath, &mut proving);
            if let Err(withheld) = blow.await {
                match withheld {
                    Withheld::Forbidden(why) => dealt.withheld.push(why),
                    Withheld::Nobody(why) => dealt.unproven.push(why),
                }
            }
        }
        while let Some(proven) = proving.join_next().await {
            match proven {
                Ok(Ok(pod)) => dealt.proven.push(pod),
                Ok(Err(why)) => dealt.unproven.push(why),
                Err(e) => dealt.unproven.push(e.to_string()),
            }
        }
        dealt.proven.sort();
        dealt
    }

    async fn one(
        &self,
        number: u32,
        due: &Due,
        limit: Duration,
        aftermath: &mut Aftermath,
        proving: &mut JoinSet<Result<String, String>>,
    ) -> Result<(), Withheld> {
        let lane = due.workload.clone().unwrap_or_else(|| self.aim().write());
        let nobody = |why: String| self.withhold(number, &lane, why, self.safety.empty_target);
        let pods = match self.pods().await {
            Ok(pods) => pods,
            Err(why) => return Err(nobody(why)),
        };
        let candidates = draw::candidates(&pods, due.workload.as_deref());
        let chosen = match draw::choose(self.aim().mode, &candidates, due.seed) {
            Ok(chosen) => chosen,
            Err(why) => return Err(nobody(why)),
        };
        let of_it: Vec<PodState> = pods
            .into_iter()
            .filter(|p| due.workload.as_ref().is_none_or(|name| p.owner == *name))
            .collect();
        if let Some(why) = draw::forbidden(&self.safety, &of_it, &chosen) {
            return Err(self.withhold(number, &lane, why, EmptyTarget::Skip));
        }
        let how = format!(
            "{} of {} running, seed {}{}",
            self.aim().mode.write(),
            candidates.len(),
            self.seed,
            self.terms()
        );
        for pod in &chosen {
            let ready = of_it
                .iter()
                .filter(|p| p.owner == pod.owner && p.ready && !p.terminating)
                .count();
            let shared = aftermath.shared.clone();
            of(&shared.before).entry(pod.owner.clone()).or_insert(ready);
            of(&shared.latest).insert(pod.owner.clone(), number);
            self.say(number, pod, Course::Made, how.clone());
            let (blows, pod) = (self.clone(), pod.clone());
            let (proof, proven) = tokio::sync::oneshot::channel();
            aftermath.following.spawn(async move {
                blows.follow(number, &pod, limit, &shared, proof).await;
            });
            proving.spawn(async move {
                proven
                    .await
                    .unwrap_or_else(|_| Err("a blow was not followed".into()))
            });
        }
        Ok(())
    }

    fn withhold(&self, number: u32, lane: &str, why: String, meaning: EmptyTarget) -> Withheld {
        let why = format!("{lane}: {why}");
        let course = match meaning {
            EmptyTarget::Skip => Course::Withheld,
            EmptyTarget::Fail => Course::Unproven,
        };
        (self.told)(Strike {
            step: self.step.clone(),
            number,
            pod: String::new(),
            workload: lane.into(),
            course,
            detail: why.clone(),
        });
        match meaning {
            EmptyTarget::Skip => Withheld::Forbidden(why),
            EmptyTarget::Fail => Withheld::Nobody(why),
        }
    }

    /// What a blow does beyond its word.
    fn terms(&self) -> String {
        match &self.fault {
            FaultKind::PodKill {
                grace_period_seconds: Some(grace),
                ..
            } => format!(", {grace} s of grace"),
            FaultKind::ProcessHang {
                held: Some(held), ..
            } => format!(", held for {held}"),
            _ => String::new(),
        }
    }

    /// One blow against one pod, from dealing it to the recovery of its workload.
    async fn follow(
        &self,
        number: u32,
        pod: &PodState,
        limit: Duration,
        shared: &Shared,
        proof: tokio::sync::oneshot::Sender<Result<String, String>>,
    ) {
        let dealt = timeout(limit, self.strike(pod)).await;
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
    async fn strike(&self, pod: &PodState) -> Result<(String, Option<Inside>), String> {
        let (namespace, said) = (&self.namespace, |e: cluster::Error| e.to_string());
        match &self.fault {
            FaultKind::PodKill {
                grace_period_seconds,
                ..
            } => {
                let deleted = self
                    .cluster
                    .delete_pod(namespace, pod, *grace_period_seconds);
                deleted.await.map_err(said)?;
                let gone = |pods: &[PodState]| {
                    let is_gone = pods.iter().all(|p| p.uid != pod.uid);
                    is_gone.then(|| format!("pod {} is gone", pod.name))
                };
                Ok((self.until(gone).await, None))
            }
            FaultKind::ContainerKill { container, .. } => {
                let words = [PROGRAM, grip::WORD, "kill"];
                let container = container.as_deref();
                let inside = self
                    .cluster
                    .start_inside(namespace, &pod.name, container, &words);
                let mut inside = inside.await.map_err(said)?;
                let first = inside.line().await;
                // What comes after "killing" is a refusal, or nothing any more.
                let next = match first.is_some() {
                    true => timeout(REFUSAL_MAX, inside.line()).await.ok().flatten(),
                    false => None,
                };
                let patience = if first.is_some() {
                    HOLD_MAX
                } else {
                    SILENT_MAX
                };
                for line in [first, next].into_iter().flatten() {
                    if let Some(why) = line.strip_prefix("refused ") {
                        return Err(why.into());
                    }
                }
                let restarted = |pods: &[PodState]| {
                    let now = pods.iter().find(|p| p.uid == pod.uid);
                    match now {
                        None => Some(format!("pod {} is gone", pod.name)),
                        Some(now) if now.restarts > pod.restarts => Some(format!(
                            "restart count of {} grew from {} to {}",
                            pod.name, pod.restarts, now.restarts
                        )),
                        Some(_) => None,
                    }
                };
                let seen = timeout(patience, self.until(restarted)).await;
                Ok((seen.map_err(|_| NOT_STARTED.to_string())?, None))
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
                    Some(evidence) => Ok((format!("{}: {evidence}", pod.name), Some(inside))),
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

/// Why a blow was not dealt.
enum Withheld {
    /// That was wanted.
    Forbidden(String),
    /// It should have been.
    Nobody(String),
}

/// A process that may be killed is dead long before; one that may not says so at once.
const REFUSAL_MAX: Duration = Duration::from_secs(1);

/// A container may die before what was said in it is heard; then its restart is seen in this time.
const SILENT_MAX: Duration = Duration::from_secs(10);

/// The container has no brownout to start.
const NOT_STARTED: &str = "nothing could be started in the container: its image must hold brownout on its PATH, and exec be allowed";

/// Why the program inside did nothing, if it did nothing.
fn refusal(line: Option<String>) -> Option<String> {
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

impl Aftermath {
    /// Lets go of what is held and waits until every workload that was struck has as many ready pods as before; what shows it.
    ///
    /// # Errors
    /// What had not recovered within `limit`.
    pub async fn end(&mut self, limit: Duration) -> Result<String, String> {
        *of(&self.shared.released) = true;
        self.shared.let_go.notify_waiters();
        self.settled(limit).await
    }

    /// The same without letting go: what is held is let go when its time is over.
    ///
    /// # Errors
    /// What had not recovered within `limit`.
    pub async fn settled(&mut self, limit: Duration) -> Result<String, String> {
        let all = async { while self.following.join_next().await.is_some() {} };
        let done = timeout(limit, all).await;
        let struck = of(&self.shared.before).clone();
        let told = struck.iter().map(|(name, ready)| format!("{name} {ready}"));
        let told = told.collect::<Vec<_>>().join(", ");
        match done {
            Ok(()) if struck.is_empty() => Ok("nothing was struck".into()),
            Ok(()) => Ok(format!("as many ready as before: {told}")),
            Err(_) => Err(format!(
                "not as many pods were ready again as before within {} ({told})",
                Micros::from(limit)
            )),
        }
    }

    /// Names of the workloads that were struck.
    pub fn struck(&self) -> Vec<String> {
        of(&self.shared.before).keys().cloned().collect()
    }
}

impl fmt::Debug for Aftermath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Aftermath").finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use model::{Mode, Rhythm};

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
