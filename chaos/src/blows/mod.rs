//! Blows against pods, one after the other as their rhythm says: each is chosen, dealt, proven, and followed until the workload
//! has recovered. What is asked is the API, what is told goes to whoever listens.
mod aftermath;
mod kill;
mod strike;

pub use aftermath::{Aftermath, Dealt};

use crate::draw::{self, Due};
use aftermath::{LATE_MIN, of};
use cluster::Cluster;
use model::{Aim, Course, EmptyTarget, FaultKind, Micros, PodState, Safety, Strike};
use std::{collections::BTreeSet, sync::Arc, time::Duration};
use tokio::{
    sync::oneshot,
    task::JoinSet,
    time::{Instant, sleep_until},
};

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
            let when = began + Duration::from(due.at);
            sleep_until(when).await;
            number += 1;
            let blow = self.one(number, &due, when, limit, aftermath, &mut proving);
            match blow.await {
                Ok(late) => dealt.late = dealt.late.max(late),
                Err(Withheld::Forbidden(why)) => dealt.withheld.push(why),
                Err(Withheld::Nobody(why)) => dealt.unproven.push(why),
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

    /// Chooses and strikes; how much later than it was due.
    async fn one(
        &self,
        number: u32,
        due: &Due,
        when: Instant,
        limit: Duration,
        aftermath: &mut Aftermath,
        proving: &mut JoinSet<Result<String, String>>,
    ) -> Result<Micros, Withheld> {
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
        let late = Micros::from(when.elapsed());
        let how = format!(
            "{} of {} running, seed {}{}{}",
            self.aim().mode.write(),
            candidates.len(),
            self.seed,
            self.terms(),
            match late > LATE_MIN {
                true => format!(", {late} later than planned"),
                false => String::new(),
            }
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
            let (proof, proven) = oneshot::channel();
            aftermath.following.spawn(async move {
                blows.follow(number, &pod, limit, &shared, proof).await;
            });
            proving.spawn(async move {
                proven
                    .await
                    .unwrap_or_else(|_| Err("a blow was not followed".into()))
            });
        }
        Ok(late)
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
}

/// Why a blow was not dealt.
enum Withheld {
    /// That was wanted.
    Forbidden(String),
    /// It should have been.
    Nobody(String),
}
