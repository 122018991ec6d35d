//! `brownout scenarios`: what was selected, one after the other, arm by arm.
use crate::{
    args::{self, Cluster},
    files, images, kafka, place,
    screen::Screen,
    select::{self, Selected},
    signals,
};
use anyhow::Context;
use model::{ExitCode, Fact, Micros, Observation, Plan, Report, Timeline, Verdict};
use runner::{Progress, Stop, World};
use std::{
    path::{Path, PathBuf},
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant},
};
use tokio::sync::watch;

/// Runs them all; a signal ends the one that runs and leaves out the others.
pub async fn run(wanted: args::Scenarios) -> anyhow::Result<ExitCode> {
    if wanted.list {
        return select::list(&wanted);
    }
    let selected = select::select(&wanted.names)?;
    // Everything is resolved before anything runs: a typo in the last file costs no waiting for the first.
    let planned = selected
        .iter()
        .map(|s| Ok((s, s.plans(&wanted.variant)?)))
        .collect::<Result<Vec<_>, select::Wrong>>()?;
    let stop = Stop::default();
    let current = Current::default();
    signals::stop_on_signals(stop.clone(), current.leaving())?;
    let mut reports = vec![];
    let mut took = vec![];
    let mut ended = vec![];
    // Before anything runs, so that a path nobody can write to costs no waiting.
    junit(&wanted, &reports)
        .map_err(|e| select::Wrong(format!("{e:#}; name a file that can be written")))?;
    let all = planned.len();
    for (selected, plans) in planned {
        if stop.asked().is_some() {
            // What was left out was not shown, however well the others went.
            ended.push(ExitCode::Stopped);
            break;
        }
        let began = Instant::now();
        let done = scenario(selected, plans, &wanted, &stop, &current).await;
        let (report, written) = done.inspect_err(|_| summarise(&reports, &took))?;
        ended.push(files::exit_of(&report));
        if let Err(e) = written {
            // Whoever waits for the exit code hears first of what may still be in place.
            if ExitCode::foremost(ended.iter().copied()) != ExitCode::FaultInPlace {
                return Err(e);
            }
            eprintln!("brownout: {e:#}");
            break;
        }
        reports.push(report);
        took.push(began.elapsed());
        if all > 1 {
            let so_far = took.iter().sum::<Duration>().as_secs();
            files::say(&format!(
                "{} of {all} scenarios after {so_far} s\n\n",
                reports.len()
            ));
        }
        junit(&wanted, &reports)?;
    }
    summarise(&reports, &took);
    Ok(ExitCode::foremost(ended))
}

/// The folder of the run that is going on.
#[derive(Clone, Default)]
struct Current(Arc<Mutex<Option<PathBuf>>>);

impl Current {
    fn set(&self, run: Option<PathBuf>) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = run;
    }

    /// What is still to be done when it is left at once: its folder says so.
    fn leaving(&self) -> impl FnOnce(&str) + Send + 'static {
        let current = self.clone();
        move |by| {
            let run = current.0.lock().unwrap_or_else(PoisonError::into_inner);
            if let Some(Err(e)) = run.as_deref().map(|run| files::left_at_once(run, by)) {
                eprintln!("brownout: {e:#}");
            }
        }
    }
}

/// Writes what has run so far, if it is wanted: whatever ends the rest, this is there.
fn junit(wanted: &args::Scenarios, reports: &[Report]) -> anyhow::Result<()> {
    let Some(file) = &wanted.junit else {
        return Ok(());
    };
    std::fs::write(file, render::junit(reports))
        .with_context(|| format!("writing {}", file.display()))
}

async fn scenario(
    selected: &Selected,
    plans: Vec<Plan>,
    wanted: &args::Scenarios,
    stop: &Stop,
    current: &Current,
) -> anyhow::Result<(Report, anyhow::Result<()>)> {
    let name = selected.scenario.name();
    let command = command(name, wanted);
    let plans: Vec<Plan> = plans
        .into_iter()
        .map(|plan| on_this_cluster(plan, wanted))
        .collect();
    let run = files::begin(&wanted.runs, &command, &plans)?;
    current.set(Some(run.clone()));
    let mut recorded = vec![];
    for plan in plans {
        let timeline = match stop.asked() {
            Some(by) => left_out(by, &run.join(&plan.arm))?,
            None => arm(&plan, &run, wanted, stop).await?,
        };
        recorded.push((plan, timeline));
    }
    let report = checks::report(recorded, &command, env!("CARGO_PKG_VERSION"), &files::now());
    let written = files::write(&run, &report);
    current.set(None);
    files::say(&render::terminal(&report, files::is_terminal()));
    if written.is_ok() {
        files::say(&format!("  report: {}\n\n", files::page(&run).display()));
    }
    Ok((report, written))
}

/// The image and the Kafka that the cluster has, in place of those the manifests name.
fn on_this_cluster(mut plan: Plan, wanted: &args::Scenarios) -> Plan {
    kafka::with_image(&mut plan, place::IMAGE, &wanted.image);
    if let Some(address) = &wanted.kafka {
        kafka::on_real_kafka(&mut plan, address, &suffix());
    }
    plan
}

/// The timeline of an arm that a stop came before. It is on disk as any other.
fn left_out(by: String, dir: &Path) -> anyhow::Result<Timeline> {
    let timeline = Timeline::new(vec![Observation {
        at: Micros::ZERO,
        fact: Fact::Stopped { by },
    }]);
    let file = dir.join(runner::TIMELINE_FILE);
    std::fs::write(&file, timeline.write())
        .with_context(|| format!("writing {}", file.display()))?;
    Ok(timeline)
}

async fn arm(
    plan: &Plan,
    run: &Path,
    wanted: &args::Scenarios,
    stop: &Stop,
) -> anyhow::Result<Timeline> {
    let dir = run.join(&plan.arm);
    let progress = watch::Sender::new(Progress::of(plan));
    let screen = Screen::start(progress.subscribe());
    let ready = place::ready(wanted, &dir.join("cluster")).await;
    let ready = match ready {
        Ok(ready) => ready,
        Err(e) => {
            screen.end().await;
            return Err(e);
        }
    };
    let world = World {
        cluster: ready.cluster.clone(),
        place: ready.place.clone(),
        kind: ready.kind.into(),
        namespace: format!("{}-{}", plan.namespace, suffix()),
        image: wanted.image.clone(),
        dir,
        stop: stop.clone(),
    };
    let performed = runner::run(plan, &world, progress).await;
    ready.end().await;
    screen.end().await;
    performed.with_context(|| format!("running {}", plan.scenario))
}

/// Five hexadecimal digits that the namespaces of two runs on one cluster hardly share.
fn suffix() -> String {
    let now = jiff::Timestamp::now().as_microsecond();
    format!(
        "{:05x}",
        (now ^ i64::from(std::process::id()) << 7) & 0xf_ffff
    )
}

/// What is typed to run one scenario again as it ran.
fn command(name: &str, wanted: &args::Scenarios) -> String {
    let file = wanted
        .names
        .iter()
        .find(|n| n.ends_with(".yaml") || n.ends_with(".yml"));
    let name = file.map_or(name, String::as_str);
    let option = |word: &str, value: &Option<String>| {
        value
            .as_ref()
            .map(|value| format!(" --{word} {value}"))
            .unwrap_or_default()
    };
    let path = |path: &PathBuf| path.display().to_string();
    let place = match wanted.cluster {
        Cluster::Embedded => format!(
            "{}{}",
            images::words(&wanted.images.map),
            option("tier", &wanted.tier.map(|tier| tier.word().into()))
        ),
        Cluster::Kube => format!(
            " --cluster kube{}{}{}",
            option("kubeconfig", &wanted.kubeconfig.as_ref().map(path)),
            option("context", &wanted.context),
            option(
                "image",
                &(wanted.image != place::IMAGE).then(|| wanted.image.clone())
            ),
        ),
    };
    let kafka = option("kafka", &wanted.kafka);
    format!(
        "cargo run scenarios {name}{}{place}{kafka}",
        wanted.variant.words()
    )
}

/// A line for each scenario with its verdict and how long it took, if there are several.
fn summarise(reports: &[Report], took: &[Duration]) {
    if reports.len() < 2 {
        return;
    }
    let count = |verdict| reports.iter().filter(|r| r.verdict == verdict).count();
    files::say(&format!(
        "{} scenarios in {} s: {} pass, {} fail, {} inconclusive\n",
        reports.len(),
        took.iter().sum::<Duration>().as_secs(),
        count(Verdict::Pass),
        count(Verdict::Fail),
        count(Verdict::Inconclusive),
    ));
    for (report, took) in reports.iter().zip(took) {
        files::say(&format!(
            "  {:<13} {:>5} s  {}\n",
            report.verdict.word(),
            took.as_secs(),
            report.scenario
        ));
    }
}
