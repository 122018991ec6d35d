//! cronjob — starts a Job whenever its time comes, and forgets those that ended long ago.

mod decide;

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use apiserver::{Clock, Schedule};
use jiff::Timestamp;
use k8s_openapi::{
    api::{
        batch::v1::{CronJob, CronJobStatus, Job},
        core::v1::ObjectReference,
    },
    apimachinery::pkg::apis::meta::v1::{ObjectMeta, Time},
};
use kube::{
    Api, Client, Resource, ResourceExt,
    api::{DeleteParams, ListParams, PostParams},
    runtime::{Controller, watcher},
};

use crate::{
    events::Events,
    owner,
    run::{self, Step},
};
use decide::{Act, decide, end, surplus};

/// On each job: the time it was due.
const DUE: &str = "batch.kubernetes.io/cronjob-scheduled-timestamp";

/// Runs the controller until it is dropped.
pub async fn run(client: Client, clock: Clock) {
    let any = watcher::Config::default;
    let controller = Controller::new(Api::<CronJob>::all(client.clone()), any())
        .owns(Api::<Job>::all(client.clone()), any());
    let events = Events {
        client,
        clock,
        component: "cronjob-controller",
    };
    run::run("cronjob", controller, move |cron| {
        step(events.clone(), cron)
    })
    .await;
}

async fn step(events: Events, seen: Arc<CronJob>) -> Step {
    let namespace = seen.namespace().unwrap_or_default();
    let api: Api<CronJob> = Api::namespaced(events.client.clone(), &namespace);
    let Some(cron) = api.get_opt(&seen.name_any()).await? else {
        return Ok(None);
    };
    let mut round = Round {
        jobs: Api::namespaced(events.client.clone(), &namespace),
        status: cron.status.clone().unwrap_or_default(),
        cron,
        events,
    };
    let before = round.status.clone();
    let again = round.run().await?;
    if before != round.status {
        let mut next = round.cron.clone();
        next.status = Some(round.status);
        let name = next.name_any();
        run::unless_gone(
            api.replace_status(&name, &PostParams::default(), &next)
                .await,
        )?;
    }
    Ok(again)
}

/// One look at a CronJob.
struct Round {
    events: Events,
    jobs: Api<Job>,
    cron: CronJob,
    status: CronJobStatus,
}

impl Round {
    async fn run(&mut self) -> Result<Option<Duration>, kube::Error> {
        let own = self.own_jobs().await?;
        self.note(&own).await;
        let spec = self.cron.spec.clone().unwrap_or_default();
        for name in surplus(&spec, &own) {
            self.delete(&name).await?;
        }
        let is_going = self.cron.metadata.deletion_timestamp.is_some();
        if is_going || spec.suspend == Some(true) {
            return Ok(None);
        }
        let schedule = match Schedule::parse(&spec.schedule, spec.time_zone.as_deref()) {
            Ok(schedule) => schedule,
            Err(why) => {
                let text = format!("unparseable schedule: {:?} : {why}", spec.schedule);
                self.warn("UnparseableSchedule", text).await;
                return Ok(None);
            }
        };
        let active: Vec<String> = own
            .iter()
            .filter(|job| end(job).is_none())
            .map(|job| job.name_any())
            .collect();
        let decision = decide(&self.cron, &schedule, &active, self.events.clock.now());
        if decision.too_many {
            let text = "too many missed start times. Set or decrease .spec.startingDeadlineSeconds or check clock skew";
            self.warn("TooManyMissedTimes", text.into()).await;
        }
        match decision.act {
            Act::Nothing => {}
            Act::Busy => {
                let text = "Not starting job because prior execution is running and concurrency policy is Forbid";
                self.say("JobAlreadyActive", text.into()).await;
            }
            Act::Start { at, replace } => {
                for name in replace {
                    self.delete(&name).await?;
                    self.forget(&name);
                }
                self.start(at).await?;
            }
        }
        Ok(decision.again)
    }

    async fn own_jobs(&self) -> Result<Vec<Job>, kube::Error> {
        let uid = self.cron.uid();
        let jobs = self.jobs.list(&ListParams::default()).await?.items;
        let is_own = |job: &Job| {
            let mut owners = job.owner_references().iter();
            owners.any(|owner| owner.controller == Some(true) && Some(&owner.uid) == uid.as_ref())
        };
        Ok(jobs.into_iter().filter(is_own).collect())
    }

    /// Jobs that ended, or that somebody deleted, are active no more.
    async fn note(&mut self, own: &[Job]) {
        for job in own {
            let Some(how) = end(job) else { continue };
            let done = job
                .status
                .as_ref()
                .and_then(|status| status.completion_time.clone());
            if how == "Complete" && done > self.status.last_successful_time {
                self.status.last_successful_time = done;
            }
            if self.forget(&job.name_any()) {
                let text = format!("Saw completed job: {}, condition: {how}", job.name_any());
                self.say("SawCompletedJob", text).await;
            }
        }
        let listed = self.status.active.clone().unwrap_or_default();
        for job in listed.iter().filter_map(|job| job.name.clone()) {
            if !own.iter().any(|one| one.name_any() == job) {
                self.forget(&job);
                let text = format!("Active job went missing: {job}");
                self.say("MissingJob", text).await;
            }
        }
    }

    /// Whether it was active.
    fn forget(&mut self, job: &str) -> bool {
        let Some(active) = &mut self.status.active else {
            return false;
        };
        let before = active.len();
        active.retain(|one| one.name.as_deref() != Some(job));
        let was = active.len() < before;
        if active.is_empty() {
            self.status.active = None;
        }
        was
    }

    async fn start(&mut self, at: Timestamp) -> Result<(), kube::Error> {
        let job = job_of(&self.cron, at);
        match self.jobs.create(&PostParams::default(), &job).await {
            // Two times of one minute share a name: the second run is left out, as in Kubernetes.
            Err(kube::Error::Api(status)) if status.reason == "AlreadyExists" => return Ok(()),
            Err(error) => {
                let text = format!("Error creating job: {error}");
                self.warn("FailedCreate", text).await;
                return Err(error);
            }
            Ok(made) => {
                let about = ObjectReference {
                    resource_version: made.resource_version(),
                    ..made.object_ref(&())
                };
                self.status.active.get_or_insert_default().push(about);
                self.status.last_schedule_time = Some(Time(at));
                let text = format!("Created job {}", made.name_any());
                self.say("SuccessfulCreate", text).await;
            }
        }
        Ok(())
    }

    async fn delete(&self, name: &str) -> Result<(), kube::Error> {
        run::unless_gone(self.jobs.delete(name, &DeleteParams::background()).await)?;
        self.say("SuccessfulDelete", format!("Deleted job {name}"))
            .await;
        Ok(())
    }

    async fn say(&self, reason: &str, text: String) {
        self.events.normal(&self.cron, reason, text).await;
    }

    async fn warn(&self, reason: &str, text: String) {
        self.events.warning(&self.cron, reason, text).await;
    }
}

/// The job for a run. Its name is the minute it was due.
fn job_of(cron: &CronJob, at: Timestamp) -> Job {
    let template = cron.spec.clone().unwrap_or_default().job_template;
    let described = template.metadata.unwrap_or_default();
    let mut annotations: BTreeMap<String, String> = described.annotations.unwrap_or_default();
    annotations.insert(DUE.into(), at.strftime("%Y-%m-%dT%H:%M:%SZ").to_string());
    Job {
        metadata: ObjectMeta {
            name: Some(format!("{}-{}", cron.name_any(), at.as_second() / 60)),
            namespace: cron.namespace(),
            labels: described.labels,
            annotations: Some(annotations),
            owner_references: owner::reference(cron).map(|owner| vec![owner]),
            ..ObjectMeta::default()
        },
        spec: template.spec,
        status: None,
    }
}
