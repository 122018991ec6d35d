//! Members and their offsets.

use super::*;
use kafka_protocol::messages::leave_group_request::MemberIdentity;
use kafka_protocol::messages::sync_group_request::SyncGroupRequestAssignment;

#[tokio::test]
async fn a_member_lives_through_a_whole_life_in_the_oldest_and_newest_versions() {
    for newest in [false, true] {
        let pick = |key: ApiKey| {
            let (_, lowest, highest) = SERVED.iter().find(|(served, ..)| *served == key).unwrap();
            if newest { *highest } else { *lowest }
        };
        let table = Table::with_a_topic().await;
        let version = pick(ApiKey::JoinGroup);
        let mut request = join(version, None);
        let ResponseKind::JoinGroup(mut joined) =
            table.ask(ApiKey::JoinGroup, version, request.clone()).await
        else {
            unreachable!()
        };
        if newest {
            assert_eq!(joined.error_code, KafkaError::MemberIdRequired.code());
            if let RequestKind::JoinGroup(request) = &mut request {
                request.member_id = joined.member_id;
            }
            let ResponseKind::JoinGroup(again) =
                table.ask(ApiKey::JoinGroup, version, request).await
            else {
                unreachable!()
            };
            joined = again;
        }
        assert_eq!(
            (
                joined.error_code,
                joined.generation_id,
                joined.members.len()
            ),
            (0, 1, 1)
        );
        let name = joined.member_id;

        let version = pick(ApiKey::SyncGroup);
        let part = SyncGroupRequestAssignment::default()
            .with_member_id(name.clone())
            .with_assignment("part".into());
        let request = SyncGroupRequest::default()
            .with_group_id(GROUP.into())
            .with_member_id(name.clone());
        let request = request.with_generation_id(1).with_assignments(vec![part]);
        let ResponseKind::SyncGroup(synced) =
            table.ask(ApiKey::SyncGroup, version, request.into()).await
        else {
            unreachable!()
        };
        assert_eq!(
            (synced.error_code, &synced.assignment[..]),
            (0, &b"part"[..])
        );

        let version = pick(ApiKey::DescribeGroups);
        let request = DescribeGroupsRequest::default().with_groups(vec![GROUP.into()]);
        let ResponseKind::DescribeGroups(described) = table
            .ask(ApiKey::DescribeGroups, version, request.into())
            .await
        else {
            unreachable!()
        };
        assert_eq!(
            (
                &*described.groups[0].group_state,
                described.groups[0].members.len()
            ),
            ("Stable", 1)
        );
        assert_eq!(&*described.groups[0].members[0].client_host, "127.0.0.1");

        let request = HeartbeatRequest::default()
            .with_group_id(GROUP.into())
            .with_member_id(name.clone());
        let request = request.with_generation_id(1).into();
        let ResponseKind::Heartbeat(alive) = table
            .ask(ApiKey::Heartbeat, pick(ApiKey::Heartbeat), request)
            .await
        else {
            unreachable!()
        };
        assert_eq!(alive.error_code, 0);

        let version = pick(ApiKey::LeaveGroup);
        let request = LeaveGroupRequest::default().with_group_id(GROUP.into());
        let member = MemberIdentity::default().with_member_id(name.clone());
        let request = if newest {
            request.with_members(vec![member])
        } else {
            request.with_member_id(name)
        };
        let ResponseKind::LeaveGroup(left) =
            table.ask(ApiKey::LeaveGroup, version, request.into()).await
        else {
            unreachable!()
        };
        assert_eq!(
            (
                left.error_code,
                left.members.iter().all(|member| member.error_code == 0)
            ),
            (0, true)
        );
    }
}

#[tokio::test]
async fn offsets_are_committed_and_found_in_the_oldest_and_newest_versions() {
    for (commit, fetch) in [(2, 1), (8, 7)] {
        let table = Table::with_a_topic().await;
        let ResponseKind::OffsetCommit(done) = table
            .ask(ApiKey::OffsetCommit, commit, offset_commit(commit))
            .await
        else {
            unreachable!()
        };
        assert_eq!(done.topics[0].partitions[0].error_code, 0);
        let request = sample(ApiKey::OffsetFetch, fetch);
        let ResponseKind::OffsetFetch(found) = table.ask(ApiKey::OffsetFetch, fetch, request).await
        else {
            unreachable!()
        };
        let partitions = &found.topics[0].partitions;
        assert_eq!(
            (
                partitions[0].committed_offset,
                partitions[0].metadata.as_deref()
            ),
            (7, Some("note"))
        );
        assert_eq!(partitions[1].committed_offset, -1);
    }
}
