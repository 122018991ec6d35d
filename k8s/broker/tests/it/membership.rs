//! Who of a group gets what, and when that changes.

use crate::arms::on_both;
use crate::bare::Connection;
use crate::child::Process;
use crate::clients::*;
use kafka_protocol::error::ResponseError;
use rdkafka::consumer::Consumer;
use std::time::{Duration, Instant};

#[tokio::test(flavor = "multi_thread")]
async fn kfk_6_of_two_members_with_one_partition_the_second_takes_over_when_the_first_is_killed() {
    on_both(async |arm| {
        let (topic, group) = (arm.unique("kfk-6"), arm.unique("group"));
        let producer = producer(&arm.bootstrap);
        publish(&producer, &topic, numbered("first", 10)).await;
        let first = Process::consumer(&arm.bootstrap, &group, &topic, true);
        let said: Vec<_> = (0..10).map(|_| first.says()).collect();
        assert_eq!(said, numbered("first", 10));
        // Partitions are divided by the order of names, and the child's comes first.
        let second = consumer(&arm.bootstrap, &group, &topic, "earliest");
        until("two members", async || members(&second, &group) == 2).await;
        let at = Instant::now();
        first.kill();
        publish(&producer, &topic, numbered("second", 10)).await;
        assert_eq!(take(&second, 10).await, numbered("second", 10));
        let after = at.elapsed();
        assert!(
            after >= SESSION - 2 * HEARTBEAT,
            "took over after {after:?}"
        );
    })
    .await;
}

/// How many members a stable group has.
fn members(client: &impl Consumer, group: &str) -> usize {
    let groups = client
        .fetch_group_list(Some(group), Duration::from_secs(10))
        .unwrap();
    groups
        .groups()
        .iter()
        .find(|found| found.state() == "Stable")
        .map_or(0, |found| found.members().len())
}

#[tokio::test(flavor = "multi_thread")]
async fn kfk_7_two_members_with_two_partitions_get_one_each() {
    on_both(async |arm| {
        let (topic, group) = (arm.unique("kfk-7"), arm.unique("group"));
        create(&arm.bootstrap, &topic, 2).await;
        let one = consumer(&arm.bootstrap, &group, &topic, "earliest");
        let other = consumer(&arm.bootstrap, &group, &topic, "earliest");
        tokio::join!(assigned(&one, 1), assigned(&other, 1));
        assert_ne!(one.assignment().unwrap(), other.assignment().unwrap());
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_member_that_leaves_is_replaced_long_before_its_session_would_have_ended() {
    on_both(async |arm| {
        let (topic, group) = (arm.unique("leave"), arm.unique("group"));
        create(&arm.bootstrap, &topic, 2).await;
        let leaving = consumer(&arm.bootstrap, &group, &topic, "earliest");
        let staying = consumer(&arm.bootstrap, &group, &topic, "earliest");
        tokio::join!(assigned(&leaving, 1), assigned(&staying, 1));
        let at = Instant::now();
        drop(leaving);
        assigned(&staying, 2).await;
        assert!(
            at.elapsed() < SESSION - HEARTBEAT,
            "took {:?}",
            at.elapsed()
        );
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_static_member_that_returns_goes_on_without_waiting_for_its_old_session() {
    on_both(async |arm| {
        let (topic, group) = (arm.unique("static"), arm.unique("group"));
        let producer = producer(&arm.bootstrap);
        publish(&producer, &topic, numbered("before", 3)).await;
        let id = [("group.instance.id", "room-0")];
        let member = configured(&arm.bootstrap, &group, &topic, &id);
        assert_eq!(take(&member, 3).await, numbered("before", 3));
        drop(member);
        publish(&producer, &topic, numbered("after", 3)).await;
        let at = Instant::now();
        let member = configured(&arm.bootstrap, &group, &topic, &id);
        assert_eq!(take(&member, 3).await, numbered("after", 3));
        assert!(
            at.elapsed() < SESSION - 2 * HEARTBEAT,
            "took {:?}",
            at.elapsed()
        );
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_commit_of_an_older_generation_is_fenced() {
    on_both(async |arm| {
        let (topic, group) = (arm.unique("fenced"), arm.unique("group"));
        create(&arm.bootstrap, &topic, 1).await;
        let (mut one, mut other) = tokio::join!(Connection::open(arm), Connection::open(arm));
        let old = one.join(&group, "").await;
        one.sync(&group, &old).await;
        assert_eq!(one.commit(&group, &old, &topic, 1).await, None);
        // A second one comes, the first hears of it and joins again: both are in the next generation.
        let again = async {
            while one.heartbeat(&group, &old).await != Some(ResponseError::RebalanceInProgress) {}
            one.join(&group, &old.member_id).await
        };
        let (new, second) = tokio::join!(again, other.join(&group, ""));
        assert_eq!(new.generation_id, second.generation_id);
        tokio::join!(one.sync(&group, &new), other.sync(&group, &second));
        assert_eq!(
            one.commit(&group, &old, &topic, 2).await,
            Some(ResponseError::IllegalGeneration)
        );
        assert_eq!(one.commit(&group, &new, &topic, 2).await, None);
        let mut stranger = new.clone();
        stranger.member_id = "nobody".into();
        assert_eq!(
            one.commit(&group, &stranger, &topic, 3).await,
            Some(ResponseError::UnknownMemberId)
        );
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_group_is_described_with_its_members() {
    on_both(async |arm| {
        let (topic, group) = (arm.unique("described"), arm.unique("group"));
        create(&arm.bootstrap, &topic, 1).await;
        let member = configured(&arm.bootstrap, &group, &topic, &[("client.id", "pay")]);
        assigned(&member, 1).await;
        let groups = member
            .fetch_group_list(Some(&group), Duration::from_secs(10))
            .unwrap();
        let found = &groups.groups()[0];
        assert_eq!(
            (found.state(), found.protocol_type(), found.members().len()),
            ("Stable", "consumer", 1)
        );
        assert_eq!(found.members()[0].client_id(), "pay");
        assert!(
            found.members()[0]
                .assignment()
                .is_some_and(|part| !part.is_empty())
        );
    })
    .await;
}
