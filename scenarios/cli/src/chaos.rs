//! `brownout chaos`: a fault without a scenario, by hand or as a Job in the cluster.
use crate::{args, files, select::Wrong, signals, text};
use ::chaos::job::{Ended, Job, Refused};
use anyhow::Context;
use cluster::Cluster;
use model::{ChaosPlan, ExitCode, Strike};
use serde_json::{Value, json};
use std::path::Path;

/// `brownout chaos run FILE`.
pub async fn run(wanted: &args::ChaosRun) -> anyhow::Result<ExitCode> {
    let mut plan = read(&wanted.file)?;
    plan.seed = wanted.seed.unwrap_or(plan.seed);
    let cluster = Cluster::connect(wanted.kubeconfig.as_deref(), wanted.context.as_deref()).await;
    let cluster = cluster.map_err(|e| {
        Wrong(format!(
            "{e}\n--kubeconfig and --context choose the cluster; in a pod its service account does"
        ))
    })?;
    let job = match Job::new(plan.clone(), cluster).await {
        Ok(job) => job,
        Err(Refused::Cluster(e)) => return Err(e).context("looking at the namespace"),
        Err(refused) => return Err(Wrong(refused.to_string()).into()),
    };
    match wanted.dry_run {
        true => Ok(preview(&plan, &job).await),
        false => perform(&plan, &job).await,
    }
}

/// `brownout chaos validate FILE…`
pub fn validate(file: &Path) -> anyhow::Result<ExitCode> {
    let plan = read(file)?;
    files::say(&format!(
        "{}: {} of {}, seed {}\n",
        plan.name,
        plan.fault.word(),
        plan.fault.target(),
        plan.seed
    ));
    Ok(ExitCode::Pass)
}

/// Reads a chaos file; everything that is wrong with it at once.
pub fn read(file: &Path) -> anyhow::Result<ChaosPlan> {
    let name = file.display().to_string();
    let text = text::read(file, ::plan::SCENARIO_MAX).map_err(|e| Wrong(format!("{name}: {e}")))?;
    Ok(::plan::chaos(&name, &text).map_err(|problems| Wrong(problems.to_string()))?)
}

async fn preview(plan: &ChaosPlan, job: &Job) -> ExitCode {
    let preview = job.preview().await;
    let mut said = format!(
        "{}: {} in namespace {}, seed {}; nothing is touched\n",
        plan.name,
        plan.fault.word(),
        preview.namespace,
        plan.seed
    );
    match &preview.targets {
        Ok(targets) => {
            for target in targets {
                said += &format!("  would hit {target}\n");
            }
        }
        Err(why) => said += &format!("  would hit nobody: {why}\n"),
    }
    for (right, may) in &preview.rights {
        said += &match may {
            Ok(true) => format!("  may {right}\n"),
            Ok(false) => format!("  may NOT {right}\n"),
            Err(why) => format!("  it is not known whether one may {right}: {why}\n"),
        };
    }
    files::say(&said);
    match preview.is_good() {
        true => ExitCode::Pass,
        false => ExitCode::Inconclusive,
    }
}

async fn perform(plan: &ChaosPlan, job: &Job) -> anyhow::Result<ExitCode> {
    let stop = runner::Stop::default();
    signals::stop_on_signals(stop.clone(), |_| {})?;
    line(
        json!({"chaos": plan.name, "began": plan.fault.word(), "of": plan.fault.target(),
        "namespace": job.namespace(), "seed": plan.seed}),
    );
    let name = plan.name.clone();
    let ended = job
        .run(async move { stop.wait().await }, move |strike| {
            line(blow(&name, strike));
        })
        .await;
    line(json!({"chaos": plan.name, "ended": match &ended.stopped {
            Some(by) => format!("stopped by {by}"),
            None => ended.dealt.summary(),
        },
        "unproven": ended.dealt.unproven,
        "recovered": ended.recovered.is_ok(),
        "detail": ended.recovered.as_ref().map_or_else(String::clone, String::clone)}));
    Ok(exit(&ended))
}

/// Everything is in place again, or it is 4; then: stopped is 3, without proof it is 2.
fn exit(ended: &Ended) -> ExitCode {
    if ended.recovered.is_err() {
        ExitCode::FaultInPlace
    } else if ended.stopped.is_some() {
        ExitCode::Stopped
    } else if !ended.dealt.unproven.is_empty() || ended.dealt.proven.is_empty() {
        ExitCode::Inconclusive
    } else {
        ExitCode::Pass
    }
}

fn blow(chaos: &str, strike: &Strike) -> Value {
    json!({"chaos": chaos, "blow": strike.number, "course": strike.course.word(), "pod": strike.pod,
        "workload": strike.workload, "detail": strike.detail})
}

/// One line of JSON, with the time in front.
fn line(mut value: Value) {
    let now = jiff::Timestamp::now();
    let mut whole = json!({"at": now.strftime("%Y-%m-%dT%H:%M:%S%.3fZ").to_string()});
    if let (Some(whole), Some(value)) = (whole.as_object_mut(), value.as_object_mut()) {
        whole.append(value);
    }
    files::say(&format!("{whole}\n"));
}

#[cfg(test)]
mod tests {
    use super::*;
    use ::chaos::Dealt;

    #[test]
    fn how_it_ends_says_what_is_still_in_place_first() {
        let ended = |proven: &[&str], unproven: &[&str], recovered: bool, stopped: bool| {
            let texts = |all: &[&str]| all.iter().map(|s| s.to_string()).collect();
            exit(&Ended {
                dealt: Dealt {
                    late: model::Micros::ZERO,
                    proven: texts(proven),
                    unproven: texts(unproven),
                    withheld: vec![],
                },
                recovered: match recovered {
                    true => Ok(String::new()),
                    false => Err(String::new()),
                },
                stopped: stopped.then(|| "SIGTERM".into()),
            })
        };
        assert_eq!(ended(&["a"], &[], true, false), ExitCode::Pass);
        assert_eq!(ended(&["a"], &["b"], true, false), ExitCode::Inconclusive);
        assert_eq!(ended(&[], &[], true, false), ExitCode::Inconclusive);
        assert_eq!(ended(&["a"], &[], true, true), ExitCode::Stopped);
        assert_eq!(ended(&["a"], &[], false, true), ExitCode::FaultInPlace);
    }
}
