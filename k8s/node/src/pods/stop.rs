//! stop — ends a container: first its hook, then a signal, then the end.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use apiserver::{ExecError, ExecIo};
use futures::future::BoxFuture;
use k8s_openapi::api::core::v1::Container as Manifest;
use tokio::sync::watch;
use tokio::time::{Instant, sleep, sleep_until};

use super::Order;
use crate::events::PodEvents;
use crate::probes::{self, Attempt, attempt};
use crate::runtime::{Capture, Container, Stop};

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
        if let Some(hook) = self.hook()
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

    /// Runs the hook until it ends or time is up.
    async fn attend(&mut self, hook: BoxFuture<'static, Result<(), String>>, until: &mut Instant) {
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

    fn hook(&self) -> Option<BoxFuture<'static, Result<(), String>>> {
        let handler = self.manifest.lifecycle.as_ref()?.pre_stop.as_ref()?;
        if let Some(exec) = &handler.exec {
            let (io, output) = Capture::io();
            return Some(command(
                self.container.clone(),
                exec.command.clone().unwrap_or_default(),
                io,
                output,
            ));
        }
        if let Some(get) = &handler.http_get {
            let check = probes::http(get, &self.manifest, self.address);
            return Some(Box::pin(async move {
                match attempt::over_network(check).await {
                    Attempt::Success | Attempt::Warning(_) => Ok(()),
                    Attempt::Failure(why) | Attempt::Discarded(why) => Err(why),
                }
            }));
        }
        let seconds = u64::try_from(handler.sleep.as_ref()?.seconds).unwrap_or(0);
        Some(Box::pin(async move {
            sleep(Duration::from_secs(seconds)).await;
            Ok(())
        }))
    }
}

fn command(
    container: Arc<dyn Container>,
    command: Vec<String>,
    io: ExecIo,
    output: Capture,
) -> BoxFuture<'static, Result<(), String>> {
    Box::pin(async move {
        match container.exec(command, io).await {
            Ok(0) => Ok(()),
            Ok(code) => Err(format!(
                "command exited with {code}: {}",
                output.text().trim()
            )),
            Err(ExecError::NotRunning(why) | ExecError::CannotStart(why)) => Err(why),
        }
    })
}
