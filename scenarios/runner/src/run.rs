//! One run: apply, gate, perform, undo, remove; everything written down.
use crate::{
    PLAN_FILE, Progress, Stop,
    clock::RunClock,
    gate::Gate,
    machine,
    recorder::{Recorder, Writing},
    scrape::Scraping,
    steps::Stage,
    traffic::{Kept, Ledger, Traffic},
    warnings,
    words::LastWords,
};
use chaos::{Entry, Journal, Place};
use cluster::{Cluster, Observer, View, canary::CANARY};
use load::heartbeat::{self, Heartbeat, Told};
use model::{
    EMBEDDED, Fact, FaultKind, Observation, Plan, Pressure, Process, Stall, Strike, Timeline,
    observation::Phase,
};
use std::{
    collections::{BTreeMap, BTreeSet},
    io,
    path::PathBuf,
    sync::{Arc, Mutex},
    time::Duration,
};
use tokio::sync::{mpsc, watch};

/// Where a plan is performed.
pub struct World {
    /// The cluster.
    pub cluster: Cluster,
    /// How it is found again after a crash.
    pub place: Place,
    /// `embedded` or `kube`.
    pub kind: String,
    /// The namespace to make, and to remove in the end.
    pub namespace: String,
    /// Image of brownout itself: the load workers run from it.
    pub image: String,
    /// The run's folder; it exists and is empty.
    pub dir: PathBuf,
    /// Ends the run early.
    pub stop: Stop,
}

/// What keeps a run from happening at all. Everything that goes wrong later is on the timeline instead.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The run's folder cannot be written.
    #[error("the run's folder {dir}: {source}")]
    Folder {
        /// Which.
        dir: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// What was seen could not be written down; the run was stopped at once.
    #[error("{dir}: the timeline could not be written: {why}; {}", became(*clean))]
    Timeline {
        /// The run's folder.
        dir: PathBuf,
        /// What the system says.
        why: io::Error,
        /// Everything is undone.
        clean: bool,
    },
    /// The cluster refuses.
    #[error(transparent)]
    Cluster(#[from] cluster::Error),
}

fn became(clean: bool) -> &'static str {
    match clean {
        true => {
            "the run was stopped and everything undone: make room, or name a folder with --runs that can be written"
        }
        false => "the run was stopped, and something may be left; `brownout recover` takes it away",
    }
}

/// A namespace that is not empty after this long has something in it that does not let go.
pub(crate) const REMOVAL_MAX: Duration = Duration::from_secs(120);

/// Performs a plan. The timeline is on disk as well, line by line.
///
/// # Errors
/// When the run could not begin; then nothing is left in the cluster. A timeline that cannot be written ends it, too.
pub async fn run(
    plan: &Plan,
    world: &World,
    progress: watch::Sender<Progress>,
) -> Result<Timeline, Error> {
    let folder = |source| Error::Folder {
        dir: world.dir.clone(),
        source,
    };
    let json = serde_json::to_string_pretty(plan).expect("a plan is plain data");
    std::fs::write(world.dir.join(PLAN_FILE), json).map_err(folder)?;
    let journal = Journal::open(&world.dir).map_err(folder)?;
    progress.send_replace(Progress::of(plan));
    let (recorder, writing) =
        Writing::begin(&world.dir, RunClock::start(), progress).map_err(folder)?;
    let performed = perform(plan, world, journal, recorder, writing.broken()).await;
    match (writing.finish().await, performed) {
        (Ok(timeline), performed) => performed.map(|_| timeline),
        (Err(why), performed) => Err(Error::Timeline {
            dir: world.dir.clone(),
            why,
            // A run that did not begin has left nothing.
            clean: performed.unwrap_or(true),
        }),
    }
}

/// What ends a run whose timeline cannot be written, on what can still be written.
const UNWRITABLE: &str = "a timeline that cannot be written";

/// Whether everything is gone again. `broken` ends as soon as there is nobody who writes down what is seen.
async fn perform(
    plan: &Plan,
    world: &World,
    mut journal: Journal,
    recorder: Recorder,
    broken: impl Future<Output = ()>,
) -> Result<bool, Error> {
    let folder = |source| Error::Folder {
        dir: world.dir.clone(),
        source,
    };
    let about = world.cluster.about().await?;
    recorder.note(Fact::Began {
        wall: jiff::Timestamp::now().to_string(),
        cluster: world.kind.clone(),
        version: about.version,
        node: about.node,
        namespace: world.namespace.clone(),
    });
    recorder.note(Fact::Phase {
        phase: Phase::Pending,
    });
    journal
        .write(&Entry::Namespace {
            name: world.namespace.clone(),
            place: world.place.clone(),
        })
        .map_err(folder)?;
    world
        .cluster
        .create_namespace(&world.namespace, &run_id(world))
        .await?;
    let observer = observe(plan, world, &recorder);
    let traffic = Traffic {
        cluster: world.cluster.clone(),
        namespace: world.namespace.clone(),
        image: world.image.clone(),
        observer: observer.clone(),
        recorder: recorder.clone(),
        ledger: Ledger::default(),
        saved: Kept::default(),
        shares_clock: world.kind == EMBEDDED,
    };
    let stage = Stage {
        plan: Arc::new(plan.clone()),
        cluster: world.cluster.clone(),
        namespace: world.namespace.clone(),
        observer,
        recorder: recorder.clone(),
        traffic,
        journal: Arc::new(Mutex::new(journal)),
        injected: Arc::default(),
    };
    let steps = async {
        if steady(&stage, &world.kind).await {
            let _heart = beat(&recorder);
            recorder.note(Fact::Phase {
                phase: Phase::Running,
            });
            let scraping = Scraping::begin(&stage);
            stage.perform().await;
            scraping.end().await;
        }
    };
    let stopped = tokio::select! {
        () = steps => None,
        by = world.stop.wait() => Some(by),
        () = tokio::time::sleep(plan.deadline.into()) => Some("the deadline".into()),
        () = broken => Some(UNWRITABLE.into()),
    };
    if let Some(by) = &stopped {
        recorder.note(Fact::Stopped { by: by.clone() });
    }
    recorder.note(Fact::Phase {
        phase: Phase::Recovering,
    });
    if stopped.is_none() {
        // Whoever stops a run wants it gone: its faults end with its namespace, which is faster than bringing back first.
        stage.undo_all().await;
        warnings::read(&stage).await;
    }
    recorder.note(Fact::Phase {
        phase: Phase::Draining,
    });
    Ok(remove(&stage).await)
}

/// A heart for this process, which has the proxies of an embedded cluster in it.
fn beat(recorder: &Recorder) -> Heartbeat {
    let recorder = recorder.clone();
    Heartbeat::begin(move |told| {
        let process = Process::Brownout;
        let (at, fact) = match told {
            Told::Stalled { from, until } => {
                let until = recorder.clock.of(until);
                (from, Fact::Stalled(Stall { process, until }))
            }
            Told::Machine {
                from,
                until,
                waiting,
                throttled,
            } if waiting >= heartbeat::WAITING_MIN || throttled > 0.0 => {
                let until = recorder.clock.of(until);
                let pressure = Pressure {
                    process,
                    until,
                    waiting,
                    throttled,
                };
                (from, Fact::Pressed(pressure))
            }
            Told::Machine { .. } => return,
        };
        let at = recorder.clock.of(at);
        recorder.put(Observation { at, fact });
    })
}

/// The watches, their facts on the timeline. What a chaos job tells is put under the name of its step.
fn observe(plan: &Plan, world: &World, recorder: &Recorder) -> Observer {
    let (sender, mut facts) = mpsc::unbounded_channel();
    let recorder = recorder.clone();
    let jobs: BTreeMap<String, String> = plan
        .faults()
        .filter_map(|(step, fault)| match &fault.kind {
            FaultKind::ChaosJob { chaos, .. } => Some((chaos.name.clone(), step.to_string())),
            _ => None,
        })
        .collect();
    let mut words = LastWords::new(world.cluster.clone(), &world.namespace, recorder.clone());
    tokio::spawn(async move {
        // A watch that broke tells everything again.
        let mut told = BTreeSet::new();
        while let Some(fact) = facts.recv().await {
            match fact {
                Fact::Strike(strike) => {
                    let key = (strike.number, strike.pod.clone(), strike.course.word());
                    if let Some(step) = jobs.get(&strike.step)
                        && told.insert((step, key))
                    {
                        let step = step.clone();
                        recorder.note(Fact::Strike(Strike { step, ..strike }));
                    }
                }
                fact if is_of_canary(&fact) => {}
                fact => {
                    words.heed(&fact);
                    recorder.note(fact);
                }
            }
        }
    });
    Observer::start(&world.cluster, &world.namespace, sender)
}

/// Whether it tells of what brownout has brought itself.
fn is_of_canary(fact: &Fact) -> bool {
    match fact {
        Fact::Pod(pod) => pod.owner == CANARY,
        Fact::Container(container) => container.owner == CANARY,
        Fact::PodSpec(spec) => spec.owner == CANARY,
        Fact::Deployment(spec) => spec.deployment == CANARY,
        Fact::Service(spec) => spec.service == CANARY,
        Fact::Replicas { deployment, .. } => deployment == CANARY,
        Fact::Endpoints { service, .. } => service == CANARY,
        Fact::Event { object, .. } => object
            .split('/')
            .nth(1)
            .is_some_and(|name| name.starts_with(CANARY)),
        _ => false,
    }
}

/// Applies the manifests and waits until everything in them is ready.
async fn steady(stage: &Stage, kind: &str) -> bool {
    let lacks = stage.cluster.lacks(&stage.plan.requires).await;
    let of_machine = || {
        (kind == EMBEDDED)
            .then(|| machine::lacks(&stage.plan))
            .flatten()
    };
    match lacks.map(|lack| lack.or_else(of_machine)) {
        Ok(None) => {}
        Ok(Some(lack)) => {
            stage.recorder.note(Fact::Lacking {
                what: lack.what,
                way_out: lack.way_out,
            });
            return false;
        }
        Err(e) => {
            let because = e.to_string();
            stage.recorder.note(Fact::NotSteady { because });
            return false;
        }
    }
    let objects = stage.plan.manifests.iter().flat_map(|m| &m.objects);
    for object in objects {
        if let Err(e) = stage.cluster.apply(&stage.namespace, object).await {
            stage.recorder.note(Fact::NotSteady {
                because: e.to_string(),
            });
            return false;
        }
    }
    if let Err(e) = bring_canary(stage).await {
        stage.recorder.note(Fact::NotSteady {
            because: e.to_string(),
        });
        return false;
    }
    stage.recorder.note(Fact::Phase {
        phase: Phase::Gating,
    });
    match ready(stage).await {
        Ok(()) => {
            stage.recorder.note(Fact::Steady {
                took: stage.recorder.clock.now(),
            });
            true
        }
        Err(because) => {
            stage.recorder.note(Fact::NotSteady { because });
            false
        }
    }
}

/// Where a load is measured, something to compare it with.
async fn bring_canary(stage: &Stage) -> Result<(), cluster::Error> {
    if !has_canary(&stage.plan) {
        return Ok(());
    }
    let (namespace, image) = (&stage.namespace, &stage.traffic.image);
    let port = load::canary::PORT;
    stage.cluster.start_canary(namespace, image, port).await
}

fn has_canary(plan: &Plan) -> bool {
    plan.loads().any(|(_, load)| !load.is_nothing())
}

/// Everything in the manifests says that it is ready, and every Service is reached from a pod: nodes learn of endpoints
/// later than the API does, and a process without probes answers later than it is called ready.
async fn ready(stage: &Stage) -> Result<(), String> {
    let mut gate = Gate::of(&stage.plan.manifests);
    if has_canary(&stage.plan) {
        gate.add(CANARY, load::canary::PORT);
    }
    let limit = stage.plan.ready_timeout.into();
    let open = stage
        .observer
        .until("the system was not ready", limit, |view| gate.is_open(view));
    open.await.map_err(|e| e.to_string())?;
    let reached = stage.traffic.reach("gate", gate.addresses(), limit).await;
    reached.map_err(|why| because(why, &stage.observer.view()))
}

/// What was missing, and what the cluster says that may be why.
fn because(missing: String, view: &View) -> String {
    let mut all = vec![missing];
    all.extend(view.troubles());
    all.extend(view.news());
    all.join("; ")
}

/// Removes the namespace and says so in the journal; whether it is gone.
async fn remove(stage: &Stage) -> bool {
    let removed = stage
        .cluster
        .delete_namespace(&stage.namespace, REMOVAL_MAX)
        .await;
    let detail = match &removed {
        Ok(()) => {
            stage.all_gone();
            let mut journal = stage
                .journal
                .lock()
                .expect("nothing panics while it holds this lock");
            // An unwritten end only makes `recover` look once more.
            let _ = journal.write(&Entry::Clean);
            format!("namespace {} is deleted", stage.namespace)
        }
        Err(e) => format!("{e}; `brownout recover` takes it away"),
    };
    stage.recorder.note(Fact::CleanedUp {
        ok: removed.is_ok(),
        detail,
    });
    removed.is_ok()
}

fn run_id(world: &World) -> String {
    let name = world
        .dir
        .file_name()
        .map(|n| n.to_string_lossy().into_owned())
        .unwrap_or_default();
    let allowed = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '.';
    let label: String = name
        .chars()
        .map(|c| if allowed(c) { c } else { '-' })
        .take(63)
        .collect();
    label
        .trim_matches(|c: char| !c.is_ascii_alphanumeric())
        .into()
}
