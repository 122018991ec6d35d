//! worker — asks one probe of one container, again and again, for as long as the pod lives.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{Notify, mpsc, watch};
use tokio::time::{Instant, MissedTickBehavior, interval_at, timeout};

use super::counter::Counter;
use super::{Attempt, Check, ProbeKind, ProbeSpec, attempt};
use crate::events::PodEvents;
use crate::pods::Order;
use crate::runtime::Container;

/// An attempt that could not be made is made again so often before it is thrown away.
const TRIES: usize = 3;

/// The container as it runs now.
#[derive(Clone)]
pub(crate) struct Live {
    /// Which start this is, from 0.
    pub number: u32,
    pub began: Instant,
    /// Its startup probe has succeeded, or it has none.
    pub started: bool,
    pub container: Arc<dyn Container>,
}

/// A decision of a probe.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Published {
    pub kind: ProbeKind,
    /// The start of the container it is about.
    pub number: u32,
    pub success: bool,
}

/// One probe at work.
pub(crate) struct Worker {
    pub spec: ProbeSpec,
    pub container: String,
    pub live: watch::Receiver<Option<Live>>,
    pub order: watch::Receiver<Order>,
    /// Asks for an attempt now (readiness only).
    pub trigger: Arc<Notify>,
    pub published: mpsc::UnboundedSender<Published>,
    pub events: PodEvents,
}

impl Worker {
    /// Until the pod is deleted; a readiness probe goes on even then, until it is dropped.
    pub async fn run(self) {
        let mut counter = Counter::new(&self.spec);
        // The first tick would find no container yet: the worker begins before it does.
        let mut ticks = interval_at(Instant::now() + self.spec.period, self.spec.period);
        // A slow attempt delays the next one; missed ones are not made up.
        ticks.set_missed_tick_behavior(MissedTickBehavior::Skip);
        loop {
            tokio::select! {
                _ = ticks.tick() => {}
                () = self.trigger.notified(), if self.spec.kind == ProbeKind::Readiness => ticks.reset(),
            }
            if *self.order.borrow() != Order::Run && self.spec.kind != ProbeKind::Readiness {
                return;
            }
            self.step(&mut counter).await;
        }
    }

    async fn step(&self, counter: &mut Counter) {
        let Some(live) = self.live.borrow().clone() else {
            return;
        };
        counter.observe(live.number);
        if !counter.is_due(live.began.elapsed(), live.started) {
            return;
        }
        let attempt = self.attempt(&live).await;
        // It ended meanwhile: the answer is about nothing.
        if live.container.wait().borrow().is_some() {
            return;
        }
        self.tell(&attempt);
        if let Some(success) = counter.record(&attempt) {
            let _ = self.published.send(Published {
                kind: self.spec.kind,
                number: live.number,
                success,
            });
        }
    }

    async fn attempt(&self, live: &Live) -> Attempt {
        let mut last = Attempt::Discarded(String::new());
        for _ in 0..TRIES {
            let asked = live
                .container
                .probe(self.spec.kind, self.spec.check.clone());
            last = timeout(self.spec.timeout, asked)
                .await
                .unwrap_or_else(|_| Attempt::Failure(timed_out(&self.spec)));
            if !matches!(last, Attempt::Discarded(_)) {
                break;
            }
        }
        last
    }

    fn tell(&self, attempt: &Attempt) {
        let kind = self.spec.kind;
        match attempt {
            Attempt::Success => {}
            Attempt::Warning(what) => {
                self.events.warning(
                    Some(&self.container),
                    "ProbeWarning",
                    format!("{kind} probe warning: {what}"),
                );
            }
            Attempt::Failure(why) => {
                self.events.warning(
                    Some(&self.container),
                    "Unhealthy",
                    format!("{kind} probe failed: {why}"),
                );
            }
            Attempt::Discarded(why) => {
                let message = format!("{kind} probe errored and resulted in unknown state: {why}");
                self.events
                    .warning(Some(&self.container), "Unhealthy", message);
            }
        }
    }
}

fn timed_out(spec: &ProbeSpec) -> String {
    let limit: Duration = spec.timeout;
    match &spec.check {
        Check::Exec(command) => format!(
            "command timed out: {:?} timed out after {limit:?}",
            command.join(" ")
        ),
        Check::Http(get) => {
            let url = attempt::url(get);
            format!(
                "Get \"{url}\": context deadline exceeded (Client.Timeout exceeded while awaiting headers)"
            )
        }
        Check::Tcp { host, port } => format!("dial tcp {host}:{port}: i/o timeout"),
        Check::Unknown(why) => why.clone(),
    }
}
