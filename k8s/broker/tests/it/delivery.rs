//! What arrives, where and how often.

use crate::arms::on_both;
use crate::child::Process;
use crate::clients::*;
use rdkafka::consumer::{CommitMode, Consumer};
use std::collections::BTreeSet;
use std::time::{Duration, Instant};

#[tokio::test(flavor = "multi_thread")]
async fn kfk_1_a_stopped_member_of_a_named_group_gets_everything_later_and_in_order() {
    on_both(async |arm| {
        let (topic, group) = (arm.unique("kfk-1"), arm.unique("group"));
        let producer = producer(&arm.bootstrap);
        publish(&producer, &topic, numbered("before", 3)).await;
        let member = consumer(&arm.bootstrap, &group, &topic, "earliest");
        assert_eq!(take(&member, 3).await, numbered("before", 3));
        drop(member);
        publish(&producer, &topic, numbered("missed", 100)).await;
        let member = consumer(&arm.bootstrap, &group, &topic, "latest");
        assert_eq!(take(&member, 100).await, numbered("missed", 100));
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn kfk_2_after_a_kill_everything_arrives_but_not_before_the_session_ends() {
    on_both(async |arm| {
        let (topic, group) = (arm.unique("kfk-2"), arm.unique("group"));
        let producer = producer(&arm.bootstrap);
        publish(&producer, &topic, numbered("before", 3)).await;
        let killed = Process::consumer(&arm.bootstrap, &group, &topic, true);
        let said: Vec<_> = (0..3).map(|_| killed.says()).collect();
        assert_eq!(said, numbered("before", 3));
        let at = Instant::now();
        killed.kill();
        publish(&producer, &topic, numbered("missed", 100)).await;
        let member = consumer(&arm.bootstrap, &group, &topic, "earliest");
        let first = take(&member, 1).await;
        let after = at.elapsed();
        assert!(
            after >= SESSION - 2 * HEARTBEAT,
            "the first one already after {after:?}"
        );
        assert!(
            after <= SESSION + Duration::from_secs(9),
            "the first one only after {after:?}"
        );
        let rest = take(&member, 99).await;
        assert_eq!([first, rest].concat(), numbered("missed", 100));
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn kfk_3_an_anonymous_group_never_sees_what_was_published_while_it_was_away() {
    on_both(async |arm| {
        let topic = arm.unique("kfk-3");
        let producer = producer(&arm.bootstrap);
        publish(&producer, &topic, numbered("missed", 100)).await;
        let member = consumer(&arm.bootstrap, &arm.unique("anonymous"), &topic, "latest");
        let fresh = async {
            loop {
                publish(&producer, &topic, ["fresh".to_string()]).await;
                tokio::time::sleep(Duration::from_millis(100)).await;
            }
        };
        tokio::select! { () = fresh => {}, taken = take(&member, 1) => assert_eq!(taken, ["fresh"]) }
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn kfk_4_a_new_group_that_begins_at_the_earliest_gets_all_that_is_kept() {
    on_both(async |arm| {
        let topic = arm.unique("kfk-4");
        publish(&producer(&arm.bootstrap), &topic, numbered("old", 100)).await;
        let member = consumer(&arm.bootstrap, &arm.unique("new"), &topic, "earliest");
        assert_eq!(take(&member, 100).await, numbered("old", 100));
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn kfk_5_two_groups_get_everything_and_one_that_stops_does_not_delay_the_other() {
    on_both(async |arm| {
        let topic = arm.unique("kfk-5");
        let producer = producer(&arm.bootstrap);
        publish(&producer, &topic, numbered("first", 10)).await;
        let stopping = consumer(&arm.bootstrap, &arm.unique("stopping"), &topic, "earliest");
        let staying = consumer(&arm.bootstrap, &arm.unique("staying"), &topic, "earliest");
        assert_eq!(take(&stopping, 10).await, numbered("first", 10));
        assert_eq!(take(&staying, 10).await, numbered("first", 10));
        drop(stopping);
        let at = Instant::now();
        publish(&producer, &topic, numbered("second", 10)).await;
        assert_eq!(take(&staying, 10).await, numbered("second", 10));
        assert!(at.elapsed() < SESSION, "took {:?}", at.elapsed());
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn kfk_8_what_was_taken_but_not_committed_is_delivered_again() {
    on_both(async |arm| {
        let (topic, group) = (arm.unique("kfk-8"), arm.unique("group"));
        publish(&producer(&arm.bootstrap), &topic, numbered("event", 10)).await;
        let killed = Process::consumer(&arm.bootstrap, &group, &topic, false);
        let first: Vec<_> = (0..10).map(|_| killed.says()).collect();
        killed.kill();
        let member = consumer(&arm.bootstrap, &group, &topic, "earliest");
        assert_eq!(
            (first, take(&member, 10).await),
            (numbered("event", 10), numbered("event", 10))
        );
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn every_kind_of_acknowledgement_gets_the_record_there() {
    on_both(async |arm| {
        let topic = arm.unique("acks");
        create(&arm.bootstrap, &topic, 1).await;
        let mut sent = BTreeSet::new();
        for acks in ["0", "1", "all"] {
            let mut config = rdkafka::ClientConfig::new();
            let config = config
                .set("bootstrap.servers", &arm.bootstrap)
                .set("acks", acks);
            publish(&config.create().unwrap(), &topic, [acks.to_string()]).await;
            sent.insert(acks.to_string());
        }
        let member = consumer(&arm.bootstrap, &arm.unique("group"), &topic, "earliest");
        assert_eq!(
            take(&member, 3).await.into_iter().collect::<BTreeSet<_>>(),
            sent
        );
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_waiting_consumer_gets_a_record_at_once() {
    on_both(async |arm| {
        let topic = arm.unique("at-once");
        create(&arm.bootstrap, &topic, 1).await;
        let patient = [
            ("fetch.wait.max.ms", "10000"),
            ("socket.timeout.ms", "60000"),
        ];
        let member = configured(&arm.bootstrap, &arm.unique("group"), &topic, &patient);
        assigned(&member, 1).await;
        let producer = producer(&arm.bootstrap);
        publish(&producer, &topic, ["warm".to_string()]).await;
        take(&member, 1).await;
        let mut waited = vec![];
        for _ in 0..11 {
            let at = Instant::now();
            publish(&producer, &topic, ["now".to_string()]).await;
            let message = next(&member).await;
            waited.push(at.elapsed());
            member.commit_message(&message, CommitMode::Async).unwrap();
        }
        waited.sort();
        assert!(
            waited[5] < Duration::from_millis(300),
            "half of them took longer than {:?}",
            waited[5]
        );
    })
    .await;
}
