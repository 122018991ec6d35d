//! Faults: injected, proven, undone, each written down before it is done.
use crate::{blows::Left, gate::Gate, steps::Stage};
use chaos::{Entry, Prepared};
use cluster::View;
use model::{Fact, FaultKind};
use serde_json::Value;
use std::{collections::BTreeMap, sync::MutexGuard, time::Duration};

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

/// How long an undo that no step of the plan performs may take.
const UNDO_MAX: Duration = Duration::from_secs(120);

/// The part of a step's limit in which a fault must be proven or an undo seen.
pub(crate) const PROOF_SHARE: f64 = 0.9;

impl Stage {
    /// Injects a fault and waits until it is proven.
    pub(crate) async fn inject(
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
                let failed = chaos::came_to_nothing(kind, before, now).map(Err);
                failed.or_else(|| chaos::took_effect(kind, before, now).map(Ok))
            })
            .await
            .map_err(|e| self.unproven(kind, before, &e))
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

    /// Why no proof came, with what is missing where that can be told.
    fn unproven(&self, kind: &FaultKind, before: &View, error: &cluster::Error) -> String {
        match chaos::what_is_missing(kind, before, &self.observer.view()) {
            Some(missing) => format!("{missing}; {error}"),
            None => error.to_string(),
        }
    }

    /// Undoes a fault and waits until that is seen. One that is not in place is fine.
    pub(crate) async fn undo(&self, fault: &str, limit: Duration) -> Result<String, String> {
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
        let workloads = injected.kind.workloads().into_iter();
        let mut struck: Vec<String> = workloads.map(str::to_owned).collect();
        if let Some(left) = &injected.left {
            let mut left = left.lock().await;
            evidence = left.end(limit).await?;
            struck = left.struck();
            if struck.is_empty() {
                return Ok(evidence);
            }
            evidence += ": ";
        }
        let what = format!("{fault} was not undone");
        let undone = |now: &View| chaos::was_undone(&injected.kind, &struck, now);
        evidence += &self
            .observer
            .until(&what, limit, undone)
            .await
            .map_err(|e| e.to_string())?;
        // Only what was hurt has to come back.
        let is_hurt = |object: &&Value| {
            let name = object["metadata"]["name"].as_str();
            injected.left.is_none() || struck.iter().any(|s| Some(s.as_str()) == name)
        };
        let back: Vec<Value> = back.iter().filter(is_hurt).cloned().collect();
        let addresses = Gate::of_objects(&back).addresses();
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

    pub(crate) fn faults(&self) -> MutexGuard<'_, BTreeMap<String, Injected>> {
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
