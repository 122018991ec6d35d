//! Sending requests: a load worker in a pod, its lines on the timeline as they come.
use crate::{clock::wall_us, recorder::Recorder};
use cluster::{Cluster, Observer, canary::CANARY, worker::Worker};
use load::{LoadJob, wire};
use model::{Fact, Micros, Outcome, Saved, rows::Row};
use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{Arc, Mutex},
    time::Duration,
};
use tokio::{
    sync::mpsc,
    time::{Instant, timeout},
};

/// Pulling an image is not part of an experiment; this is how long the pod of a worker may take to run.
const WORKER_START_MAX: Duration = Duration::from_secs(60);

/// Processes of one machine read one clock, each once: how long its line took to come says nothing of it.
const SHARED_CLOCK_ERROR: Duration = Duration::from_millis(1);

/// Acknowledged keys by the step that wrote them, and rows by the step that collected them.
#[derive(Debug, Clone, Default)]
pub struct Ledger {
    acked: Arc<Mutex<BTreeMap<String, BTreeSet<String>>>>,
    rows: Arc<Mutex<BTreeMap<String, Vec<Row>>>>,
}

impl Ledger {
    fn add(&self, step: &str, key: &str) {
        let mut acked = self
            .acked
            .lock()
            .expect("nothing panics while it holds this lock");
        acked.entry(step.into()).or_default().insert(key.into());
    }

    fn keep(&self, step: &str, rows: &[Row]) {
        let all = self.rows.lock();
        let mut all = all.expect("nothing panics while it holds this lock");
        all.insert(step.into(), rows.to_vec());
    }

    /// What a step has collected.
    pub fn rows(&self, step: &str) -> Vec<Row> {
        let all = self.rows.lock();
        let all = all.expect("nothing panics while it holds this lock");
        all.get(step).cloned().unwrap_or_default()
    }

    /// How many writes of a step were acknowledged.
    pub fn count(&self, step: &str) -> u64 {
        let acked = self
            .acked
            .lock()
            .expect("nothing panics while it holds this lock");
        acked.get(step).map_or(0, |keys| keys.len() as u64)
    }
}

/// What steps keep of answers for the steps after them.
#[derive(Debug, Clone, Default)]
pub struct Kept {
    saved: Arc<Mutex<Saved>>,
}

impl Kept {
    fn put(&self, name: &str, value: serde_json::Value) {
        let mut saved = self.saved.lock();
        let saved = saved
            .as_mut()
            .expect("nothing panics while it holds this lock");
        saved.put(name, value);
    }

    /// All of it, as it is now.
    pub fn now(&self) -> Saved {
        let saved = self.saved.lock();
        saved
            .expect("nothing panics while it holds this lock")
            .clone()
    }
}

/// Where requests are sent from.
#[derive(Clone)]
pub struct Traffic {
    /// The cluster.
    pub cluster: Cluster,
    /// The namespace of the system.
    pub namespace: String,
    /// Image of the worker.
    pub image: String,
    /// Watches the namespace.
    pub observer: Observer,
    /// Writes the timeline.
    pub recorder: Recorder,
    /// Collects what was acknowledged.
    pub ledger: Ledger,
    /// What was kept of answers so far.
    pub saved: Kept,
    /// The workers are on this machine.
    pub shares_clock: bool,
}

impl Traffic {
    /// Sends a job from a pod and writes down everything it tells. `began` hears when its first request was sent.
    ///
    /// # Errors
    /// When the worker did not run, or ended without its own count: then it is not known what it sent.
    pub async fn send(
        &self,
        step: &str,
        job: &LoadJob,
        limit: Duration,
        began: impl FnOnce(Instant),
    ) -> Result<String, String> {
        let told = self
            .work(step, job, limit, |lines| self.take(step, lines, began))
            .await?;
        told.ok_or_else(|| "the load worker ended without its own count".into())
    }

    /// Waits until a pod reaches each address: `http://host:port` answers, `host:port` keeps a connection. `what` names the pod's Job.
    ///
    /// # Errors
    /// Which did not, and why.
    pub async fn reach(
        &self,
        what: &str,
        addresses: Vec<String>,
        limit: Duration,
    ) -> Result<(), String> {
        let job = LoadJob::Reach {
            addresses,
            timeout: limit.into(),
        };
        let told = self.work(what, &job, limit, |mut lines| async move {
            let mut ended = None;
            while let Some(line) = lines.recv().await {
                if let Ok(wire::Line::Ended { cut_short, .. }) = wire::parse(&line) {
                    ended = Some(cut_short);
                }
            }
            ended
        });
        match told.await? {
            Some(None) => Ok(()),
            Some(Some(unreached)) => Err(format!("no connection to {unreached}")),
            None => Err("the worker that tried to connect did not say what happened".into()),
        }
    }

    /// Where the canary answers.
    pub fn canary(&self) -> String {
        format!("http://{CANARY}:{}/", load::canary::PORT)
    }

    /// Runs a worker to its end; `take` gets its lines.
    pub(crate) async fn work<T, F: Future<Output = T>>(
        &self,
        name: &str,
        job: &LoadJob,
        limit: Duration,
        take: impl FnOnce(mpsc::UnboundedReceiver<String>) -> F,
    ) -> Result<T, String> {
        let name = format!("load-{name}");
        let json = serde_json::to_string(job).expect("a job is plain data");
        let worker = Worker {
            name: name.clone(),
            image: self.image.clone(),
            args: vec!["load-worker".into()],
            env: [(load::job::JOB_VARIABLE.to_string(), json)].into(),
            deadline: WORKER_START_MAX + limit,
        };
        self.cluster
            .start_worker(&self.namespace, &worker)
            .await
            .map_err(|e| e.to_string())?;
        let (sender, lines) = mpsc::unbounded_channel();
        let following = async {
            // Dropped with the log's end, so that whoever takes the lines ends as well.
            let sender = sender;
            let (namespace, observer) = (&self.namespace, &self.observer);
            let followed =
                self.cluster
                    .follow_worker(namespace, &name, observer, WORKER_START_MAX, &sender);
            followed.await.map_err(|e| e.to_string())
        };
        let both = async { tokio::join!(following, take(lines)) };
        let (followed, told) = timeout(worker.deadline, both).await.map_err(|_| {
            format!(
                "the worker did not end within {}",
                Micros::from(worker.deadline)
            )
        })?;
        followed.map(|()| told)
    }

    /// Takes the lines of a worker; what it said at its end.
    async fn take(
        &self,
        step: &str,
        mut lines: mpsc::UnboundedReceiver<String>,
        began: impl FnOnce(Instant),
    ) -> Option<String> {
        let (mut began, mut ended) = (Some(began), None);
        let (mut keys, mut rows) = (vec![], vec![]);
        while let Some(line) = lines.recv().await {
            match wire::parse(&line) {
                Ok(wire::Line::Began { wall_us: at }) => {
                    let since = Duration::from_micros(wall_us().saturating_sub(at));
                    if let Some(began) = began.take() {
                        began(
                            Instant::now()
                                .checked_sub(since)
                                .unwrap_or_else(Instant::now),
                        );
                    }
                    let clock_error = match self.shares_clock {
                        true => since.min(SHARED_CLOCK_ERROR),
                        false => since,
                    };
                    let clock_error = clock_error.into();
                    let at = self.recorder.clock.of_wall(at);
                    let fact = Fact::LoadBegan {
                        step: step.into(),
                        clock_error,
                    };
                    self.recorder.put(model::Observation { at, fact });
                }
                Ok(wire::Line::Request(request)) => {
                    let seen = request.observe(step, self.recorder.clock.started_wall_us());
                    if let Fact::Request(r) = &seen.fact
                        && let (Outcome::Ok, Some(key)) = (r.outcome(), &r.key)
                    {
                        self.ledger.add(step, key);
                    }
                    self.recorder.put(seen);
                }
                Ok(wire::Line::Saved(name, value)) => {
                    self.saved.put(&name, value.clone());
                    self.recorder.note(Fact::Saved {
                        step: step.into(),
                        name,
                        value,
                    });
                }
                Ok(wire::Line::Keys(more)) => keys.extend(more),
                Ok(wire::Line::Rows(more)) => rows.extend(more),
                Ok(wire::Line::Collected { reads, complete }) => {
                    let keys = std::mem::take(&mut keys);
                    let rows = std::mem::take(&mut rows);
                    let found = keys.len().max(rows.len());
                    ended = Some(format!("{found} found in {reads} readings"));
                    self.ledger.keep(step, &rows);
                    self.recorder.note(Fact::Collected {
                        step: step.into(),
                        keys,
                        rows,
                        reads,
                        complete,
                    });
                }
                Ok(wire::Line::Ended {
                    finished,
                    dropped,
                    lag_max_us,
                    cut_short,
                }) => {
                    ended = Some(format!("{finished} requests"));
                    self.recorder.note(Fact::LoadEnded {
                        step: step.into(),
                        finished,
                        dropped,
                        lag_max: Micros(lag_max_us),
                        cut_short,
                    });
                }
                // Counts of pods are asked for by workers that nothing else is asked of.
                Ok(line) => {
                    let seen = line.of_itself(step, self.recorder.clock.started_wall_us());
                    seen.into_iter().for_each(|o| self.recorder.put(o));
                }
                // Somebody else's line in the same log. A lost one of ours shows in the worker's own count.
                Err(_) => {}
            }
        }
        ended
    }
}
