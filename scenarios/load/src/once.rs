//! Each request once, in order.
use crate::{
    answer::{Times, WallClock, record},
    http::Connections,
    output::Lines,
    template,
    wire::Line,
    worker::{STOPPED, Tally, WorkError},
};
use model::{Connection, Micros, Request, load::BODY_MAX};
use std::time::Instant;
use tokio_util::sync::CancellationToken;

/// Sends them; one that fails does not keep the next from being sent.
pub(crate) async fn run(
    requests: &[Request],
    limit: Micros,
    lines: &Lines,
    stop: &CancellationToken,
) -> Result<Tally, WorkError> {
    let templates = template::parse(requests)?;
    let connections = Connections::new(Connection::New, limit.into());
    let clock = WallClock::now();
    let wall_us = clock.at(Instant::now());
    lines.put(Line::Began { wall_us }).await;
    let mut tally = Tally::default();
    for (index, template) in templates.iter().enumerate() {
        let mut request = template.fill(index, index as u64 + 1);
        request.keep = BODY_MAX;
        let sent = Instant::now();
        let answer = tokio::select! {
            _ = stop.cancelled() => {
                tally.cut_short = Some(STOPPED.into());
                break;
            }
            answer = connections.exchange(&request) => answer,
        };
        let times = Times {
            due: sent,
            sent,
            done: Instant::now(),
        };
        tally.finished += 1;
        let line = Line::Request(record(&request, times, answer, &clock));
        lines.put(line).await;
    }
    Ok(tally)
}
