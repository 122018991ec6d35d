//! Who is out, by their own wish or by time, and what becomes of the others.

use super::*;
use std::collections::BTreeSet;

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
