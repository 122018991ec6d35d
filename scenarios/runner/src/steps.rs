//! Performing the steps of a plan, each when its time has come.
use crate::{
    faults::{Injected, PROOF_SHARE},
    recorder::Recorder,
    traffic::Traffic,
};
use chaos::Journal;
use cluster::{Cluster, Observer};
use load::{CollectJob, LoadJob, Until};
use model::{Action, CheckKind, Fact, Load, Micros, Plan, Request, Start, Step, rows::digest};
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
                let canary = Some(self.traffic.canary());
                send(LoadJob::Load { load, canary }).await
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
}

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
