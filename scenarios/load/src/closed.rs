//! Users in a loop, driven by goose.
//!
//! goose launches the users and calls their turns; when to begin, when to end, what counts and what is printed is ours,
//! because goose launches users one after the other, ends within half a second, and knows only when headers arrived.
use crate::{
    answer::WallClock,
    output::Lines,
    pace::Ceiling,
    template::{self, Template},
    turn::{Shared, Span, User, join, turn},
    wire::Line,
    worker::{STOPPED, Tally, WorkError},
};
use goose::{
    GooseAttack, GooseError,
    client::GooseClientBuilder,
    config::GooseConfiguration,
    goose::{Scenario, Transaction, TransactionFunction, goose_method_from_method},
};
use model::{Connection, Load};
use std::{
    sync::{Arc, Mutex, atomic::Ordering},
    time::{Duration, Instant},
};
use tokio::{
    sync::{mpsc, watch},
    task::JoinHandle,
    time::{sleep_until, timeout},
};
use tokio_util::sync::CancellationToken;

/// goose has one switch for all attacks of a process: there is one at a time.
static ATTACK: tokio::sync::Mutex<()> = tokio::sync::Mutex::const_new(());

/// The users of a load and their limits; time wins over repetitions, as in siege.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Users {
    pub(crate) count: u32,
    pub(crate) duration: Option<Duration>,
    pub(crate) repetitions: Option<u32>,
    pub(crate) max_rate: Option<u32>,
}

/// goose, still busy with its end.
pub(crate) type Rest = JoinHandle<Result<(), GooseError>>;

/// How the users are watched.
struct Watch {
    launches: mpsc::UnboundedReceiver<()>,
    gate: watch::Sender<Option<Span>>,
    /// Closes when the last user has finished.
    presence: mpsc::Receiver<()>,
}

/// Sends the load. When this returns, all that counts has been printed and no request will be sent any more.
pub(crate) async fn run(
    load: &Load,
    users: Users,
    lines: &Lines,
    stop: &CancellationToken,
) -> Result<(Tally, Rest), WorkError> {
    let (shared, mut watch) = prepare(load, users, lines, stop)?;
    let mut attack = tokio::spawn(attack(users.count, shared.clone()));
    tokio::select! {
        _ = all_launched(&mut watch, users.count) => {}
        _ = stop.cancelled() => {}
        ended = &mut attack => return Err(too_early(ended)),
    }
    let until = begin(&shared, users, &watch).await;
    // siege counts nothing that is in flight at its end; other loads wait for those answers.
    let cut_at = until.filter(|_| load.siege);
    tokio::select! {
        _ = watch.presence.recv() => {}
        _ = sleep_until(cut_at.unwrap_or_else(Instant::now).into()), if cut_at.is_some() => {}
        _ = stop.cancelled() => {}
        ended = &mut attack => return Err(too_early(ended)),
    }
    let lost = end(&shared, users, &mut watch).await;
    let tally = Tally {
        finished: shared.finished.load(Ordering::Relaxed),
        cut_short: match lost {
            _ if stop.is_cancelled() => Some(STOPPED.into()),
            0 => None,
            lost => Some(format!("{lost} users were lost")),
        },
        ..Tally::default()
    };
    Ok((tally, tokio::spawn(dismiss(attack))))
}

fn prepare(
    load: &Load,
    users: Users,
    lines: &Lines,
    stop: &CancellationToken,
) -> Result<(Arc<Shared>, Watch), WorkError> {
    let (launched, launches) = mpsc::unbounded_channel();
    let (open_gate, gate) = watch::channel(None);
    let (present, presence) = mpsc::channel(1);
    let shared = Shared {
        templates: templates(load)?,
        round: load.round(),
        think_time: load.think_time.map(Into::into),
        follow_redirects: load.siege,
        close_connections: load.connection == Connection::New,
        ceiling: users.max_rate.map(Ceiling::per_second),
        lines: lines.clone(),
        clock: WallClock::now(),
        numbered: 0.into(),
        finished: 0.into(),
        left: 0.into(),
        cut: stop.child_token(),
        waiting: Mutex::new(crowd(load, users, present)?),
        launched,
        gate,
    };
    let watch = Watch {
        launches,
        gate: open_gate,
        presence,
    };
    Ok((Arc::new(shared), watch))
}

async fn all_launched(watch: &mut Watch, users: u32) {
    for _ in 0..users {
        watch.launches.recv().await;
    }
}

/// Opens the gate, and says when it closes.
async fn begin(shared: &Shared, users: Users, watch: &Watch) -> Option<Instant> {
    let start = Instant::now();
    let until = users.duration.map(|duration| start + duration);
    let wall_us = shared.clock.at(start);
    shared.lines.put(Line::Began { wall_us }).await;
    watch.gate.send_replace(Some(Span { from: start, until }));
    until
}

/// Gives up what is in flight, and says how many users were lost on the way.
async fn end(shared: &Shared, users: Users, watch: &mut Watch) -> u32 {
    shared.cut.cancel();
    let never_launched = {
        let mut waiting = shared
            .waiting
            .lock()
            .expect("nothing panics while it is held");
        waiting.drain(..).count() as u32
    };
    watch.presence.recv().await;
    users.count - never_launched - shared.left.load(Ordering::Relaxed)
}

/// The requests, if goose can send them.
fn templates(load: &Load) -> Result<Vec<Template>, WorkError> {
    let templates = template::parse(&load.requests)?;
    match templates
        .iter()
        .map(Template::method)
        .find(|m| goose_method_from_method((*m).clone()).is_err())
    {
        Some(method) => Err(WorkError::Method(method.to_string())),
        None => Ok(templates),
    }
}

fn crowd(load: &Load, users: Users, present: mpsc::Sender<()>) -> Result<Vec<User>, WorkError> {
    let turns = match (users.duration, users.repetitions) {
        (None, Some(rounds)) => Some(u64::from(rounds) * load.round().len() as u64),
        _ => None,
    };
    // They are taken from the end.
    (0..users.count)
        .rev()
        .map(|index| User::new(index, load, users.count, turns, present.clone()))
        .collect::<Result<_, _>>()
        .map_err(WorkError::Client)
}

async fn attack(users: u32, shared: Arc<Shared>) -> Result<(), GooseError> {
    let _only = ATTACK.lock().await;
    silence_goose();
    let scenario = Scenario::new("load")
        .register_transaction(transaction(shared.clone(), Part::Join).set_on_start())
        .register_transaction(transaction(shared, Part::Turn));
    GooseAttack::initialize_with_config(configuration(users))?
        // Never used: each user brings its own. It keeps goose from reading the roots of trust once a user.
        .set_client_builder_without_cookies(
            GooseClientBuilder::new()
                .without_cookies()
                .accept_invalid_certs(true),
        )?
        .register_scenario(scenario)
        .execute()
        .await?;
    Ok(())
}

fn configuration(users: u32) -> GooseConfiguration {
    let mut configuration = GooseConfiguration::default();
    // Addresses are absolute; goose wants a host all the same.
    configuration.host = Some("http://localhost".to_owned());
    configuration.users = Some(users as usize);
    // Its default is one user a second.
    configuration.increase_rate = Some("10000".to_owned());
    configuration.no_telnet = true;
    configuration.no_websocket = true;
    configuration.no_metrics = true;
    configuration.no_print_metrics = true;
    configuration.quiet = 1;
    configuration
}

#[derive(Clone, Copy)]
enum Part {
    Join,
    Turn,
}

fn transaction(shared: Arc<Shared>, part: Part) -> Transaction {
    let function: TransactionFunction = Arc::new(move |user| {
        let shared = shared.clone();
        Box::pin(async move {
            match part {
                Part::Join => join(user, &shared).await,
                Part::Turn => turn(user, &shared).await,
            }
            Ok(())
        })
    });
    Transaction::new(function)
}

/// Tells goose to end until it has: it forgets a word that comes before its start.
async fn dismiss(mut attack: JoinHandle<Result<(), GooseError>>) -> Result<(), GooseError> {
    loop {
        goose::trigger_killswitch("the load is over");
        if let Ok(ended) = timeout(Duration::from_millis(100), &mut attack).await {
            return ended.unwrap_or(Ok(()));
        }
    }
}

fn too_early(ended: Result<Result<(), GooseError>, tokio::task::JoinError>) -> WorkError {
    match ended {
        Ok(Err(error)) => WorkError::Goose(error.to_string()),
        Ok(Ok(())) => WorkError::Goose("it ended before the load".into()),
        Err(error) => WorkError::Goose(error.to_string()),
    }
}

/// goose logs each failed request to stdout unless the process has a logger; failed requests are our lines.
fn silence_goose() {
    struct Silent;
    impl log::Log for Silent {
        fn enabled(&self, _: &log::Metadata<'_>) -> bool {
            false
        }
        fn log(&self, _: &log::Record<'_>) {}
        fn flush(&self) {}
    }
    // A process that has a logger already keeps it.
    let _ = log::set_logger(&Silent);
}
