//! Faults that strike pods, as steps: each blow goes onto the timeline as it falls, and what it left is waited for when it is undone.
use crate::{
    faults::{Injected, PROOF_SHARE},
    steps::Stage,
};
use chaos::{Aftermath, Blows};
use model::{Fact, FaultKind, Safety, Strike};
use std::{sync::Arc, time::Duration};
use tokio::sync::Mutex;

/// What the blows of a step left, until it is undone.
pub type Left = Arc<Mutex<Aftermath>>;

impl Stage {
    /// Deals the blows of a step; done when each is proven.
    pub(crate) async fn strike(
        &self,
        step: &str,
        kind: &FaultKind,
        injected: Injected,
        limit: Duration,
    ) -> Result<String, String> {
        let recorder = self.recorder.clone();
        let blows = Blows {
            cluster: self.cluster.clone(),
            namespace: self.namespace.clone(),
            step: step.into(),
            fault: kind.clone(),
            seed: self.plan.seed,
            // What a run may strike is what it made itself.
            safety: Safety::default(),
            told: Arc::new(move |strike: Strike| recorder.note(Fact::Strike(strike))),
        };
        let rhythm = kind
            .aim()
            .map(|aim| aim.rhythm.length())
            .unwrap_or_default();
        // The step's own limit ends first if this were as long; then nobody would write down why.
        let limit = limit.saturating_sub(rhythm.into()).mul_f64(PROOF_SHARE);
        let mut aftermath = Aftermath::default();
        let dealt = blows.deal(limit, &mut aftermath).await;
        let left = Some(Arc::new(Mutex::new(aftermath)));
        self.faults()
            .insert(step.into(), Injected { left, ..injected });
        let (step, summary) = (step.to_string(), dealt.summary());
        match dealt.unproven.first() {
            None => {
                self.recorder.note(Fact::Proven {
                    step,
                    evidence: summary.clone(),
                });
                Ok(summary)
            }
            Some(first) => {
                let because = first.clone();
                self.recorder.note(Fact::Unproven { step, because });
                Err(first.clone())
            }
        }
    }
}
