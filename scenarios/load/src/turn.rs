//! One user of a closed load, and its turns: each turn is a goose transaction that sends the user's next request.
use crate::{
    answer::{Answer, Times, WallClock, record},
    dns::Names,
    output::Lines,
    pace::Ceiling,
    save,
    template::{Prepared, Template},
    wire::Line,
};
use goose::goose::{GooseRequest, GooseUser};
use model::{Connection, Load, Saved, load::BODY_MAX};
use reqwest::header::{CONNECTION, HeaderValue};
use std::{
    sync::{
        Mutex,
        atomic::{AtomicU32, AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};
use tokio::{
    sync::{mpsc, watch},
    time::{sleep, sleep_until},
};
use tokio_util::sync::CancellationToken;

/// A chain of redirects is not followed any further.
const HOPS_MAX: usize = 20;

/// goose calls a user until it is told to leave; one that has nothing left to send waits so long in each call.
const IDLE: Duration = Duration::from_millis(20);

/// What all users of a load share.
pub(crate) struct Shared {
    pub(crate) templates: Vec<Template>,
    /// One round through them, by their indexes.
    pub(crate) round: Vec<usize>,
    /// A user waits so long after each answer.
    pub(crate) think_time: Option<Duration>,
    pub(crate) follow_redirects: bool,
    pub(crate) close_connections: bool,
    pub(crate) ceiling: Option<Ceiling>,
    pub(crate) lines: Lines,
    pub(crate) clock: WallClock,
    /// The last number given to a request.
    pub(crate) numbered: AtomicU64,
    pub(crate) finished: AtomicU64,
    /// Users that have finished; one that is missing in the end was lost with its task.
    pub(crate) left: AtomicU32,
    /// Cancels what is in flight; it is not counted.
    pub(crate) cut: CancellationToken,
    /// Users that goose has not launched yet.
    pub(crate) waiting: Mutex<Vec<User>>,
    /// Tells that a user was launched.
    pub(crate) launched: mpsc::UnboundedSender<()>,
    /// Opens when all users were: from when until when they send.
    pub(crate) gate: watch::Receiver<Option<Span>>,
}

/// From when until when a load is sent.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Span {
    pub(crate) from: Instant,
    pub(crate) until: Option<Instant>,
}

/// A user in the loop. goose wants session data to be `Clone`.
#[derive(Clone)]
pub(crate) struct User {
    client: reqwest::Client,
    next: usize,
    turns_left: Option<u64>,
    /// When it has nothing more to wait for: its last answer is in, and it has thought.
    free_at: Option<Instant>,
    /// What this user keeps of its answers.
    saved: Saved,
    /// Dropped when the user has finished, also when it is lost with its task.
    present: Option<mpsc::Sender<()>>,
}

impl User {
    /// User `index` of `users`. In siege each begins at another request of the list.
    pub(crate) fn new(
        index: u32,
        load: &Load,
        users: u32,
        turns: Option<u64>,
        present: mpsc::Sender<()>,
    ) -> Result<User, reqwest::Error> {
        let apart = if load.siege {
            load.round().len() / users as usize
        } else {
            0
        };
        Ok(User {
            client: client(load)?,
            next: index as usize * apart,
            turns_left: turns,
            free_at: None,
            saved: Saved::default(),
            present: Some(present),
        })
    }

    fn take_turn(&mut self) -> Option<usize> {
        if self.turns_left == Some(0) {
            return None;
        }
        self.turns_left = self.turns_left.map(|left| left - 1);
        self.next += 1;
        Some(self.next - 1)
    }
}

fn client(load: &Load) -> Result<reqwest::Client, reqwest::Error> {
    reqwest::Client::builder()
        .dns_resolver(Names)
        .no_proxy()
        .no_gzip()
        .referer(false)
        .redirect(reqwest::redirect::Policy::none())
        .retry(reqwest::retry::never())
        .user_agent(concat!("brownout/", env!("CARGO_PKG_VERSION")))
        .timeout(load.timeout.into())
        .pool_max_idle_per_host(match load.connection {
            Connection::New => 0,
            Connection::Reused => 1,
        })
        // As siege: what is measured is the service, not its certificate. It also spares the store of roots.
        .tls_danger_accept_invalid_certs(true)
        .build()
}

/// Becomes one of the waiting users, and waits for the others.
pub(crate) async fn join(goose: &mut GooseUser, shared: &Shared) {
    let waiting = shared
        .waiting
        .lock()
        .expect("nothing panics while it is held")
        .pop();
    if let Some(user) = waiting {
        goose.client = user.client.clone();
        goose.set_session_data(user);
        let _ = shared.launched.send(());
    }
}

/// Sends the next request of this user, or waits when there is none.
pub(crate) async fn turn(goose: &mut GooseUser, shared: &Shared) {
    let mut gate = shared.gate.clone();
    let span = tokio::select! {
        _ = shared.cut.cancelled() => None,
        span = gate.wait_for(Option::is_some) => span.ok().and_then(|span| *span),
    };
    let next = match span {
        Some(span) if !is_over(span, shared) => next(goose, span, shared).await,
        _ => None,
    };
    match next {
        Some((index, due)) => {
            let index = shared.round[index % shared.round.len()];
            send(goose, shared, index, due).await;
            think(goose, shared).await;
        }
        None => leave(goose, shared).await,
    }
}

fn is_over(span: Span, shared: &Shared) -> bool {
    shared.cut.is_cancelled() || span.until.is_some_and(|until| Instant::now() >= until)
}

/// The index of the request to be sent now and when it was due, after waiting for its instant where there is a ceiling.
async fn next(goose: &mut GooseUser, span: Span, shared: &Shared) -> Option<(usize, Instant)> {
    let user = goose.get_session_data_mut::<User>()?;
    let mut due = user.free_at.unwrap_or(span.from);
    let index = user.take_turn()?;
    if let Some(ceiling) = &shared.ceiling {
        let instant = ceiling.take(due);
        due = instant;
        if span.until.is_some_and(|until| instant >= until) {
            return None;
        }
        tokio::select! {
            _ = shared.cut.cancelled() => return None,
            _ = sleep_until(instant.into()) => {}
        }
    }
    Some((index, due))
}

async fn leave(goose: &mut GooseUser, shared: &Shared) {
    if let Some(user) = goose.get_session_data_mut::<User>() {
        user.turns_left = Some(0);
        if user.present.is_some() {
            shared.left.fetch_add(1, Ordering::Relaxed);
            user.present = None;
        }
    }
    sleep(IDLE).await;
}

async fn think(goose: &mut GooseUser, shared: &Shared) {
    let free_at = Instant::now() + shared.think_time.unwrap_or_default();
    if shared.think_time.is_some() {
        tokio::select! {
            _ = shared.cut.cancelled() => {}
            _ = sleep_until(free_at.into()) => {}
        }
    }
    if let Some(user) = goose.get_session_data_mut::<User>() {
        user.free_at = Some(free_at);
    }
}

/// The request as this user sends it. None where an answer it needs did not come: then the user goes on with its next.
fn prepare(goose: &GooseUser, shared: &Shared, index: usize) -> Option<Prepared> {
    let template = &shared.templates[index];
    let number = || shared.numbered.fetch_add(1, Ordering::Relaxed) + 1;
    let mut request = match template.uses_saved() {
        false => template.fill(index, number()),
        true => {
            let saved = &goose.get_session_data::<User>()?.saved;
            template.with(saved).ok()?.fill(index, number())
        }
    };
    if !template.request().save.is_empty() {
        request.keep = request.keep.max(BODY_MAX);
    }
    Some(request)
}

/// Keeps of an answer what the user's later requests need.
fn keep(goose: &mut GooseUser, template: &Template, answer: &Answer) {
    let request = template.request();
    if request.save.is_empty() {
        return;
    }
    if let Some(user) = goose.get_session_data_mut::<User>() {
        user.saved.extend(save::found(&request.save, answer));
    }
}

/// Sends a request that was due then; the hops of a redirected one are due when the one before was answered.
async fn send(goose: &mut GooseUser, shared: &Shared, index: usize, due: Instant) {
    let mut due = Some(due);
    let Some(mut request) = prepare(goose, shared, index) else {
        return sleep(IDLE).await;
    };
    if shared.close_connections {
        request
            .headers
            .insert(CONNECTION, HeaderValue::from_static("close"));
    }
    for _ in 0..HOPS_MAX {
        let sent = Instant::now();
        let answer = tokio::select! {
            _ = shared.cut.cancelled() => return,
            answer = exchange(goose, &request) => answer,
        };
        keep(goose, &shared.templates[index], &answer);
        let times = Times {
            due: due.take().unwrap_or(sent),
            sent,
            done: Instant::now(),
        };
        let status = answer.status;
        let redirect = answer
            .redirect(&request.url)
            .filter(|_| shared.follow_redirects);
        // The write is acknowledged by the last hop, and its answer is the one that is judged.
        let (key, expect) = match redirect {
            Some(_) => (request.key.take(), request.expect.take()),
            None => (None, None),
        };
        shared.finished.fetch_add(1, Ordering::Relaxed);
        let line = Line::Request(record(&request, times, answer, &shared.clock));
        shared.lines.put(line).await;
        let Some(url) = redirect else { return };
        request = request.redirected(status, url);
        (request.key, request.expect) = (key, expect);
    }
}

/// Sends a request through goose and reads the answer to its end.
async fn exchange(goose: &mut GooseUser, request: &Prepared) -> Answer {
    let mut answer = Answer::to(request);
    let mut builder = goose
        .client
        .request(request.method.clone(), request.url.clone())
        .headers(request.headers.clone());
    if let Some(body) = &request.body {
        builder = builder.body(body.clone());
    }
    let sending = GooseRequest::builder()
        .name(&*request.name)
        .set_request_builder(builder)
        .build();
    match goose.request(sending).await {
        Ok(sent) => match sent.response {
            Ok(response) => read(response, &mut answer).await,
            Err(error) => answer.fail(&error),
        },
        Err(error) => answer.fail(&*error),
    }
    answer
}

async fn read(mut response: reqwest::Response, answer: &mut Answer) {
    answer.head(response.status(), response.headers());
    loop {
        match response.chunk().await {
            Ok(Some(data)) => answer.chunk(&data),
            Ok(None) => return,
            Err(error) => return answer.fail(&error),
        }
    }
}
