//! `brownout scenarios`: what was selected, one after the other, arm by arm.
use crate::{
    args::{self, Cluster},
    files, kafka, place,
    screen::Screen,
    select::{self, Selected},
    signals,
};
use anyhow::Context;
use model::{ExitCode, Plan, Report, Timeline, Verdict};
use runner::{Progress, Stop, World};
use std::{
    path::{Path, PathBuf},
    time::Instant,
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
    signals::stop_on_signals(stop.clone())?;
    let began = Instant::now();
    let mut reports = vec![];
    for (selected, plans) in planned {
        if stop.asked().is_none() {
            reports.push(scenario(selected, plans, &wanted, &stop).await?);
        }
    }
    if let Some(junit) = &wanted.junit {
        std::fs::write(junit, render::junit(&reports))
            .with_context(|| format!("writing {}", junit.display()))?;
    }
    summarise(&reports, began);
    Ok(ExitCode::foremost(reports.iter().map(files::exit_of)))
}

async fn scenario(
    selected: &Selected,
    plans: Vec<Plan>,
    wanted: &args::Scenarios,
    stop: &Stop,
) -> anyhow::Result<Report> {
    let name = selected.scenario.name();
    let time = jiff::Zoned::now().strftime("%Y%m%d-%H%M%S");
    let run = wanted
        .runs
        .join(format!("{time}-{}", name.replace('/', "-")));
    let command = command(name, wanted);
    files::begin(&run, &command)?;
    let mut recorded = vec![];
    for plan in plans {
        if stop.asked().is_some() {
            break;
        }
        recorded.push(arm(plan, &run, wanted, stop).await?);
    }
    let report = checks::report(recorded, &command, env!("CARGO_PKG_VERSION"), &files::now());
    files::write(&run, &report)?;
    print!("{}", render::terminal(&report, files::is_terminal()));
    println!("  report: {}\n", files::page(&run).display());
    Ok(report)
}

async fn arm(
    mut plan: Plan,
    run: &Path,
    wanted: &args::Scenarios,
    stop: &Stop,
) -> anyhow::Result<(Plan, Timeline)> {
    let dir = run.join(&plan.arm);
    std::fs::create_dir_all(&dir).with_context(|| format!("making {}", dir.display()))?;
    let suffix = suffix();
    kafka::with_image(&mut plan, place::IMAGE, &wanted.image);
    if let Some(address) = &wanted.kafka {
        kafka::on_real_kafka(&mut plan, address, &suffix);
    }
    let progress = watch::Sender::new(Progress::of(&plan));
    let screen = Screen::start(progress.subscribe());
    let ready = place::ready(wanted, &dir.join("cluster")).await?;
    let world = World {
        cluster: ready.cluster.clone(),
        place: ready.place.clone(),
        kind: ready.kind.into(),
        namespace: format!("{}-{suffix}", plan.namespace),
        image: wanted.image.clone(),
        dir: PathBuf::from(&dir),
        stop: stop.clone(),
    };
    let performed = runner::run(&plan, &world, progress).await;
    ready.end().await;
    screen.end().await;
    let timeline = performed.with_context(|| format!("running {}", plan.scenario))?;
    Ok((plan, timeline))
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
    let place = match wanted.cluster {
        Cluster::Embedded => String::new(),
        Cluster::Kube => {
            let context = wanted.context.as_ref().map(|c| format!(" --context {c}"));
            let kafka = wanted.kafka.as_ref().map(|k| format!(" --kafka {k}"));
            format!(
                " --cluster kube{}{}",
                context.unwrap_or_default(),
                kafka.unwrap_or_default()
            )
        }
    };
    format!(
        "cargo run scenarios {name}{}{place}",
        wanted.variant.words()
    )
}

fn summarise(reports: &[Report], began: Instant) {
    if reports.len() < 2 {
        return;
    }
    let count = |verdict| reports.iter().filter(|r| r.verdict == verdict).count();
    println!(
        "{} scenarios in {} s: {} pass, {} fail, {} inconclusive",
        reports.len(),
        began.elapsed().as_secs(),
        count(Verdict::Pass),
        count(Verdict::Fail),
        count(Verdict::Inconclusive),
    );
    for report in reports {
        println!("  {:<13} {}", report.verdict.word(), report.scenario);
    }
}
