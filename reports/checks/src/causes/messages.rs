//! Where the message about a lost write ended: never published, published and never read, or stored at one service and not at another.
use super::{Sign, lost::Loss, rank, seen::Seen};
use crate::{count, ledger::Ledger, offset};
use model::{Fact, PodCounts};
use std::collections::BTreeMap;

/// How the broker words it that a group will not read what is there already.
const BEGINS_AT_THE_END: &str = "begins at the end";

/// Events of all pods of a service that were counted.
#[derive(Debug, Default, Clone, Copy, PartialEq)]
struct Talk {
    published: u64,
    handled: u64,
}

pub(super) fn signs(seen: &Seen, losses: &[Loss]) -> Vec<Sign> {
    let talks = talks(seen);
    let unread = losses.iter().flat_map(|loss| unread(seen, loss));
    let unpublished = losses.iter().filter_map(|loss| unpublished(&talks, loss));
    let stored = losses.iter().filter_map(|loss| stored(seen, loss));
    unread.chain(unpublished).chain(stored).collect()
}

/// A group began where the messages ended.
fn unread<'a>(seen: &'a Seen, loss: &'a Loss) -> impl Iterator<Item = Sign> + 'a {
    let warned = seen.facts().filter_map(|(at, fact)| match fact {
        Fact::Warned { pod, line } if line.contains(BEGINS_AT_THE_END) => Some((at, pod, line)),
        _ => None,
    });
    let later = warned.filter(|(at, ..)| *at >= loss.from);
    later.map(|(at, pod, line)| {
        let said = line
            .split_once(": ")
            .map_or(line.as_str(), |(_, said)| said);
        let detail = format!("at {} the broker warned: {said}", offset(at));
        let what = "messages that no group reads";
        let object = format!("Pod/{pod}");
        let sign = Sign::at(loss.from, rank::UNREAD, what, object, detail);
        sign.until(at).of(seen.owner(pod), pod, said)
    })
}

/// All services together published fewer messages than writes were acknowledged.
fn unpublished(talks: &BTreeMap<&str, Talk>, loss: &Loss) -> Option<Sign> {
    let published: u64 = talks.values().map(|talk| talk.published).sum();
    if talks.is_empty() || published >= loss.acked {
        return None;
    }
    let each: Vec<String> = talks
        .iter()
        .map(|(service, talk)| {
            format!(
                "{service} published {}, handled {}",
                talk.published, talk.handled
            )
        })
        .collect();
    let detail = format!(
        "{} acknowledged, and {} about them published: what was stored was not told to anybody, as happens without an outbox or a \
         broker ({})",
        count(loss.acked, "write"),
        count(published, "message"),
        each.join("; ")
    );
    let object = format!("load “{}”", loss.load);
    let what = "acknowledged and not published";
    Some(Sign::at(loss.from, rank::UNPUBLISHED, what, object, detail).until(loss.to))
}

/// Lost here and found elsewhere: what is lost is the message between the two.
fn stored(seen: &Seen, loss: &Loss) -> Option<Sign> {
    let elsewhere = seen.facts().filter_map(|(_, fact)| match fact {
        Fact::Collected { step, .. } if *step != loss.collect => Some(step),
        _ => None,
    });
    let kept = elsewhere.map(|step| {
        let ledger = Ledger::of(loss.load, step, seen.timeline);
        let kept = loss.keys.iter().filter(|k| ledger.found.contains_key(*k));
        (step, kept.count() as u64)
    });
    let (step, kept) = kept.max_by_key(|(_, kept)| *kept)?;
    if kept == 0 {
        return None;
    }
    let detail = format!(
        "{} of {} missing in “{}” are in “{step}”: the writes were stored, and the messages about them were lost",
        kept,
        count(loss.keys.len() as u64, "write"),
        loss.collect
    );
    let object = format!("load “{}”", loss.load);
    let what = "stored and not passed on";
    Some(Sign::at(loss.from, rank::UNPUBLISHED, what, object, detail).until(loss.to))
}

/// What the pods of each service counted in the end.
fn talks<'a>(seen: &Seen<'a>) -> BTreeMap<&'a str, Talk> {
    let mut last: BTreeMap<&str, &PodCounts> = BTreeMap::new();
    for (_, fact) in seen.facts() {
        if let Fact::Counted(counts) = fact {
            last.insert(&counts.pod, counts);
        }
    }
    let mut talks: BTreeMap<&str, Talk> = BTreeMap::new();
    for counts in last.into_values() {
        let talk = talks.entry(&counts.service).or_default();
        for events in counts.events.values() {
            talk.published += events.published;
            talk.handled += events.handled;
        }
    }
    talks
}

#[cfg(test)]
mod tests {
    use super::super::all;
    use super::*;
    use crate::fixture::{Story, ms, write};
    use model::{Cause, Check, CheckKind, telemetry::Events};

    /// Two writes acknowledged, and one of them found.
    fn losing() -> Story {
        let written = vec![write(1, "a", Ok(201)), write(2, "b", Ok(201))];
        Story::answers(written)
            .collected(&["a"], true)
            .asking(vec![Check {
                name: "nothing is lost".into(),
                severity: model::Severity::Fail,
                kind: CheckKind::NoLostAckedWrites {
                    load: "siege".into(),
                    collect: "alarms".into(),
                    at_least: 1,
                },
            }])
    }

    fn causes(story: &Story) -> Vec<String> {
        let (plan, timeline) = (story.plan(), story.timeline());
        let finding = crate::lost::check("siege", "alarms", 1, &timeline);
        let causes = all(&plan, &timeline, &[], &[finding]);
        causes.iter().map(Cause::written).collect()
    }

    fn counted(service: &str, published: u64, handled: u64) -> Fact {
        let events = Events {
            published,
            handled,
            failed: 0,
        };
        Fact::Counted(PodCounts {
            pod: format!("{service}-1"),
            service: service.into(),
            events: [("RoomRegistered".into(), events)].into(),
            ..PodCounts::default()
        })
    }

    fn named<'a>(causes: &'a [String], what: &str) -> Option<&'a String> {
        causes.iter().find(|cause| cause.contains(what))
    }

    #[test]
    fn lost_writes_are_told_with_who_was_away_meanwhile() {
        let replicas = |ready| Fact::Replicas {
            deployment: "review".into(),
            desired: 1,
            updated: 1,
            ready,
            available: ready,
        };
        let story = losing()
            .with(ms(100), replicas(1))
            .with(ms(1900), replicas(0))
            .with(ms(2400), replicas(1));
        let told = causes(&story);
        let lost = named(&told, "acknowledged and lost").unwrap();
        let who = "1 lost write acknowledged from +2.002 s to +2.002 s; review had no ready pod from +1.900 s to +2.400 s";
        assert!(lost.contains(who), "{lost}");
    }

    #[test]
    fn a_group_that_begins_at_the_end_is_named_with_what_the_broker_said() {
        let warned = |line: &str| Fact::Warned {
            pod: "my-kafka-1".into(),
            line: line.into(),
        };
        let line = "WARN broker::api::records: consumer group anonymous.7f begins at the end of partition 0";
        let story = losing()
            .with(ms(2100), warned(line))
            .with(ms(2200), warned("WARN broker: too many connections"));
        let told = causes(&story);
        let unread = "at +2.100 s the broker warned: consumer group anonymous.7f begins at the end of partition 0";
        assert!(told[0].contains(unread), "{told:?}");
        assert_eq!(named(&told, "connections"), None);
        // One that began before anything was lost has not missed it.
        let told = causes(&losing().with(ms(1500), warned(line)));
        assert_eq!(named(&told, "anonymous"), None);
    }

    #[test]
    fn fewer_messages_than_acknowledged_writes_are_told_with_who_published_how_many() {
        let told = causes(&losing().with(ms(2500), counted("room", 1, 0)));
        let words = "2 writes acknowledged, and 1 message about them published";
        assert!(told[0].contains(words), "{told:?}");
        assert!(
            told[0].contains("(room published 1, handled 0)"),
            "{told:?}"
        );
        // Who takes a write need not be who tells of it.
        let story = losing()
            .with(ms(2500), counted("room", 0, 0))
            .with(ms(2500), counted("auth", 2, 0));
        assert_eq!(named(&causes(&story), "not published"), None);
        // What was never counted is not known.
        assert_eq!(named(&causes(&losing()), "not published"), None);
    }

    #[test]
    fn writes_that_were_stored_lost_their_message() {
        let stored = Fact::Collected {
            step: "rooms".into(),
            keys: vec!["a".into(), "b".into()],
            rows: vec![],
            reads: 1,
            complete: true,
        };
        let told = causes(&losing().with(ms(2600), stored));
        let words = "1 of 1 write missing in “alarms” are in “rooms”";
        assert!(told[0].contains(words), "{told:?}");
    }
}
