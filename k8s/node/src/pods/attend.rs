//! attend — one start of a container, from its first moment to its end, whoever ends it.

use std::sync::Arc;
use std::time::Duration;

use k8s_openapi::jiff::Timestamp;
use tokio::sync::mpsc;
use tokio::time::{Instant, sleep_until};
use tokio_util::task::AbortOnDropHandle;

use super::container::{ContainerLife, End};
use super::stop::Stopping;
use super::{Order, hooks, throttle};
use crate::probes::{Live, ProbeKind, Published};
use crate::runtime::{Container, Exit};
use crate::status::State;

/// A real kubelet sees a start by a survey once a second, and asks for readiness then. This is the middle of that.
const SURVEY: Duration = Duration::from_millis(500);
/// How long after a survey the next one comes, up to the longest.
const SURVEY_GROWTH: u32 = 3;
const SURVEY_MAX: Duration = Duration::from_secs(60);

impl ContainerLife {
    /// From the start of a container to its end, whoever ends it.
    pub(super) async fn attend(
        &mut self,
        container: Arc<dyn Container>,
        since: Timestamp,
        published: &mut mpsc::UnboundedReceiver<Published>,
    ) -> End {
        let hooked = self.post_start(&container).await;
        self.running(&container, since);
        let (mut ended, mut views) = (container.wait(), self.pod.view.subscribe());
        let began = Instant::now();
        let (mut next, mut survey_at) = (SURVEY, began + SURVEY);
        let mut stopping = hooked.err().map(|why| {
            let message = format!("PostStartHook failed: {why}");
            let name = Some(&*self.manifest.name);
            self.pod
                .events
                .warning(name, "FailedPostStartHook", message);
            self.stop(&container, None)
        });
        let _throttle = self.watch_limit(&container);
        let mut by_probe = false;
        let exit = loop {
            tokio::select! {
                exit = ended.wait_for(Option::is_some) => break exit.ok().and_then(|exit| *exit),
                () = self.pod.ordered(), if stopping.is_none() => stopping = Some(self.stop(&container, None)),
                Some(result) = published.recv() => if self.heed(&result) && stopping.is_none() {
                    by_probe = true;
                    stopping = Some(self.stop(&container, Some(result.kind)));
                },
                () = sleep_until(survey_at) => {
                    if next == SURVEY {
                        self.ask_if_unready();
                    }
                    self.look_for_strays(&*container);
                    next = (next * SURVEY_GROWTH).min(SURVEY_MAX);
                    survey_at = Instant::now() + next;
                }
                Ok(()) = views.changed(), if began.elapsed() >= SURVEY => self.ask_if_unready(),
            }
        };
        self.live.send_replace(None);
        self.register(None);
        let Exit {
            code,
            is_out_of_memory,
        } = exit.unwrap_or(Exit {
            code: 137,
            is_out_of_memory: false,
        });
        let reason = match code {
            _ if is_out_of_memory => "OOMKilled",
            0 => "Completed",
            _ => "Error",
        };
        End {
            code,
            reason,
            message: None,
            by_probe,
        }
    }

    /// The container does not count as running before this hook is done; a failed one ends it.
    async fn post_start(&self, container: &Arc<dyn Container>) -> Result<(), String> {
        let handler = self.manifest.lifecycle.as_ref();
        let handler = handler.and_then(|hooks| hooks.post_start.as_ref());
        let address = self.pod.address.into();
        let hook =
            handler.and_then(|handler| hooks::of(handler, &self.manifest, address, container));
        let Some(hook) = hook else { return Ok(()) };
        let mut ended = container.wait();
        tokio::select! {
            done = hook => done,
            _ = ended.wait_for(Option::is_some) => Ok(()),
            () = self.pod.ordered() => Ok(()),
        }
    }

    fn running(&self, container: &Arc<dyn Container>, since: Timestamp) {
        let started = !self.has(ProbeKind::Startup);
        let ready = started && !self.has(ProbeKind::Readiness);
        let (id, number) = (self.container_id(), self.number);
        self.record(|record| {
            record.enter(State::Running { since });
            (record.id, record.restarts) = (id, number);
            (record.started, record.ready) = (started, ready);
        });
        self.register(Some((since, container.clone())));
        self.live.send_replace(Some(Live {
            number,
            began: Instant::now(),
            started,
            container: container.clone(),
        }));
        self.pod.events.normal(
            Some(&self.manifest.name),
            "Started",
            format!("Started container {}", self.manifest.name),
        );
    }

    fn has(&self, kind: ProbeKind) -> bool {
        self.probes.iter().any(|probe| probe.kind == kind)
    }

    /// Takes note of what a probe decided. True: the container is to be ended.
    fn heed(&self, result: &Published) -> bool {
        if result.number != self.number {
            return false;
        }
        match (result.kind, result.success) {
            (ProbeKind::Readiness, success) => {
                self.record(|record| record.ready = success && record.started)
            }
            (ProbeKind::Startup, true) => {
                let ready = !self.has(ProbeKind::Readiness);
                self.record(|record| (record.started, record.ready) = (true, ready));
                self.live
                    .send_modify(|live| live.iter_mut().for_each(|live| live.started = true));
            }
            (ProbeKind::Liveness, true) => {}
            (ProbeKind::Startup | ProbeKind::Liveness, false) => return true,
        }
        false
    }

    /// Whenever anything about the pod changes while a container is started but not ready, its readiness is asked for anew.
    fn ask_if_unready(&self) {
        let view = self.pod.view.borrow();
        if self
            .at(&view)
            .is_some_and(|record| record.started && !record.ready)
        {
            self.trigger.notify_one();
        }
    }

    fn stop(
        &self,
        container: &Arc<dyn Container>,
        probe: Option<ProbeKind>,
    ) -> AbortOnDropHandle<()> {
        let name = &self.manifest.name;
        let pod_grace = self
            .pod
            .spec()
            .termination_grace_period_seconds
            .unwrap_or(30);
        let pod_grace = Duration::from_secs(pod_grace.try_into().unwrap_or(0));
        let (message, grace) = match probe {
            Some(kind) => {
                let own = self
                    .probes
                    .iter()
                    .find(|probe| probe.kind == kind)
                    .and_then(|probe| probe.grace);
                let kind = kind.to_string().to_lowercase();
                (
                    format!("Container {name} failed {kind} probe, will be restarted"),
                    own.unwrap_or(pod_grace),
                )
            }
            None => (
                format!("Stopping container {name}"),
                match *self.pod.order.borrow() {
                    Order::Stop { grace } => grace,
                    Order::Run => pod_grace,
                    Order::Gone => Duration::ZERO,
                },
            ),
        };
        self.pod.events.normal(Some(name), "Killing", message);
        let stopping = Stopping {
            container: container.clone(),
            manifest: self.manifest.clone(),
            address: self.pod.address.into(),
            grace,
            order: self.pod.order.clone(),
            events: self.pod.events.clone(),
        };
        AbortOnDropHandle::new(tokio::spawn(stopping.run()))
    }

    /// Tells of it when the container's CPU limit holds it back.
    fn watch_limit(&self, container: &Arc<dyn Container>) -> Option<AbortOnDropHandle<()>> {
        let resources = self.manifest.resources.as_ref()?;
        let limit = resources.limits.as_ref()?.get("cpu")?.0.clone();
        let (events, name) = (self.pod.events.clone(), self.manifest.name.clone());
        let watch = throttle::watch(container.clone(), events, name, limit);
        Some(AbortOnDropHandle::new(tokio::spawn(watch)))
    }

    /// All pods share the loopback network: a program that listens everywhere answers for other pods too.
    fn look_for_strays(&self, container: &dyn Container) {
        for port in container.listens_everywhere() {
            let message = format!(
                "the program listens on port {port} of every address; on this node pods share one network, so it answers for \
                 other pods and blocks its own replicas: bind the address in POD_IP"
            );
            self.pod
                .events
                .warning(Some(&self.manifest.name), "ListensEverywhere", message);
        }
        let ports = self.manifest.ports.iter().flatten();
        let named: Vec<i32> = ports.map(|port| port.container_port).collect();
        // What a pod says it listens at is for others; anything else may be for itself.
        for port in container.listens_at_loopback() {
            if named.contains(&i32::from(port)) {
                let address = self.pod.address;
                let message = format!(
                    "the program listens on port {port} of 127.0.0.1, where nobody outside its pod reaches it: bind the address in \
                     POD_IP, which is {address}"
                );
                let name = Some(&*self.manifest.name);
                self.pod.events.warning(name, "ListensElsewhere", message);
            }
        }
    }
}
