//! groups — what consumers ask their group's coordinator, except offsets.

use super::{Asked, NO_TRANSACTIONS, NODE, State, code, text};
use crate::KafkaError;
use crate::group::{Answer, Described, Join, Joined, Member, Protocol, Question, Reply, Who};
use kafka_protocol::messages::describe_groups_request::DescribeGroupsRequest;
use kafka_protocol::messages::describe_groups_response::{
    DescribeGroupsResponse, DescribedGroup, DescribedGroupMember,
};
use kafka_protocol::messages::find_coordinator_response::{Coordinator, FindCoordinatorResponse};
use kafka_protocol::messages::join_group_response::{JoinGroupResponse, JoinGroupResponseMember};
use kafka_protocol::messages::leave_group_response::{LeaveGroupResponse, MemberResponse};
use kafka_protocol::messages::list_groups_response::{ListGroupsResponse, ListedGroup};
use kafka_protocol::messages::{
    FindCoordinatorRequest, HeartbeatRequest, HeartbeatResponse, JoinGroupRequest,
    LeaveGroupRequest, ListGroupsRequest, ResponseKind, SyncGroupRequest, SyncGroupResponse,
};
use kafka_protocol::protocol::StrBytes;
use std::time::Duration;

/// The kind of coordinator that is for groups.
const FOR_GROUPS: i8 = 0;
/// The kind that is for transactions, which are not served.
const FOR_TRANSACTIONS: i8 = 1;

impl State {
    /// The coordinator of every group is here.
    pub fn find_coordinator(&self, asked: &Asked, request: FindCoordinatorRequest) -> ResponseKind {
        let (host, port) = self.advertised(asked);
        let error = match request.key_type {
            FOR_GROUPS => 0,
            FOR_TRANSACTIONS => NO_TRANSACTIONS.code(),
            _ => KafkaError::InvalidRequest.code(),
        };
        let response = FindCoordinatorResponse::default();
        if asked.version < 4 {
            return response
                .with_error_code(error)
                .with_node_id(NODE)
                .with_host(host)
                .with_port(port)
                .into();
        }
        let here = |key| {
            let at = Coordinator::default().with_key(key).with_error_code(error);
            at.with_node_id(NODE)
                .with_host(host.clone())
                .with_port(port)
        };
        response
            .with_coordinators(request.coordinator_keys.into_iter().map(here).collect())
            .into()
    }

    /// Becomes a member; answered when the group is complete.
    pub async fn join_group(&self, asked: Asked, request: JoinGroupRequest) -> ResponseKind {
        let response = JoinGroupResponse::default();
        let response = if asked.version < 7 {
            response
        } else {
            response.with_protocol_type(Some(request.protocol_type.clone()))
        };
        let group = request.group_id.to_string();
        let (version, own_name) = (asked.version, request.member_id.clone());
        let answer = match self.wish(asked, request) {
            Ok(join) => self.groups.ask(&group, Question::Join(join)).await,
            Err(error) => Err(error),
        };
        match answer {
            Ok(Reply::Joined(joined)) => with_joined(response, version, joined).into(),
            Ok(Reply::CallYourself(name)) => {
                not_joined(response, version, KafkaError::MemberIdRequired, text(name))
            }
            Ok(_) => not_joined(response, version, KafkaError::UnknownServerError, own_name),
            Err(error) => not_joined(response, version, error, own_name),
        }
    }

    fn wish(&self, asked: Asked, request: JoinGroupRequest) -> Result<Join, KafkaError> {
        if request.group_id.is_empty() {
            return Err(KafkaError::InvalidGroupId);
        }
        let session = milliseconds(request.session_timeout_ms);
        if !self.config.session_timeout.contains(&session) {
            return Err(KafkaError::InvalidSessionTimeout);
        }
        let rebalance =
            Some(milliseconds(request.rebalance_timeout_ms)).filter(|time| !time.is_zero());
        let instance = request.group_instance_id;
        let protocol =
            |p: kafka_protocol::messages::join_group_request::JoinGroupRequestProtocol| Protocol {
                name: p.name.to_string(),
                metadata: p.metadata,
            };
        Ok(Join {
            fresh_name: self
                .groups
                .fresh_name(instance.as_deref().unwrap_or(&asked.client_id)),
            must_confirm: asked.version >= 4 && instance.is_none(),
            may_skip: asked.version >= 9,
            who: who(&request.member_id, &instance, 0),
            client_id: asked.client_id,
            client_host: asked.peers.client.ip().to_string(),
            session,
            rebalance: rebalance.unwrap_or(session),
            protocol_type: request.protocol_type.to_string(),
            protocols: request.protocols.into_iter().map(protocol).collect(),
        })
    }

    /// Brings the parts, if it leads, and gets its own; answered when the leader has decided.
    pub async fn sync_group(&self, request: SyncGroupRequest) -> ResponseKind {
        let parts = request
            .assignments
            .into_iter()
            .map(|part| (part.member_id.to_string(), part.assignment));
        let who = who(
            &request.member_id,
            &request.group_instance_id,
            request.generation_id,
        );
        let answer = self
            .groups
            .ask(&request.group_id, Question::Sync(who, parts.collect()))
            .await;
        let response = SyncGroupResponse::default().with_error_code(code(&answer));
        let response = response
            .with_protocol_type(request.protocol_type)
            .with_protocol_name(request.protocol_name);
        match answer {
            Ok(Reply::Assigned(part)) => response.with_assignment(part).into(),
            _ => response.into(),
        }
    }

    /// Stays a member.
    pub async fn heartbeat(&self, request: HeartbeatRequest) -> ResponseKind {
        let who = who(
            &request.member_id,
            &request.group_instance_id,
            request.generation_id,
        );
        let answer = self
            .groups
            .ask(&request.group_id, Question::Heartbeat(who))
            .await;
        HeartbeatResponse::default()
            .with_error_code(code(&answer))
            .into()
    }

    /// Leaves, alone or (from version 3 on) in a group.
    pub async fn leave_group(&self, asked: &Asked, request: LeaveGroupRequest) -> ResponseKind {
        let leave = |who| self.groups.ask(&request.group_id, Question::Leave(who));
        let response = LeaveGroupResponse::default();
        if asked.version < 3 {
            let answer = leave(who(&request.member_id, &None, 0)).await;
            return response.with_error_code(code(&answer)).into();
        }
        let mut members = vec![];
        for member in request.members {
            let answer: Answer = leave(who(&member.member_id, &member.group_instance_id, 0)).await;
            let left = MemberResponse::default()
                .with_error_code(code(&answer))
                .with_member_id(member.member_id);
            members.push(left.with_group_instance_id(member.group_instance_id));
        }
        response.with_members(members).into()
    }

    /// Who is in a group and what each has to do.
    pub fn describe_groups(&self, request: DescribeGroupsRequest) -> ResponseKind {
        let groups = request.groups.into_iter().map(|name| {
            let described = self.groups.describe(&name);
            let response = DescribedGroup::default().with_group_id(name.clone());
            match described {
                Some(group) => with_described(response, group),
                None => response.with_group_state(self.state_of_the_absent(&name).into()),
            }
        });
        DescribeGroupsResponse::default()
            .with_groups(groups.collect())
            .into()
    }

    /// A group without members still exists while it has committed offsets.
    fn state_of_the_absent(&self, group: &str) -> &'static str {
        if self.offsets().knows(group) {
            "Empty"
        } else {
            "Dead"
        }
    }

    /// The groups that had members since the start.
    pub fn list_groups(&self, request: &ListGroupsRequest) -> ResponseKind {
        let wanted = |state: &str| {
            request.states_filter.is_empty() || request.states_filter.iter().any(|s| **s == *state)
        };
        let listed = self
            .groups
            .all()
            .into_iter()
            .filter(|(_, group)| wanted(group.state))
            .map(|(name, group)| {
                let listed = ListedGroup::default()
                    .with_group_id(text(name).into())
                    .with_group_state(group.state.into());
                listed.with_protocol_type(text(group.protocol_type))
            });
        ListGroupsResponse::default()
            .with_groups(listed.collect())
            .into()
    }
}

/// Who a request says it is from.
pub fn who(member: &StrBytes, instance: &Option<StrBytes>, generation: i32) -> Who {
    Who {
        member: member.to_string(),
        instance: instance.as_ref().map(ToString::to_string),
        generation,
    }
}

fn milliseconds(time: i32) -> Duration {
    Duration::from_millis(time.max(0) as u64)
}

fn with_joined(response: JoinGroupResponse, version: i16, joined: Joined) -> JoinGroupResponse {
    let members = joined
        .members
        .into_iter()
        .map(|(name, instance, subscription)| {
            let member = JoinGroupResponseMember::default()
                .with_member_id(text(name))
                .with_metadata(subscription);
            member.with_group_instance_id(instance.map(text))
        });
    let response = response
        .with_generation_id(joined.generation)
        .with_protocol_name(Some(text(joined.protocol)));
    let response = response
        .with_leader(text(joined.leader))
        .with_member_id(text(joined.member));
    response
        .with_members(members.collect())
        .with_skip_assignment(version >= 9 && joined.skip_assignment)
}

fn not_joined(
    response: JoinGroupResponse,
    version: i16,
    error: KafkaError,
    name: StrBytes,
) -> ResponseKind {
    // Only from version 7 on may there be no protocol.
    let protocol = if version < 7 {
        Some(StrBytes::default())
    } else {
        None
    };
    let response = response
        .with_error_code(error.code())
        .with_generation_id(-1)
        .with_protocol_name(protocol);
    response.with_member_id(name).into()
}

fn with_described(response: DescribedGroup, group: Described) -> DescribedGroup {
    let members = group
        .members
        .iter()
        .map(|(name, member)| described_member(name, member, &group.protocol));
    let response = response
        .with_group_state(group.state.into())
        .with_members(members.collect());
    response
        .with_protocol_type(text(group.protocol_type))
        .with_protocol_data(text(group.protocol))
}

fn described_member(name: &str, member: &Member, protocol: &str) -> DescribedGroupMember {
    let (client_id, client_host) = member.client();
    let described = DescribedGroupMember::default().with_member_id(text(name));
    let described = described.with_group_instance_id(member.instance().map(text));
    let described = described
        .with_client_id(text(client_id))
        .with_client_host(text(client_host));
    described
        .with_member_metadata(member.subscription(protocol))
        .with_member_assignment(member.assignment())
}
