//! Steps that look into containers, logs and objects. What is not as wanted is an observation, not a failure of the step: whether
//! it may be so is for the checks to say.
use crate::steps::Stage;
use cluster::look::Which;
use jsonpath_rust::JsonPath;
use model::{
    Execution, Fact, Micros, ObjectsOf, PodChoice, PodsOf, Wanted,
    load::BODY_MAX,
    look::{seen, selector},
};
use serde_json::Value;
use std::time::Duration;
use tokio::time::{Instant, sleep, timeout};

/// What is not yet as wanted is looked at again so much later.
const PAUSE: Duration = Duration::from_millis(250);

/// One look, a slow exec included: an API server that does not answer must not use up all the time.
const LOOK_MAX: Duration = Duration::from_secs(30);

/// So many lines of a log are looked through, from its end.
const LOG_LINES: i64 = 10_000;

impl Stage {
    /// Runs a command, again until it ends as expected where there is time for that.
    pub async fn exec(
        &self,
        step: &str,
        pod: &PodChoice,
        command: &[String],
        until: Option<Micros>,
    ) -> Result<String, String> {
        let saved = self.traffic.saved.now();
        let expected = self.plan.expected_output(step).map(|e| e.with(&saved));
        let expected = expected.unwrap_or_default();
        let command: Vec<String> = command.iter().map(|word| saved.fill(word)).collect();
        let end = Instant::now() + until.unwrap_or_default().into();
        let mut before = None;
        loop {
            let seen = self.execute(pod, &command).await;
            let over = expected.differences(&seen).is_empty() || Instant::now() >= end;
            if before.as_ref() != Some(&seen) {
                self.recorder.note(Fact::Executed {
                    step: step.into(),
                    seen: seen.clone(),
                });
            }
            if over {
                return Ok(seen.written());
            }
            before = Some(seen);
            sleep(PAUSE).await;
        }
    }

    async fn execute(&self, pod: &PodChoice, command: &[String]) -> Execution {
        let failed = |pod: String, why: String| Execution {
            pod,
            error: Some(why),
            ..Execution::default()
        };
        let name = match self.pods(pod).await.map(|mut all| all.drain(..).next()) {
            Ok(Some(name)) => name,
            Ok(None) => return failed(String::new(), no_pod(pod)),
            Err(why) => return failed(String::new(), why),
        };
        let container = pod.container.as_deref();
        let run = self
            .cluster
            .exec(&self.namespace, &name, container, command, BODY_MAX);
        match timeout(LOOK_MAX, run).await {
            Err(_) => failed(
                name,
                format!("it did not end within {}", Micros::from(LOOK_MAX)),
            ),
            Ok(Err(e)) => failed(name, e.to_string()),
            Ok(Ok(output)) => Execution {
                pod: name,
                exit_code: output.exit_code,
                stdout: output.stdout,
                stderr: output.stderr,
                error: (!output.refused.is_empty()).then_some(output.refused),
            },
        }
    }

    /// The names of the pods that are chosen among, in order; the chosen one alone, if it is said which.
    async fn pods(&self, choice: &PodChoice) -> Result<Vec<String>, String> {
        let mut names = match &choice.of {
            PodsOf::Name(name) => vec![name.clone()],
            PodsOf::Workload(owner) => self.pods_of(owner),
            PodsOf::Labels(labels) => {
                let labels = selector(labels);
                let names = self.cluster.pod_names(&self.namespace, &labels);
                names.await.map_err(|e| e.to_string())?
            }
        };
        if let Some(number) = choice.replica {
            let chosen = names.into_iter().nth(number.saturating_sub(1) as usize);
            names = chosen.into_iter().collect();
        }
        Ok(names)
    }

    /// Pods that a workload made and that are to stay, by name.
    fn pods_of(&self, owner: &str) -> Vec<String> {
        let view = self.observer.view();
        let pods = view.pods_of(owner).filter(|p| !p.terminating);
        let mut names: Vec<String> = pods.map(|p| p.name.clone()).collect();
        names.sort();
        names
    }

    /// Looks through logs until all texts are in one of them.
    pub async fn logs(
        &self,
        step: &str,
        pod: &PodChoice,
        contains: &[String],
        within: Micros,
    ) -> Result<String, String> {
        let saved = self.traffic.saved.now();
        let texts: Vec<String> = contains.iter().map(|text| saved.fill(text)).collect();
        let end = Instant::now() + within.into();
        let mut before = None;
        loop {
            let (found, missing) = self.look_through(pod, &texts).await;
            let over = missing.is_empty() || Instant::now() >= end;
            if before != Some(missing.len()) {
                before = Some(missing.len());
                self.recorder.note(Fact::Logged {
                    step: step.into(),
                    found: found.clone(),
                    missing: missing.clone(),
                });
            }
            match (over, missing.first()) {
                (true, None) => return Ok(format!("found: {}", found.join(" / "))),
                (true, Some(text)) => {
                    return Ok(format!("{text:?} was not in the log within {within}"));
                }
                _ => sleep(PAUSE).await,
            }
        }
    }

    /// The log that has most of the texts: its lines with them, and the texts it does not have.
    async fn look_through(&self, pod: &PodChoice, texts: &[String]) -> (Vec<String>, Vec<String>) {
        let mut best = (vec![], texts.to_vec());
        for name in self.pods(pod).await.unwrap_or_default() {
            let container = pod.container.as_deref();
            let log = self
                .cluster
                .log(&self.namespace, &name, container, LOG_LINES);
            // A container that has not begun has no log yet.
            let log = timeout(LOOK_MAX, log).await.ok().and_then(Result::ok);
            let log = log.unwrap_or_default();
            let line = |text: &String| log.lines().find(|line| line.contains(text.as_str()));
            let found: Vec<String> = texts.iter().filter_map(line).map(shortened).collect();
            let missing: Vec<String> = texts
                .iter()
                .filter(|t| line(t).is_none())
                .cloned()
                .collect();
            if missing.len() < best.1.len() {
                best = (found, missing);
            }
        }
        best
    }

    /// Waits until objects are as wanted.
    pub async fn wait_for(
        &self,
        step: &str,
        wanted: &Wanted,
        within: Micros,
    ) -> Result<String, String> {
        let end = Instant::now() + within.into();
        let mut before = None;
        loop {
            let found = self.look_at(wanted).await?;
            let (seen, met) = (seen(&found), wanted.is_met(&found));
            if before.as_ref() != Some(&seen) {
                self.recorder.note(Fact::Awaited {
                    step: step.into(),
                    seen: seen.clone(),
                    met,
                });
                before = Some(seen.clone());
            }
            if met || Instant::now() >= end {
                return Ok(seen);
            }
            sleep(PAUSE).await;
        }
    }

    /// What is there now: for each object the first value of the path, or the object's name.
    async fn look_at(&self, wanted: &Wanted) -> Result<Vec<Option<Value>>, String> {
        let objects = match &wanted.of {
            ObjectsOf::Name(name) => self.read(wanted, Which::Name(name)).await?,
            ObjectsOf::Labels(labels) => {
                self.read(wanted, Which::Labels(&selector(labels))).await?
            }
            ObjectsOf::Workload(owner) => {
                let mut all = vec![];
                for name in self.pods_of(owner) {
                    all.extend(self.read(wanted, Which::Name(&name)).await?);
                }
                all
            }
        };
        let value = |object: &Value| match &wanted.path {
            None => Some(object["metadata"]["name"].clone()),
            Some(path) => {
                let found = object.query(path).ok()?;
                found.first().map(|found| (*found).clone())
            }
        };
        Ok(objects.iter().map(value).collect())
    }

    async fn read(&self, wanted: &Wanted, which: Which<'_>) -> Result<Vec<Value>, String> {
        let (version, kind) = (&wanted.api_version, &wanted.kind);
        let reading = self.cluster.objects(&self.namespace, version, kind, which);
        match timeout(LOOK_MAX, reading).await {
            Ok(read) => read.map_err(|e| e.to_string()),
            Err(_) => Err("the cluster does not answer".into()),
        }
    }
}

fn no_pod(choice: &PodChoice) -> String {
    match choice.replica {
        Some(n) => format!("there are fewer than {n} {}", choice.of.written()),
        None => format!("there are no {}", choice.of.written()),
    }
}

/// So much of a line of a log is kept, in letters.
const LINE_MAX: usize = 300;

fn shortened(line: &str) -> String {
    line.chars().take(LINE_MAX).collect()
}
