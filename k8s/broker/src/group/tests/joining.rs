//! Who gets in, under which name, and what is agreed on.

use super::*;

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
fn an_unanswered_join_is_answered_when_the_same_member_joins_again() {
    let mut table = Table::of_two();
    let first = table.ask(s(7), again("b"));
    let second = table.ask(s(8), again("b"));
    assert_eq!(table.answers[&first], Err(KafkaError::RebalanceInProgress));
    table.ask(s(9), again("a"));
    assert_eq!(table.joined(second).generation, 2);
}
