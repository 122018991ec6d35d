//! Groups in virtual time: literals in, literals out.

use super::*;
use std::collections::BTreeSet;

const DELAY: Duration = Duration::from_secs(3);

fn s(seconds: u64) -> Time {
    Duration::from_secs(seconds)
}

/// Asks with running ticket numbers, and reads the answers by them.
struct Table {
    group: Group,
    tickets: u64,
    answers: BTreeMap<u64, Answer>,
}

impl Table {
    fn new(delay: Duration) -> Table {
        Table {
            group: Group::new(delay),
            tickets: 0,
            answers: BTreeMap::new(),
        }
    }

    fn ask(&mut self, at: Time, question: Question) -> u64 {
        self.tickets += 1;
        let effects = self
            .group
            .on(at, Event::Asked(Ticket(self.tickets), question));
        self.keep(effects);
        self.tickets
    }

    fn tick(&mut self, at: Time) {
        let effects = self.group.on(at, Event::Tick);
        self.keep(effects);
    }

    fn keep(&mut self, effects: Vec<Effect>) {
        for Effect { to, answer } in effects {
            assert_eq!(
                self.answers.insert(to.0, answer),
                None,
                "one answer to one question"
            );
        }
    }

    /// `ask`, for questions that are answered at once.
    fn say(&mut self, at: Time, question: Question) -> Answer {
        let ticket = self.ask(at, question);
        self.answers[&ticket].clone()
    }

    fn joined(&self, ticket: u64) -> Joined {
        match &self.answers[&ticket] {
            Ok(Reply::Joined(joined)) => joined.clone(),
            other => panic!("not joined: {other:?}"),
        }
    }

    fn state(&self) -> &'static str {
        self.group.describe().state
    }

    /// `a` and `b` in generation 1, `a` leads, each with its part.
    fn of_two() -> Table {
        let mut table = Table::new(DELAY);
        table.ask(s(0), join("a"));
        table.ask(s(1), join("b"));
        table.tick(s(3));
        table.tick(s(6));
        table.ask(s(6), sync("b", 1, &[]));
        table.ask(s(6), sync("a", 1, &["a", "b"]));
        assert_eq!(table.state(), "Stable");
        table
    }
}

fn wish(name: &str) -> Join {
    Join {
        who: Who::default(),
        fresh_name: name.to_string(),
        must_confirm: false,
        may_skip: false,
        client_id: "rdkafka".to_string(),
        client_host: "127.0.0.1".to_string(),
        session: s(10),
        rebalance: s(60),
        protocol_type: "consumer".to_string(),
        protocols: vec![Protocol {
            name: "range".to_string(),
            metadata: Bytes::from(format!("topics of {name}")),
        }],
    }
}

fn join(name: &str) -> Question {
    Question::Join(wish(name))
}

/// The same from a member that knows its name.
fn again(name: &str) -> Question {
    Question::Join(Join {
        who: who(name, 0),
        ..wish("unused")
    })
}

fn join_static(instance: &str, fresh_name: &str) -> Question {
    let who = Who {
        instance: Some(instance.to_string()),
        ..Who::default()
    };
    Question::Join(Join {
        who,
        ..wish(fresh_name)
    })
}

fn who(name: &str, generation: i32) -> Who {
    Who {
        member: name.to_string(),
        instance: None,
        generation,
    }
}

fn who_static(instance: &str, name: &str, generation: i32) -> Who {
    Who {
        instance: Some(instance.to_string()),
        ..who(name, generation)
    }
}

fn sync(name: &str, generation: i32, to: &[&str]) -> Question {
    let part = |name: &&str| (name.to_string(), Bytes::from(format!("part of {name}")));
    Question::Sync(who(name, generation), to.iter().map(part).collect())
}

fn heartbeat(name: &str, generation: i32) -> Question {
    Question::Heartbeat(who(name, generation))
}

fn part(name: &str) -> Answer {
    Ok(Reply::Assigned(Bytes::from(format!("part of {name}"))))
}

#[test]
fn the_first_member_waits_the_initial_delay_and_then_leads() {
    let mut table = Table::new(DELAY);
    let ticket = table.ask(s(0), join("a"));
    assert_eq!((table.group.due(), table.answers.len()), (Some(s(3)), 0));
    table.tick(s(3));
    let joined = table.joined(ticket);
    assert_eq!(
        (joined.generation, &*joined.leader, &*joined.protocol),
        (1, "a", "range")
    );
    assert_eq!(
        joined.members,
        [("a".to_string(), None, Bytes::from("topics of a"))]
    );
    assert_eq!(table.state(), "CompletingRebalance");
}

#[test]
fn the_initial_delay_is_prolonged_by_newcomers_and_only_by_them() {
    let mut table = Table::new(DELAY);
    table.ask(s(0), join("a"));
    table.ask(s(2), join("b"));
    table.tick(s(3));
    assert_eq!(
        (table.group.due(), table.state()),
        (Some(s(6)), "PreparingRebalance")
    );
    table.tick(s(6));
    assert_eq!(table.state(), "CompletingRebalance");
}

#[test]
fn without_an_initial_delay_the_first_member_is_in_at_once() {
    let mut table = Table::new(s(0));
    let ticket = table.ask(s(0), join("a"));
    assert_eq!(table.joined(ticket).generation, 1);
}

#[test]
fn everybody_gets_the_part_that_the_leader_gave() {
    let mut table = Table::new(DELAY);
    table.ask(s(0), join("a"));
    let follower = table.ask(s(1), join("b"));
    table.tick(s(3));
    table.tick(s(6));
    assert_eq!(
        (
            table.joined(follower).leader,
            table.joined(follower).members.len()
        ),
        ("a".to_string(), 0)
    );
    let waiting = table.ask(s(6), sync("b", 1, &[]));
    assert!(!table.answers.contains_key(&waiting));
    let leading = table.ask(s(7), sync("a", 1, &["a", "b"]));
    assert_eq!(
        (&table.answers[&waiting], &table.answers[&leading]),
        (&part("b"), &part("a"))
    );
    assert_eq!(
        table.say(s(8), sync("b", 1, &[])),
        part("b"),
        "asked again, told again"
    );
}

#[test]
fn a_newcomer_that_must_confirm_is_given_a_name_and_joins_with_it() {
    let mut table = Table::new(s(0));
    let shy = Question::Join(Join {
        must_confirm: true,
        ..wish("a")
    });
    assert_eq!(
        table.say(s(0), shy),
        Ok(Reply::CallYourself("a".to_string()))
    );
    let ticket = table.ask(s(1), again("a"));
    assert_eq!(table.joined(ticket).member, "a");
}

#[test]
fn a_name_that_was_never_given_is_unknown_and_a_promised_one_does_not_last() {
    let mut table = Table::new(s(0));
    assert_eq!(
        table.say(s(0), again("x")),
        Err(KafkaError::UnknownMemberId)
    );
    table.ask(
        s(0),
        Question::Join(Join {
            must_confirm: true,
            ..wish("a")
        }),
    );
    table.tick(s(10));
    assert_eq!(
        table.say(s(10), again("a")),
        Err(KafkaError::UnknownMemberId)
    );
    assert!(table.group.is_vacant());
}

#[test]
fn a_silent_member_is_out_when_its_session_ends_and_the_other_takes_over() {
    let mut table = Table::of_two();
    assert_eq!(table.say(s(15), heartbeat("b", 1)), Ok(Reply::Noted));
    assert_eq!(table.group.due(), Some(s(16)), "a was last heard of at 6 s");
    table.tick(s(16));
    assert_eq!(
        table.say(s(17), heartbeat("b", 1)),
        Err(KafkaError::RebalanceInProgress)
    );
    let ticket = table.ask(s(17), again("b"));
    let joined = table.joined(ticket);
    assert_eq!(
        (joined.generation, &*joined.leader, joined.members.len()),
        (2, "b", 1)
    );
}

#[test]
fn a_member_that_leaves_is_replaced_at_once() {
    let mut table = Table::of_two();
    assert_eq!(
        table.say(s(7), Question::Leave(who("a", 1))),
        Ok(Reply::Noted)
    );
    let ticket = table.ask(s(7), again("b"));
    assert_eq!(table.joined(ticket).leader, "b");
    assert_eq!(
        table.say(s(8), Question::Leave(who("a", 1))),
        Err(KafkaError::UnknownMemberId)
    );
}

#[test]
fn the_group_is_empty_when_the_last_one_leaves() {
    let mut table = Table::of_two();
    table.ask(s(7), Question::Leave(who("a", 1)));
    table.ask(s(7), Question::Leave(who("b", 1)));
    assert_eq!(
        (table.state(), table.group.due(), table.group.is_vacant()),
        ("Empty", None, true)
    );
}

#[test]
fn members_of_an_older_generation_are_fenced() {
    let mut table = Table::of_two();
    table.ask(s(7), join("c"));
    table.ask(s(8), again("a"));
    table.ask(s(8), again("b"));
    table.ask(s(8), sync("a", 2, &["a", "b", "c"]));
    for question in [
        heartbeat("a", 1),
        sync("a", 1, &[]),
        Question::Commit(who("a", 1)),
    ] {
        assert_eq!(
            table.say(s(9), question),
            Err(KafkaError::IllegalGeneration)
        );
    }
    assert_eq!(
        table.say(s(9), Question::Commit(who("a", 2))),
        Ok(Reply::Noted)
    );
}

#[test]
fn who_does_not_join_again_in_time_is_out() {
    let mut table = Table::of_two();
    let newcomer = table.ask(s(7), join("c"));
    let stayed = table.ask(s(8), again("a"));
    for at in [15, 24, 33, 42, 51, 60] {
        let still = table.say(s(at), heartbeat("b", 1));
        assert_eq!(
            still,
            Err(KafkaError::RebalanceInProgress),
            "alive, but does not join"
        );
    }
    table.tick(s(67));
    let names: BTreeSet<_> = table
        .joined(stayed)
        .members
        .into_iter()
        .map(|(name, ..)| name)
        .collect();
    assert_eq!(names, ["a", "c"].map(String::from).into());
    assert_eq!(table.joined(newcomer).generation, 2);
}

#[test]
fn a_follower_that_asks_again_disturbs_nobody_but_a_leader_does() {
    let mut table = Table::of_two();
    let ticket = table.ask(s(7), again("b"));
    // The subscription of `again` differs from that of `join`, so a second one is the same as the first.
    assert!(
        !table.answers.contains_key(&ticket),
        "a new subscription is a rebalance"
    );
    let leader = table.ask(s(7), again("a"));
    assert_eq!(table.joined(leader).generation, 2);
    table.ask(s(7), sync("b", 2, &[]));
    table.ask(s(7), sync("a", 2, &["a", "b"]));
    let follower = table.ask(s(8), again("b"));
    assert_eq!(
        (table.joined(follower).generation, table.state()),
        (2, "Stable")
    );
    table.ask(s(9), again("a"));
    assert_eq!(table.state(), "PreparingRebalance");
}

#[test]
fn a_leader_that_never_decides_is_removed() {
    let mut table = Table::new(s(0));
    table.ask(s(0), join("a"));
    for at in (9..60).step_by(9) {
        assert_eq!(table.say(s(at), heartbeat("a", 1)), Ok(Reply::Noted));
    }
    table.tick(s(60));
    assert_eq!(table.state(), "Empty");
}

#[test]
fn commits_wait_for_the_parts_and_strangers_commit_only_to_an_empty_group() {
    let mut table = Table::new(s(0));
    assert_eq!(
        table.say(s(0), Question::Commit(who("", -1))),
        Ok(Reply::Noted)
    );
    assert_eq!(
        table.say(s(0), Question::Commit(who("old", 4))),
        Err(KafkaError::UnknownMemberId)
    );
    table.ask(s(0), join("a"));
    assert_eq!(
        table.say(s(0), Question::Commit(who("a", 1))),
        Err(KafkaError::RebalanceInProgress)
    );
    table.ask(s(0), sync("a", 1, &["a"]));
    assert_eq!(
        table.say(s(0), Question::Commit(who("a", 1))),
        Ok(Reply::Noted)
    );
    assert_eq!(
        table.say(s(0), Question::Commit(who("", -1))),
        Err(KafkaError::UnknownMemberId)
    );
}

#[test]
fn a_group_needs_a_protocol_that_all_know_and_takes_the_one_most_want() {
    let with = |name: &str, protocols: &[&str]| {
        let protocol = |p: &&str| Protocol {
            name: p.to_string(),
            metadata: Bytes::new(),
        };
        Question::Join(Join {
            protocols: protocols.iter().map(protocol).collect(),
            ..wish(name)
        })
    };
    let mut table = Table::new(DELAY);
    let ticket = table.ask(s(0), with("a", &["range", "roundrobin"]));
    table.ask(s(0), with("b", &["roundrobin", "range"]));
    table.ask(s(0), with("c", &["sticky", "roundrobin", "range"]));
    for odd in [with("d", &["sticky"]), with("e", &[])] {
        assert_eq!(
            table.say(s(0), odd),
            Err(KafkaError::InconsistentGroupProtocol)
        );
    }
    let other = Question::Join(Join {
        protocol_type: "connect".to_string(),
        ..wish("f")
    });
    assert_eq!(
        table.say(s(0), other),
        Err(KafkaError::InconsistentGroupProtocol)
    );
    table.tick(s(3));
    table.tick(s(6));
    assert_eq!(table.joined(ticket).protocol, "roundrobin");
}

#[test]
fn a_static_member_that_returns_keeps_its_part_and_disturbs_nobody() {
    let mut table = Table::new(s(0));
    table.ask(s(0), join_static("room-0", "a"));
    table.ask(
        s(0),
        Question::Sync(
            who_static("room-0", "a", 1),
            vec![("a".to_string(), Bytes::from("all"))],
        ),
    );
    let returned = table.ask(s(5), join_static("room-0", "a2"));
    let joined = table.joined(returned);
    assert_eq!(
        (joined.generation, &*joined.member, &*joined.leader),
        (1, "a2", "a")
    );
    assert_eq!((joined.members.len(), table.state()), (0, "Stable"));
    let part = table.say(s(5), Question::Sync(who_static("room-0", "a2", 1), vec![]));
    assert_eq!(part, Ok(Reply::Assigned(Bytes::from("all"))));
    let fenced = table.say(s(6), Question::Heartbeat(who_static("room-0", "a", 1)));
    assert_eq!(fenced, Err(KafkaError::FencedInstanceId));
}

#[test]
fn a_returning_leader_that_understands_it_is_told_to_leave_everything_as_it_is() {
    let mut table = Table::new(s(0));
    table.ask(s(0), join_static("room-0", "a"));
    table.ask(s(0), Question::Sync(who_static("room-0", "a", 1), vec![]));
    let Question::Join(wish) = join_static("room-0", "a2") else {
        unreachable!()
    };
    let ticket = table.ask(
        s(5),
        Question::Join(Join {
            may_skip: true,
            ..wish
        }),
    );
    let joined = table.joined(ticket);
    assert_eq!(
        (
            joined.skip_assignment,
            &*joined.leader,
            joined.members.len()
        ),
        (true, "a2", 1)
    );
}

#[test]
fn a_static_member_leaves_by_its_static_id_or_when_its_session_ends() {
    let mut table = Table::new(s(0));
    table.ask(s(0), join_static("room-0", "a"));
    assert_eq!(
        table.say(s(1), Question::Leave(who_static("room-1", "", 0))),
        Err(KafkaError::UnknownMemberId)
    );
    assert_eq!(
        table.say(s(1), Question::Leave(who_static("room-0", "b", 0))),
        Err(KafkaError::FencedInstanceId)
    );
    assert_eq!(
        table.say(s(1), Question::Leave(who_static("room-0", "", 0))),
        Ok(Reply::Noted)
    );
    table.ask(s(2), join_static("room-0", "a3"));
    table.tick(s(12));
    assert_eq!(table.state(), "Empty");
}

#[test]
fn an_unanswered_join_is_answered_when_the_same_member_joins_again() {
    let mut table = Table::of_two();
    let first = table.ask(s(7), again("b"));
    let second = table.ask(s(8), again("b"));
    assert_eq!(table.answers[&first], Err(KafkaError::RebalanceInProgress));
    table.ask(s(9), again("a"));
    assert_eq!(table.joined(second).generation, 2);
}
