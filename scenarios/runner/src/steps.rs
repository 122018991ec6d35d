//! Performing the steps of a plan, each when its time has come.
use crate::{blows::Left, gate::Gate, recorder::Recorder, traffic::Traffic};
use chaos::{Entry, Journal, Prepared};
use cluster::{Cluster, Observer, View};
use load::{CollectJob, LoadJob, Until};
use model::{
    Action, CheckKind, Fact, FaultKind, Load, Micros, Plan, Request, Start, Step, rows::digest,
};
use serde_json::{Value, json};
use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex},
    time::Duration,
};
use tokio::{
    sync::watch,
    task::JoinSet,
    time::{Instant, sleep, sleep_until, timeout},
};

/// What one step has come to.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
struct Reached {
    /// When its load sent the first request.
    load_began: Option<Instant>,
    /// Whether it ended well, once it ended.
    ended: Option<bool>,
}

/// A fault that was injected and not yet undone.
#[derive(Debug, Clone)]
pub struct Injected {
    /// Which.
    pub kind: FaultKind,
    /// With its undo.
    pub prepared: Prepared,
    /// What blows against pods have left.
    pub left: Option<Left>,
}

/// Everything a step may need.
#[derive(Clone)]
pub struct Stage {
    /// The plan.
    pub plan: Arc<Plan>,
    /// The cluster.
    pub cluster: Cluster,
    /// The namespace of the system.
    pub namespace: String,
    /// Watches it.
    pub observer: Observer,
    /// Writes the timeline.
    pub recorder: Recorder,
    /// Sends requests.
    pub traffic: Traffic,
    /// Knows what must be taken back.
    pub journal: Arc<Mutex<Journal>>,
    /// Faults that are in place, by step.
    pub injected: Arc<Mutex<BTreeMap<String, Injected>>>,
}

/// How long an undo that no step of the plan performs may take.
const UNDO_MAX: Duration = Duration::from_secs(120);

impl Stage {
    /// Performs all steps. Whether all ended well; after one that did not, no further one begins.
    pub async fn perform(&self) -> bool {
        let (reached, _) = watch::channel(BTreeMap::<String, Reached>::new());
        let reached = Arc::new(reached);
        let mut running = JoinSet::new();
        for step in self.plan.steps.clone() {
            let (stage, reached) = (self.clone(), reached.clone());
            running.spawn(async move { stage.step(step, &reached).await });
        }
        while let Some(ended) = running.join_next().await {
            if !ended.unwrap_or(false) {
                running.shutdown().await;
                return false;
            }
        }
        true
    }

    async fn step(&self, step: Step, reached: &watch::Sender<BTreeMap<String, Reached>>) -> bool {
        if !due(&step.start, reached).await {
            return false;
        }
        self.recorder.note(Fact::StepBegan {
            step: step.name.clone(),
        });
        let began = |at| {
            reached
                .send_modify(|all| all.entry(step.name.clone()).or_default().load_began = Some(at))
        };
        let result = match timeout(step.timeout.into(), self.act(&step, began)).await {
            Ok(result) => result,
            Err(_) => Err(format!("it did not end within {}", step.timeout)),
        };
        let ok = result.is_ok();
        let detail = result.unwrap_or_else(|why| why);
        self.recorder.note(Fact::StepEnded {
            step: step.name.clone(),
            ok,
            detail,
        });
        reached.send_modify(|all| all.entry(step.name.clone()).or_default().ended = Some(ok));
        ok
    }

    async fn act(&self, step: &Step, began: impl FnOnce(Instant)) -> Result<String, String> {
        let limit = step.timeout.into();
        let send =
            |job: LoadJob| async move { self.traffic.send(&step.name, &job, limit, began).await };
        match &step.action {
            Action::Load { load } => {
                let requests = self.filled(&load.requests);
                let load = Load {
                    requests,
                    ..load.clone()
                };
                send(LoadJob::Load { load }).await
            }
            Action::Requests { requests } => {
                let saved = self.traffic.saved.now();
                let expected = self.plan.expected(&step.name).iter();
                send(LoadJob::Requests {
                    requests: self.filled(requests),
                    expected: expected.map(|e| e.with(&saved)).collect(),
                    timeout: REQUEST_MAX,
                })
                .await
            }
            Action::Collect {
                url,
                collection,
                field,
                ledger,
                fields,
            } => {
                let written = ledger.as_ref().map(|l| self.traffic.ledger.count(l));
                let (at_least, until) = self.until(&step.name);
                let collect = CollectJob {
                    url: self.traffic.saved.now().fill(url),
                    collection: collection.clone(),
                    field: field.clone(),
                    fields: fields.clone(),
                    until_total: written.unwrap_or(0).max(at_least),
                    until,
                    settle: COLLECT_SETTLE,
                    timeout: limit.mul_f64(COLLECT_SHARE).into(),
                };
                send(LoadJob::Collect { collect }).await
            }
            Action::Exec {
                pod,
                command,
                until,
            } => self.exec(&step.name, pod, command, *until).await,
            Action::Logs {
                pod,
                contains,
                within,
            } => self.logs(&step.name, pod, contains, *within).await,
            Action::Await { wanted, within } => self.wait_for(&step.name, wanted, *within).await,
            Action::Apply { manifest } => self.apply(&manifest.objects).await,
            Action::Delete {
                api_version,
                kind,
                name,
            } => {
                let object =
                    json!({"apiVersion": api_version, "kind": kind, "metadata": {"name": name}});
                self.delete(&object, limit.mul_f64(PROOF_SHARE)).await
            }
            Action::Fault { fault } => self.inject(&step.name, &fault.kind, limit).await,
            Action::Undo { fault } => self.undo(fault, limit).await,
        }
    }

    async fn apply(&self, objects: &[Value]) -> Result<String, String> {
        let mut applied = vec![];
        for object in objects {
            let done = self.cluster.apply(&self.namespace, object).await;
            done.map_err(|e| e.to_string())?;
            applied.push(cluster::title(object));
        }
        Ok(format!("applied {}", applied.join(", ")))
    }

    async fn delete(&self, object: &Value, limit: Duration) -> Result<String, String> {
        let gone = self.cluster.delete_and_wait(&self.namespace, object, limit);
        gone.await.map_err(|e| e.to_string())?;
        Ok(format!("{} is gone", cluster::title(object)))
    }

    /// What the checks of a collection wait for: so many rows, each at its end, and the same as in their source.
    fn until(&self, collects: &str) -> (u64, Vec<Until>) {
        let (mut rows, mut until) = (0, vec![]);
        for check in &self.plan.checks {
            match &check.kind {
                CheckKind::SagaTerminates {
                    collect,
                    field,
                    outcomes,
                    at_least,
                } if collect == collects => {
                    rows = rows.max(*at_least);
                    until.push(Until::Each {
                        field: field.clone(),
                        values: outcomes.clone(),
                    });
                }
                CheckKind::Converges {
                    source,
                    view,
                    key,
                    fields,
                } if view == collects => {
                    let fields: Vec<String> = [key].into_iter().chain(fields).cloned().collect();
                    let digest = digest(&self.traffic.ledger.rows(source), &fields);
                    until.push(Until::Same { fields, digest });
                }
                _ => {}
            }
        }
        (rows, until)
    }

    /// Requests with what earlier steps have kept.
    fn filled(&self, requests: &[Request]) -> Vec<Request> {
        let saved = self.traffic.saved.now();
        requests.iter().map(|r| saved.fill_request(r)).collect()
    }

    async fn inject(
        &self,
        step: &str,
        kind: &FaultKind,
        limit: Duration,
    ) -> Result<String, String> {
        let before = self.observer.view();
        let prepared =
            chaos::prepare(kind, &self.plan.manifests, &before).map_err(|e| e.to_string())?;
        let entry = Entry::Injecting {
            step: step.into(),
            undo: prepared.undo.clone(),
        };
        self.write_journal(&entry)?;
        let injected = Injected {
            kind: kind.clone(),
            prepared: prepared.clone(),
            left: None,
        };
        self.faults().insert(step.into(), injected.clone());
        self.recorder.note(Fact::Injected {
            step: step.into(),
            fault: kind.word().into(),
            targets: prepared.targets,
        });
        if kind.aim().is_some() && !matches!(kind, FaultKind::ChaosJob { .. }) {
            return self.strike(step, kind, injected, limit).await;
        }
        prepared
            .inject
            .make(&self.cluster, &self.namespace)
            .await
            .map_err(|e| e.to_string())?;
        self.prove(step, kind, &before, limit).await
    }

    async fn prove(
        &self,
        step: &str,
        kind: &FaultKind,
        before: &View,
        limit: Duration,
    ) -> Result<String, String> {
        if let FaultKind::None { instead_of } = kind {
            let because = format!("{} was replaced by nothing", instead_of.word());
            self.recorder.note(Fact::Unproven {
                step: step.into(),
                because: because.clone(),
            });
            return Ok(because);
        }
        let what = format!("{} had not taken effect", kind.word());
        // The step's own limit ends first if this were as long; then nobody would write down why.
        let limit = limit.mul_f64(PROOF_SHARE);
        match self
            .observer
            .until(&what, limit, |now| {
                let failed = chaos::came_to_nothing(kind, now).map(Err);
                failed.or_else(|| chaos::took_effect(kind, before, now).map(Ok))
            })
            .await
            .map_err(|e| e.to_string())
            .flatten()
        {
            Ok(evidence) => {
                self.recorder.note(Fact::Proven {
                    step: step.into(),
                    evidence: evidence.clone(),
                });
                Ok(evidence)
            }
            Err(because) => {
                self.recorder.note(Fact::Unproven {
                    step: step.into(),
                    because: because.clone(),
                });
                Err(because)
            }
        }
    }

    /// Undoes a fault and waits until that is seen. One that is not in place is fine.
    async fn undo(&self, fault: &str, limit: Duration) -> Result<String, String> {
        let Some(injected) = self.faults().get(fault).cloned() else {
            return Ok("it was not in place".into());
        };
        match self
            .take_back(fault, &injected, limit.mul_f64(PROOF_SHARE))
            .await
        {
            Ok(evidence) => {
                self.write_journal(&Entry::Undone { step: fault.into() })?;
                self.faults().remove(fault);
                self.recorder.note(Fact::Undone {
                    step: fault.into(),
                    evidence: evidence.clone(),
                });
                Ok(evidence)
            }
            Err(e) => {
                self.recorder.note(Fact::UndoFailed {
                    step: fault.into(),
                    because: e.clone(),
                });
                Err(e)
            }
        }
    }

    /// Undone is what the API calls ready and a pod can reach.
    async fn take_back(
        &self,
        fault: &str,
        injected: &Injected,
        limit: Duration,
    ) -> Result<String, String> {
        let Prepared { undo, back, .. } = &injected.prepared;
        undo.make(&self.cluster, &self.namespace)
            .await
            .map_err(|e| e.to_string())?;
        let mut evidence = String::new();
        if let Some(left) = &injected.left {
            evidence = left.lock().await.end(limit).await? + ": ";
        }
        let what = format!("{fault} was not undone");
        let undone = |now: &View| chaos::was_undone(&injected.kind, now);
        evidence += &self
            .observer
            .until(&what, limit, undone)
            .await
            .map_err(|e| e.to_string())?;
        let addresses = Gate::of_objects(back).addresses();
        if !addresses.is_empty() {
            self.traffic
                .reach(&format!("{fault}-undone"), addresses, limit)
                .await?;
        }
        Ok(evidence)
    }

    /// Undoes what is still in place, in the order of the steps' names.
    pub async fn undo_all(&self) {
        let left: Vec<String> = self.faults().keys().cloned().collect();
        for fault in left {
            // What went wrong is on the timeline; the others must be undone all the same.
            let _ = self.undo(&fault, UNDO_MAX).await;
        }
    }

    /// The namespace is gone, and with it every fault that was in it.
    pub fn all_gone(&self) {
        let left = std::mem::take(&mut *self.faults());
        for (step, _) in left {
            self.recorder.note(Fact::Undone {
                step,
                evidence: "its namespace is deleted".into(),
            });
        }
    }

    pub(crate) fn faults(&self) -> std::sync::MutexGuard<'_, BTreeMap<String, Injected>> {
        self.injected
            .lock()
            .expect("nothing panics while it holds this lock")
    }

    fn write_journal(&self, entry: &Entry) -> Result<(), String> {
        let mut journal = self
            .journal
            .lock()
            .expect("nothing panics while it holds this lock");
        journal
            .write(entry)
            .map_err(|e| format!("the journal cannot be written: {e}"))
    }
}

/// The part of a step's limit in which a fault must be proven or an undo seen.
pub(crate) const PROOF_SHARE: f64 = 0.9;

/// One request of a list: longer than any time-out inside the systems, so that their own answer is seen.
const REQUEST_MAX: Micros = Micros::from_secs(30);

/// A collection that has what was waited for must stay so for this long: what is delivered twice comes soon after.
const COLLECT_SETTLE: Micros = Micros::from_secs(1);

/// The part of a step's limit after which a collector says what it has.
const COLLECT_SHARE: f64 = 0.8;

/// Waits for the start of a step. False when it will never come.
async fn due(start: &Start, reached: &watch::Sender<BTreeMap<String, Reached>>) -> bool {
    let mut seen = reached.subscribe();
    match start {
        Start::After { steps, delay } => {
            let over = |all: &BTreeMap<String, Reached>| {
                steps
                    .iter()
                    .all(|s| all.get(s).is_some_and(|r| r.ended == Some(true)))
            };
            if seen.wait_for(|all| over(all)).await.is_err() {
                return false;
            }
            sleep((*delay).into()).await;
            true
        }
        Start::During { load, at } => {
            let began = seen
                .wait_for(|all| all.get(load).is_some_and(|r| r.load_began.is_some()))
                .await;
            let Ok(began) = began.map(|all| all[load].load_began) else {
                return false;
            };
            sleep_until(began.expect("it was waited for") + Duration::from(*at)).await;
            true
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use model::Micros;

    fn ended(reached: &watch::Sender<BTreeMap<String, Reached>>, step: &str) {
        reached.send_modify(|all| all.entry(step.into()).or_default().ended = Some(true));
    }

    #[tokio::test(start_paused = true)]
    async fn a_step_begins_when_all_it_waits_for_have_ended() {
        let (reached, _) = watch::channel(BTreeMap::new());
        let start = Start::After {
            steps: vec!["a".into(), "b".into()],
            delay: Micros::from_secs(2),
        };
        ended(&reached, "a");
        let early = timeout(Duration::from_secs(60), due(&start, &reached)).await;
        assert!(early.is_err(), "b has not ended");
        ended(&reached, "b");
        let began = Instant::now();
        assert!(due(&start, &reached).await);
        assert_eq!(began.elapsed(), Duration::from_secs(2));
    }

    #[tokio::test(start_paused = true)]
    async fn a_step_during_a_load_counts_from_its_first_request() {
        let (reached, _) = watch::channel(BTreeMap::new());
        let first = Instant::now();
        reached.send_modify(|all: &mut BTreeMap<String, Reached>| {
            all.entry("load".into()).or_default().load_began = Some(first);
        });
        tokio::time::advance(Duration::from_millis(300)).await;
        let start = Start::During {
            load: "load".into(),
            at: Micros::from_secs(2),
        };
        assert!(due(&start, &reached).await);
        assert_eq!(first.elapsed(), Duration::from_secs(2));
    }
}
