//! Requests that waited until their own limit: whatever they called has none.
use super::{Sign, rank, seen::Seen};
use model::{Action, ErrorKind, RequestFact, Step, Window};

const WHAT: &str = "waits without a limit";

pub(super) fn signs(seen: &Seen) -> Vec<Sign> {
    let windows = seen.windows.iter();
    let of_loads = windows.filter_map(|window| waited(seen, window));
    let steps = seen.plan.steps.iter();
    let lists = steps.filter(|step| matches!(step.action, Action::Requests { .. }));
    let of_lists = lists.flat_map(|step| {
        let sent = seen.timeline.requests(&step.name);
        let given_up = sent.filter(|(_, r)| r.error == Some(ErrorKind::Timeout));
        given_up.map(|(_, request)| alone(step, request))
    });
    of_loads.chain(of_lists).collect()
}

/// One request of a list of requests.
fn alone(step: &Step, request: &RequestFact) -> Sign {
    let detail = format!(
        "request {} of “{}” was not answered within {}: what answers it, or what that calls, has no shorter limit",
        request.index + 1,
        step.name,
        request.done.saturating_sub(request.sent)
    );
    let object = format!("step “{}”", step.name);
    let sign = Sign::at(request.sent, rank::WAITING, WHAT, object, detail);
    sign.until(request.done)
}

fn waited(seen: &Seen, window: &Window) -> Option<Sign> {
    let (kind, n) = window.kinds.first()?;
    let (_, load) = seen.plan.loads().find(|(step, _)| *step == window.step)?;
    if kind != "timeout" {
        return None;
    }
    let detail = format!(
        "{n} requests were not answered within {}, the limit of the load: what answers them, or what that calls, has no shorter limit",
        load.timeout
    );
    let object = format!("load “{}”", window.step);
    let sign = Sign::at(window.from, rank::WAITING, WHAT, object, detail);
    Some(sign.until(window.to))
}

#[cfg(test)]
mod tests {
    use super::super::all;
    use crate::fixture::{Story, ms, write};
    use model::{Action, Cause, ErrorKind, Fact, Micros, Start};

    #[test]
    fn a_single_request_that_was_never_answered_is_told_with_how_long_it_was_waited_for() {
        let mut request = write(3, "a", Err(ErrorKind::Timeout));
        request.step = "order-refused".into();
        request.done = request.sent + ms(30_000);
        let mut answered = write(4, "b", Ok(500));
        answered.step = "order-refused".into();
        let requests = Action::Requests { requests: vec![] };
        let story = Story::rollout().doing(
            "order-refused",
            Start::After {
                steps: vec![],
                delay: Micros::ZERO,
            },
            requests,
        );
        let story = story
            .with(request.done, Fact::Request(request))
            .with(answered.done, Fact::Request(answered));
        let causes = all(&story.plan(), &story.timeline(), &[], &[]);
        let told: Vec<String> = causes.iter().map(Cause::written).collect();
        let words = "request 1 of “order-refused” was not answered within 30.00 s";
        assert_eq!(
            told.iter().filter(|c| c.contains(words)).count(),
            1,
            "{told:?}"
        );
    }
}
