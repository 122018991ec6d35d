//! container — one container of a pod, through all its starts.

use std::io;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use k8s_openapi::api::core::v1::Container as Manifest;
use k8s_openapi::jiff::Timestamp;
use tokio::sync::{Notify, mpsc, watch};
use tokio::task::JoinSet;
use tokio::time::sleep;

use super::life::PodLife;
use super::prepare::{NotYet, Start};
use crate::backoff::{Backoff, Restart};
use crate::beneath::Folder;
use crate::probes::{Live, ProbeSpec, Published, Worker};
use crate::runtime::{Container, ContainerSpec, Log};
use crate::status::{Ended, PodView, Record, State};

/// What a container waits for is looked at again so much later, should no change have told of it.
const LOOK_AGAIN: Duration = Duration::from_secs(10);
/// The exit code of a container whose program could not be started.
const CANNOT_START: i32 = 128;

/// Which of the pod's containers.
#[derive(Debug, Clone, Copy)]
pub(super) struct Place {
    pub init: bool,
    pub index: usize,
}

pub(super) struct ContainerLife {
    pub pod: Arc<PodLife>,
    pub manifest: Manifest,
    place: Place,
    pub probes: Vec<ProbeSpec>,
    /// Counts starts, from 0.
    pub number: u32,
    backoff: Backoff,
    /// The end by which the next start is judged: not always the newest one.
    judged_by: Option<Timestamp>,
    pub live: watch::Sender<Option<Live>>,
    /// Asks the readiness probe for an attempt now.
    pub trigger: Arc<Notify>,
}

/// How one start went.
pub(super) struct End {
    pub code: i32,
    pub reason: &'static str,
    pub message: Option<String>,
    /// Ended because a probe decided so.
    pub by_probe: bool,
}

impl ContainerLife {
    pub fn new(pod: Arc<PodLife>, manifest: Manifest, place: Place) -> ContainerLife {
        let probes = ProbeSpec::all(&manifest, pod.address.into());
        ContainerLife {
            pod,
            manifest,
            place,
            probes,
            number: 0,
            backoff: Backoff::default(),
            judged_by: None,
            live: watch::Sender::new(None),
            trigger: Arc::default(),
        }
    }

    /// Until it has ended for good; true if with exit code 0.
    pub async fn run(mut self) -> bool {
        let (publish, mut published) = mpsc::unbounded_channel();
        let _workers = self.workers(&publish);
        let mut newest = None;
        while self.wait_for_turn(newest).await {
            let Some((spec, log_ended)) = self.prepare().await else {
                break;
            };
            let since = self.pod.context.clock.now();
            let end = match self.pod.context.runtime.start(spec).await {
                Ok(container) => self.attend(container, since, &mut published).await,
                Err(error) => self.failed_to_start(error.0),
            };
            log_ended.send_replace(true);
            let until = self.pod.context.clock.now();
            let before = newest.replace(until);
            self.judged_by = if end.by_probe { before } else { newest };
            let code = end.code;
            self.ended(end, since, until);
            if !self.is_wanted_again(code) {
                return code == 0;
            }
            self.number += 1;
        }
        false
    }

    fn workers(&self, publish: &mpsc::UnboundedSender<Published>) -> JoinSet<()> {
        let mut workers = JoinSet::new();
        for spec in &self.probes {
            let worker = Worker {
                spec: spec.clone(),
                container: self.manifest.name.clone(),
                live: self.live.subscribe(),
                order: self.pod.order.clone(),
                trigger: self.trigger.clone(),
                published: publish.clone(),
                events: self.pod.events.clone(),
            };
            workers.spawn(worker.run());
        }
        workers
    }

    fn is_wanted_again(&self, code: i32) -> bool {
        if self.pod.is_ordered() {
            return false;
        }
        match self.pod.spec().restart_policy.as_deref() {
            Some("Never") => false,
            Some("OnFailure") => code != 0,
            _ => code != 0 || !self.place.init,
        }
    }

    /// False: the pod is to end instead.
    async fn wait_for_turn(&mut self, newest: Option<Timestamp>) -> bool {
        loop {
            if self.pod.is_ordered() {
                return false;
            }
            let now = self.pod.context.clock.now();
            let (delay, until) = match self.backoff.decide(now, self.judged_by) {
                Restart::Now => return true,
                Restart::Wait { delay, until } => (delay, until),
            };
            if self.judged_by != newest {
                // Once it waits, its own end is what it waits from.
                self.judged_by = newest;
                continue;
            }
            self.tell_back_off(delay);
            let left = Duration::try_from(until.duration_since(now)).unwrap_or_default();
            tokio::select! {
                () = self.pod.ordered() => return false,
                () = sleep(left) => {}
            }
        }
    }

    fn tell_back_off(&self, delay: Duration) {
        let [namespace, pod, uid] = self.pod.id();
        let name = &self.manifest.name;
        let message = format!(
            "back-off {}s restarting failed container={name} pod={pod}_{namespace}({uid})",
            delay.as_secs()
        );
        self.wait_because("CrashLoopBackOff", message);
        let event =
            format!("Back-off restarting failed container {name} in pod {pod}_{namespace}({uid})");
        self.pod.events.warning(Some(name), "BackOff", event);
    }

    fn wait_because(&self, reason: &str, message: String) {
        let state = State::Waiting {
            reason: reason.into(),
            message: Some(message),
        };
        self.record(|record| record.enter(state));
    }

    /// Until everything it needs is there. `None`: the pod is to end instead. The sender tells when its log is complete.
    async fn prepare(&self) -> Option<(ContainerSpec, watch::Sender<bool>)> {
        let mut maps = self.pod.context.maps.clone();
        loop {
            maps.mark_unchanged();
            let not_yet = match self.try_prepare().await {
                Ok(ready) => return Some(ready),
                Err(not_yet) => not_yet,
            };
            self.pod.events.warning(
                Some(&self.manifest.name),
                event_of(not_yet.reason),
                format!("Error: {}", not_yet.message),
            );
            self.wait_because(not_yet.reason, not_yet.message);
            tokio::select! {
                () = self.pod.ordered() => return None,
                _ = maps.changed() => {}
                () = sleep(LOOK_AGAIN) => {}
            }
        }
    }

    async fn try_prepare(&self) -> Result<(ContainerSpec, watch::Sender<bool>), NotYet> {
        let (pod, name) = (&self.pod, &self.manifest.name);
        let (folder, path, log) = self.new_log().map_err(|error| NotYet {
            reason: "CreateContainerError",
            message: format!("log: {error}"),
        })?;
        let start = Start {
            context: &pod.context,
            pod: &pod.pod,
            address: pod.address,
            volumes: &pod.volumes,
            manifest: &self.manifest,
            events: &pod.events,
            tmp: &pod.folder.join("volumes/.tmp"),
        };
        let spec = start.spec(&folder, Arc::new(log)).await?;
        let (log_ended, ended) = watch::channel(false);
        let [namespace, pod_name, uid] = pod.id();
        pod.context
            .registry
            .log((&namespace, &pod_name, &uid), name, path, ended);
        let image = &spec.image;
        pod.events.normal(
            Some(name),
            "Pulled",
            format!("Container image {image:?} already present on machine"),
        );
        pod.events
            .normal(Some(name), "Created", format!("Created container: {name}"));
        Ok((spec, log_ended))
    }

    fn new_log(&self) -> io::Result<(PathBuf, PathBuf, Log)> {
        let name = format!("{}.log", self.number);
        let folder = Folder::made_at(&self.pod.folder)?.make(&self.manifest.name)?;
        let log = Log::new(folder.create(&name)?, self.pod.context.clock);
        let folder = self.pod.folder.join(&self.manifest.name);
        let path = folder.join(name);
        Ok((folder, path, log))
    }

    fn failed_to_start(&self, why: String) -> End {
        let message = format!("failed to create containerd task: failed to start container: {why}");
        self.pod.events.warning(
            Some(&self.manifest.name),
            "Failed",
            format!("Error: {message}"),
        );
        End {
            code: CANNOT_START,
            reason: "StartError",
            message: Some(message),
            by_probe: false,
        }
    }

    fn ended(&self, end: End, since: Timestamp, until: Timestamp) {
        let id = self.container_id();
        let ended = Ended {
            id: id.clone(),
            code: end.code,
            reason: end.reason.into(),
            message: end.message,
            since,
            until,
        };
        let number = self.number;
        self.record(|record| {
            record.enter(State::Ended(ended));
            (record.id, record.restarts) = (id, number);
        });
    }

    pub fn container_id(&self) -> String {
        let [_, _, uid] = self.pod.id();
        format!("embedded://{uid}/{}/{}", self.manifest.name, self.number)
    }

    pub fn register(&self, container: Option<(Timestamp, Arc<dyn Container>)>) {
        let [namespace, pod, uid] = self.pod.id();
        self.pod
            .context
            .registry
            .live((&namespace, &pod, &uid), &self.manifest.name, container);
    }

    pub fn at<'a>(&self, view: &'a PodView) -> Option<&'a Record> {
        let records = if self.place.init {
            &view.init
        } else {
            &view.app
        };
        records.get(self.place.index)
    }

    pub fn record(&self, change: impl FnOnce(&mut Record)) {
        self.pod.view.send_if_modified(|view| {
            let records = if self.place.init {
                &mut view.init
            } else {
                &mut view.app
            };
            let Some(record) = records.get_mut(self.place.index) else {
                return false;
            };
            let before = record.clone();
            change(record);
            *record != before
        });
    }
}

// What `kubectl describe` calls it.
fn event_of(reason: &str) -> &'static str {
    match reason {
        "ErrImageNeverPull" => "ErrImageNeverPull",
        _ => "Failed",
    }
}
