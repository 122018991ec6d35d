//! Each request once, in order; one that has time until its answer is as expected, again and again.
use crate::{
    answer::{Answer, Times, WallClock, record},
    http::Connections,
    output::Lines,
    save,
    template::{self, Template},
    wire::{Line, WireRequest},
    worker::{STOPPED, Tally, WorkError},
};
use model::{Connection, Expected, Fact, Micros, Request, Saved, load::BODY_MAX};
use std::time::{Duration, Instant};
use tokio::time::sleep;
use tokio_util::sync::CancellationToken;

/// A request whose answer is not yet as expected is sent again so much later.
const PAUSE: Duration = Duration::from_millis(250);

/// Requests that are sent one after the other.
pub(crate) struct List<'a> {
    templates: Vec<Template>,
    expected: &'a [Expected],
    connections: Connections,
    clock: WallClock,
}

/// What the requests so far have left.
#[derive(Default)]
struct SoFar {
    saved: Saved,
    tally: Tally,
}

impl<'a> List<'a> {
    /// `limit` is that of each request.
    pub(crate) fn of(
        requests: &[Request],
        expected: &'a [Expected],
        limit: Micros,
    ) -> Result<List<'a>, WorkError> {
        Ok(List {
            templates: template::parse(requests)?,
            expected,
            connections: Connections::new(Connection::New, limit.into()),
            clock: WallClock::now(),
        })
    }

    /// Sends them; one that fails does not keep the next from being sent. One that needs what an earlier answer did not hold
    /// cannot be, and that ends it.
    pub(crate) async fn send(&self, lines: &Lines, stop: &CancellationToken) -> Tally {
        let wall_us = self.clock.at(Instant::now());
        lines.put(Line::Began { wall_us }).await;
        let mut so_far = SoFar::default();
        let ended = tokio::select! {
            _ = stop.cancelled() => Err(STOPPED.into()),
            ended = self.all(lines, &mut so_far) => ended,
        };
        so_far.tally.cut_short = ended.err();
        so_far.tally
    }

    async fn all(&self, lines: &Lines, so_far: &mut SoFar) -> Result<(), String> {
        for (index, template) in self.templates.iter().enumerate() {
            let filled = template.with(&so_far.saved);
            let template = filled.map_err(|why| format!("“{}”: {why}", template.request().name))?;
            self.one(index, &template, lines, so_far).await;
        }
        Ok(())
    }

    async fn one(&self, index: usize, template: &Template, lines: &Lines, so_far: &mut SoFar) {
        let expected = self.expected.get(index).map(|e| e.with(&so_far.saved));
        let expected = expected.unwrap_or_default();
        let again_until = template
            .request()
            .until
            .map(|t| Instant::now() + Duration::from(t));
        loop {
            let (seen, found) = self.exchange(index, template, &expected, so_far).await;
            so_far.tally.finished += 1;
            let done =
                is_as(&expected, &seen) || again_until.is_none_or(|end| Instant::now() >= end);
            lines.put(Line::Request(seen)).await;
            if done {
                for (name, value) in found {
                    so_far.saved.put(&name, value.clone());
                    lines.put(Line::Saved(name, value)).await;
                }
                return;
            }
            sleep(PAUSE).await;
        }
    }

    async fn exchange(
        &self,
        index: usize,
        template: &Template,
        expected: &Expected,
        so_far: &SoFar,
    ) -> (WireRequest, Vec<(String, serde_json::Value)>) {
        let mut request = template.fill(index, so_far.tally.finished + 1);
        (request.keep, request.print) = (BODY_MAX, BODY_MAX);
        request.headers_asked = expected
            .headers
            .iter()
            .map(|(name, _)| name.clone())
            .collect();
        let sent = Instant::now();
        let answer: Answer = self.connections.exchange(&request).await;
        let times = Times {
            due: sent,
            sent,
            done: Instant::now(),
        };
        let found = save::found(&template.request().save, &answer);
        (record(&request, times, answer, &self.clock), found)
    }
}

fn is_as(expected: &Expected, seen: &WireRequest) -> bool {
    let due = Micros(seen.due_us);
    match seen.clone().observe("", 0).fact {
        Fact::Request(fact) => expected.differences(due, &fact).is_empty(),
        _ => false,
    }
}
