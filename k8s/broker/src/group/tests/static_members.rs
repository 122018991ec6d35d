//! Members with a name of their own choice, who may come back.

use super::*;

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
