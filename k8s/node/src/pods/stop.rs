//! stop — ends a container: first its hook, then a signal, then the end.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use k8s_openapi::api::core::v1::{Container as Manifest, LifecycleHandler};
use tokio::sync::watch;
use tokio::time::{Instant, sleep_until};

use super::Order;
use super::hooks::{self, Hook};
use crate::events::PodEvents;
use crate::runtime::{Container, Stop};

/// Whatever the grace, a process gets so long between the signal and the end.
const GRACE_MIN: Duration = Duration::from_secs(2);

/// Everything about one stop.
pub(super) struct Stopping {
    pub container: Arc<dyn Container>,
    pub manifest: Manifest,
    pub address: IpAddr,
    pub grace: Duration,
    pub order: watch::Receiver<Order>,
    pub events: PodEvents,
}

impl Stopping {
    /// Returns when the container was told to end for good. A later order may shorten the grace.
    pub async fn run(mut self) {
        let began = Instant::now();
        let mut until = began + self.grace;
        let handler = self.manifest.lifecycle.as_ref();
        let handler = handler.and_then(|hooks| hooks.pre_stop.as_ref());
        if let Some(hook) = handler.and_then(|handler| self.hook(handler))
            && !self.grace.is_zero()
        {
            self.attend(hook, &mut until).await;
        }
        // The hook's time is taken off in whole seconds.
        let spent = Duration::from_secs(began.elapsed().as_secs());
        let left = until
            .saturating_duration_since(began + spent)
            .max(GRACE_MIN);
        self.container.signal(Stop::Term);
        until = Instant::now() + left;
        self.wait(&mut until).await;
        self.container.signal(Stop::Kill);
    }

    fn hook(&self, handler: &LifecycleHandler) -> Option<Hook> {
        hooks::of(handler, &self.manifest, self.address, &self.container)
    }

    /// Runs the hook until it ends or time is up.
    async fn attend(&mut self, hook: Hook, until: &mut Instant) {
        let (events, name) = (self.events.clone(), self.manifest.name.clone());
        tokio::select! {
            done = hook => if let Err(why) = done {
                events.warning(Some(&name), "FailedPreStopHook", format!("PreStopHook failed: {why}"));
            },
            () = self.wait(until) => {
                events.warning(Some(&name), "FailedPreStopHook", "PreStopHook did not end within the grace period".into());
            }
        }
    }

    async fn wait(&mut self, until: &mut Instant) {
        loop {
            tokio::select! {
                () = sleep_until(*until) => return,
                Ok(()) = self.order.changed() => {
                    let grace = match *self.order.borrow_and_update() {
                        Order::Run => continue,
                        Order::Stop { grace } => grace.max(GRACE_MIN),
                        Order::Gone => GRACE_MIN,
                    };
                    *until = (*until).min(Instant::now() + grace);
                }
            }
        }
    }
}
